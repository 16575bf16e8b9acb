"""`chimera sweep`: many parameter sets over the same events, side by side."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.data_commands import open_events
from chimera_platform.cli.output import emit, say
from chimera_platform.cli.sections_file import read_sections
from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from chimera_platform.configuration import Configuration
    from chimera_platform.simulation.backtest.parameter_sets import ParameterSet
    from chimera_platform.simulation.backtest.sweep import DayResult


def sweep(
    source: o.SourceArgument = None,
    out: o.OutOption = ...,  # type: ignore[assignment]
    grid: Annotated[
        Path | None, typer.Option("--grid", help="JSON file: section → key → list of values; every combination.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Draw that many random sets within the settings' bounds.")
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option("--keys", help="What to draw: sections or section.key, separated by commas; else the engines'."),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="The metric of which the highest value is best.")] = "net_profit",
    days: Annotated[bool, typer.Option("--days", help="Run every UTC day by itself, with fresh state.")] = False,
    events_max: Annotated[
        int | None, typer.Option("--events", min=1, help="Only the source's first events, that many.")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Read the source for each set, not into memory.")] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=256, help="Threads; else one a processor.", show_default=False)
    ] = None,
    release: Annotated[str | None, typer.Option("--release", help="Decide under this release.")] = None,
    format: o.FormatOption = None,
    feed: o.FeedOption = None,
    symbols: o.SymbolsOption = None,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    config: o.ConfigOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 7,
    as_json: o.JsonOption = False,
) -> None:
    """Run parameter sets over the same events and write one row of metrics for each.

    The digest of a set equals that of `chimera backtest` of the same events with these parameters and release.

    Example: chimera sweep --feed "sim://?symbols=XAUUSD&seed=7" --sample 100 --out sweep.parquet
    """
    from chimera_platform.configuration import load_configuration, with_parameters
    from chimera_platform.portfolio.performance import METRIC_NAMES
    from chimera_platform.simulation.backtest.sweep import DayResult, hold, run_days, run_sweep
    from chimera_platform.warm_up import warm_up

    if by not in METRIC_NAMES:
        raise ConfigurationError(f"--by is '{by}'; expected one of: {', '.join(METRIC_NAMES)}")
    if stream and (days or events_max is not None):
        raise ConfigurationError("--stream reads the whole source for each set; leave out --days and --events")
    configuration = load_configuration(config)
    sets = _sets(configuration, grid, sample, keys, seed)
    configurations = [with_parameters(configuration, each) for each in sets]
    events = open_events(source, format, feed, symbols, instruments, seed)
    in_force = None
    if release is not None:
        from chimera_platform.releases import ReleaseStore, release_loader

        in_force = release_loader(ReleaseStore(WorkDir(workdir).require().releases), use_model=True)(release)
    warm_up(say, backtests=True)
    held = events if stream or (days and events_max is None) else hold(events, events_max)
    started = time.perf_counter()
    if days:
        tell = _every(1, "days")
        results = list(run_days(held, configurations, release=in_force, workers=workers, progress=tell))
    else:
        tell = _every(max(1, len(sets) // 10), f"of {len(sets):,} parameter sets")
        results = [DayResult(0, run_sweep(held, configurations, release=in_force, workers=workers, progress=tell))]
    seconds = time.perf_counter() - started
    table = sweep_table(sets, results, with_days=days)
    _write(table, out)
    ran = sum(each.events for day in results for each in day.results)
    emit(
        {
            "sets": len(sets),
            "events": sum(day.results[0].events for day in results),
            "events_per_second": round(ran / seconds),
            "best": best_set(sets, results, by),
            "days": len(results) if days else None,
            "seconds": seconds,
            "seed": seed,
            "out": str(out),
        },
        as_json=as_json,
        title="sweep",
    )


def _sets(
    configuration: Configuration, grid: Path | None, sample: int | None, keys: str | None, seed: int
) -> list[ParameterSet]:
    from chimera_platform.simulation.backtest.parameter_sets import grid_sets, random_sets

    if (grid is None) == (sample is None):
        raise typer.BadParameter("name either a --grid FILE or a number of sets to --sample", param_hint="--grid")
    if grid is not None:
        if keys is not None:
            raise ConfigurationError("--keys goes with --sample; a grid names its own")
        return grid_sets(
            read_sections(grid, "the grid", '{"hft": {"cooldown_ns": [1000000000, 5000000000]}}'), configuration
        )
    assert sample is not None
    return random_sets(sample, seed, configuration, None if keys is None else _named_keys(keys))


def _named_keys(text: str) -> dict[str, list[str]]:
    """Return section → keys of ``hft,structure.range_bars``; a section alone stands for all of its keys."""
    named: dict[str, list[str]] = {}
    whole: set[str] = set()
    for part in o.split_symbols(text):
        section, dot, key = part.partition(".")
        if dot and not key:
            raise ConfigurationError(f"--keys names '{part}'; expected a section or section.key")
        if key:
            named.setdefault(section, []).append(key)
        else:
            whole.add(section)
            named.setdefault(section, [])
    return {section: [] if section in whole else list(dict.fromkeys(found)) for section, found in named.items()}


def sweep_table(sets: list[ParameterSet], results: list[DayResult], *, with_days: bool) -> pa.Table:
    """Return one row per set (and day): its number, parameters by ``section.key``, counts, digest and metrics."""
    import numpy as np
    import pyarrow as pa

    rows = [(day.day, each) for day in results for each in day.results]
    columns: dict[str, Any] = {"set": pa.array([each.number for _, each in rows], pa.int64())}
    if with_days:
        columns["day"] = pa.array(np.array([day for day, _ in rows], "datetime64[D]"))
    names = dict.fromkeys((section, key) for each in sets for section, keys in each.items() for key in keys)
    for section, key in names:
        values = [sets[each.number].get(section, {}).get(key) for _, each in rows]
        whole = all(value is None or float(value).is_integer() for value in values)
        columns[f"{section}.{key}"] = pa.array(
            [None if value is None else int(value) if whole else float(value) for value in values],
            pa.int64() if whole else pa.float64(),
        )
    for name, type_ in (
        ("events", pa.int64()),
        ("intents", pa.int64()),
        ("seconds", pa.float64()),
        ("digest", pa.string()),
    ):
        columns[name] = pa.array([getattr(each, name) for _, each in rows], type_)
    metrics = [each.metrics.as_dict() for _, each in rows]
    for name in metrics[0] if metrics else ():
        columns[name] = pa.array([each[name] for each in metrics])
    return pa.table(columns)


def best_set(sets: list[ParameterSet], results: list[DayResult], by: str) -> dict[str, Any] | None:
    """Return the set with the highest metric, averaged over the days where it is defined; None where it never is."""
    best: dict[str, Any] | None = None
    for number, parameters in enumerate(sets):
        values = [getattr(day.results[number].metrics, by) for day in results]
        defined = [value for value in values if math.isfinite(value)]
        if not defined:
            continue
        value = math.fsum(defined) / len(defined)
        if best is None or value > best[by]:
            best = {"set": number, by: value, "parameters": parameters}
            if len(results) == 1:
                best["digest"] = results[0].results[number].digest
    return best


def _write(table: pa.Table, out: Path) -> None:
    from chimera_platform.cli.parquet_file import write_parquet

    write_parquet(table.to_batches(), out)


def _every(step: int, what: str) -> Callable[[int], None]:
    """Return what tells about every ``step``-th of those done."""

    def tell(done: int) -> None:
        if done % step == 0:
            say(f"{done:,} {what}")

    return tell
