"""`chimera compare`: V1 against V2, and every upgrade by itself and left out, on the same days."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, say
from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chimera_platform.simulation.comparison.compare import MarketOutcome, Releases
    from chimera_platform.simulation.comparison.page import Compared


def compare(
    recorded: Annotated[
        list[str] | None,
        typer.Argument(metavar="LABEL=PATH...", help="Recorded data, and what to call it.", show_default=False),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=0, help="Simulated days of each kind; 0: none.")] = 20,
    symbols: o.SymbolsOption = o.DEFAULT_SYMBOLS,
    release: Annotated[str | None, typer.Option("--release", help="Also compare this release, and its model.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Markdown page to write; reports/ if not given.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="PNG of what upgrades add, shown on the page.")] = None,
    rows: Annotated[Path | None, typer.Option("--rows", help="Parquet file of every day, variant and engine.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=64, help="Threads; all processors.")] = None,
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    config: o.ConfigOption = None,
    instruments: o.InstrumentsOption = None,
    seed: o.SeedOption = 101,
    as_json: o.JsonOption = False,
) -> None:
    """Compare the first version with the second, and what each upgrade adds or costs, with intervals over days.

    Simulated days carry the seeds --seed, --seed + 1, and so on. The page says where V2 does not win.

    Example: chimera compare "OANDA gold=../shared/data/oanda/tick/xauusd" --days 20 --out docs/v1-against-v2.md
    """
    from chimera_platform.configuration import load_configuration
    from chimera_platform.market.instruments import load_instruments
    from chimera_platform.simulation.comparison.compare import compare as run_all
    from chimera_platform.simulation.comparison.markets import recorded_market, simulated_markets
    from chimera_platform.simulation.comparison.page import evaluated, page
    from chimera_platform.simulation.comparison.plot import draw_effects
    from chimera_platform.simulation.comparison.variants import plan
    from chimera_platform.warm_up import warm_up

    known, base = load_instruments(instruments), load_configuration(config)
    markets = simulated_markets(known, o.split_symbols(symbols), days, seed) if days else []
    markets += [recorded_market(text, known) for text in recorded or ()]
    if not markets:
        raise ConfigurationError("nothing to compare on: name recorded data as LABEL=PATH, or --days of simulated ones")
    folders = WorkDir(workdir).prepare()
    releases = _releases(folders, release)
    chosen = plan(base, has_release=releases.plain is not None, has_model=releases.with_model is not None)
    warm_up(say, backtests=True)
    outcomes = run_all(markets, base, chosen, releases=releases, workers=workers, progress=say)
    compared = evaluated(outcomes, seed)
    target = out if out is not None else folders.reports / "v1-against-v2.md"
    table = rows if rows is not None else folders.reports / "v1-against-v2.parquet"
    command = shlex.join(["chimera", *sys.argv[1:]])
    is_drawn = plot is not None and draw_effects([(each.outcome, each.effects) for each in compared], plot)
    picture = os.path.relpath(plot, target.parent) if plot is not None and is_drawn else None
    _replace(target, page(compared, chosen, base, command, picture))
    count = _write_rows(table, outcomes)
    emit(
        {
            "variants": len(chosen.variants),
            "days": sum(len(each.days) for each in outcomes),
            "events": sum(each.facts.events for each in outcomes),
            "markets": [_summary(each) for each in compared],
            "rows": count,
            "page": str(target),
            "table": str(table),
            "seed": seed,
        },
        as_json=as_json,
        title="V1 against V2",
    )


def _releases(folders: WorkDir, release_id: str | None) -> Releases:
    """Return the named release without and with its model."""
    from chimera_platform.releases import ReleaseStore, release_loader
    from chimera_platform.simulation.comparison.compare import Releases

    if release_id is None:
        return Releases()
    store = ReleaseStore(folders.releases)
    whole = release_loader(store, True)(release_id)
    plain = release_loader(store, False)(release_id)
    return Releases(plain, whole if whole is not None and whole.trees is not None else None)


def _summary(each: Compared) -> dict[str, Any]:
    """Return a market's variants by name, as plain figures."""
    outcome, found = each.outcome, each.effects
    variants = {}
    for name, one in outcome.variants.items():
        fields = ("net", "gross", "fees", "cost", "trades")
        figures: dict[str, Any] = {f: one.total(f if f == "trades" else f"{f}_nanos") for f in fields}
        figures |= {"win_rate": one.win_rate(), "profit_factor": one.profit_factor(), "max_drawdown": one.drawdown}
        if name in found:
            adds = found[name].adds
            figures |= {"against": one.variant.against, "adds_a_day": adds.mean, "low": adds.low, "high": adds.high}
            figures |= {"better": adds.better, "worse": adds.worse, "sign_p": adds.sign_p, "holm_p": found[name].p_holm}
        variants[name] = figures
    return {"market": outcome.market.name, "days": len(outcome.days), "variants": variants}


def _write_rows(path: Path, outcomes: Sequence[MarketOutcome]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from chimera_platform.simulation.comparison.compare import rows_of

    table = pa.table(rows_of(outcomes))
    partial = path.with_suffix(".partial")
    pq.write_table(table, partial)
    partial.replace(path)
    return int(table.num_rows)


def _replace(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
