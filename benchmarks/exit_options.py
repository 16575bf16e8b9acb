"""What each way of leaving positions is worth, net of cost: ``python -m benchmarks.exit_options --help``.

Every option is put over the configuration by itself and runs over the same days as the configuration alone; the page
that is written, ``docs/exits.md`` by default, is what the defaults of :class:`ExitSettings` rest on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.exit_page import page
from chimera_platform.configuration import Configuration, load_configuration
from chimera_platform.errors import DataError
from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.learning.labels import label_intents
from chimera_platform.learning.quotes import QUOTE_CHANGE_DTYPE, QuotePath
from chimera_platform.learning.target_model import (
    TargetExamples,
    TargetModel,
    TargetModelSettings,
    evaluate_target,
    target_examples_of,
    train_target_model,
)
from chimera_platform.market.instruments import Instrument, load_instruments
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest.deciding import decide
from chimera_platform.simulation.backtest.fused import FusedPath
from chimera_platform.simulation.backtest.sweep import HeldEvents, hold
from chimera_platform.simulation.comparison.compare import MarketOutcome, Releases, compare
from chimera_platform.simulation.comparison.markets import Market, recorded_market, simulated_markets
from chimera_platform.simulation.comparison.statistics import Difference, difference, holm
from chimera_platform.simulation.comparison.variants import Plan, Role, Variant

BASE = "as configured"
OPTIONS: dict[str, dict[str, Any]] = {
    "target 1 stop": {"target_source": "ratio", "take_profit_ratio": 1.0},
    "target 2 stops": {"target_source": "ratio", "take_profit_ratio": 2.0},
    "target 3 stops": {"target_source": "ratio", "take_profit_ratio": 3.0},
    "target 5 stops": {"target_source": "ratio", "take_profit_ratio": 5.0},
    "break-even after 0.5 stops": {"break_even_after": 0.5},
    "break-even after 1 stop": {"break_even_after": 1.0},
    "trailing, 0.5 stops after 0.5": {"trail_after": 0.5, "trail_distance": 0.5},
    "trailing, 1 stop after 1": {"trail_after": 1.0, "trail_distance": 1.0},
    "trailing, 1 stop after 1, target 4": {
        "trail_after": 1.0, "trail_distance": 1.0, "target_source": "ratio", "take_profit_ratio": 4.0,
    },
    "half at half the target": {"first_partial_share": 0.5, "first_partial_at": 0.5},
    "thirds at 0.5 and 0.75 of the target": {"first_partial_share": 0.33, "second_partial_share": 0.33},
    "half at half, then break-even after 1 stop": {"first_partial_share": 0.5, "break_even_after": 1.0},
    "stop of at least 0.5 volatilities": {"stop_volatility_floor": 0.5},
    "stop of at least 1 volatility": {"stop_volatility_floor": 1.0},
    "stop of at most 1 volatility": {"stop_volatility_cap": 1.0},
    "two minutes at most": {"max_hold_ns": 120_000_000_000},
    "ten minutes at most": {"max_hold_ns": 600_000_000_000},
}  # fmt: skip
"""Name → what it sets in section ``exits``."""
MODELS = {"model target, median": 0.5, "model target, 0.8 quantile": 0.8}
"""Name → the quantile of the move that the model is trained for."""
TRAINED_SHARE, VALIDATED_SHARE = 0.5, 0.25
"""Of a market's days, the first: models are trained on them, options chosen on no fewer; of those, to stop early on."""
SEED = 7


@dataclass(frozen=True)
class OptionResult:
    """An option on one market's days: totals, and its daily gain over the configuration as it stands."""

    name: str
    net_a_day: float
    trades: int
    win_rate: float
    gain: Difference
    holm_p: float


@dataclass(frozen=True)
class MarketResult:
    """All options on one market.

    Attributes
    ----------
    options : over all days; the model target over those after its training only.
    walk_forward : the gain of taking, on each later day, the option that had earned most before.
    chosen : what was taken, by day.
    targets : by option with a model, what it was worth on the days that it had not seen; JSON values.
    """

    market: Market
    days: int
    net_a_day: float
    trades: int
    win_rate: float
    options: list[OptionResult]
    walk_forward: Difference
    chosen: list[str]
    targets: dict[str, dict[str, Any]]


def market_result(market: Market, base: Configuration, workers: int | None = None) -> MarketResult:
    """Run every option over a market."""
    trained, first_day = learned_targets(market, base)
    plain, other = (_release(trained[name][0]) if name in trained else None for name in MODELS)
    variants = [Variant(BASE, Role.VERSION, {})]
    variants += [Variant(name, Role.CONDITION, {"exits": OPTIONS[name]}, against=BASE) for name in OPTIONS]
    for k, name in enumerate(trained):
        parameters: dict[str, dict[str, Any]] = {"exits": {"target_source": "model"}}
        variants.append(Variant(name, Role.CONDITION, parameters, "", BASE, uses_release=True, uses_model=k == 1))
    chosen = Plan(tuple(variants), ())
    outcome = compare([market], base, chosen, releases=Releases(plain, other), workers=workers)[0]
    return _summed(market, outcome, first_day, {name: found for name, (_, found) in trained.items()})


def _release(model: TargetModel) -> Release:
    """Return a release of nothing but a target model."""
    return Release("0" * 32, {}, {}, None, 0.0, {}, target_trees=model.trees)


def learned_targets(market: Market, base: Configuration) -> tuple[dict[str, tuple[TargetModel, dict[str, Any]]], int]:
    """Train a target model of each quantile on the first days of a market and judge it on the others.

    Returns
    -------
    Name → (model, evaluation), nothing where there is not enough to learn from; and the first day that they have not
    seen, days since 1970.
    """
    parts: list[TargetExamples] = []
    for opened in market.runs:
        parts += [part for part in labelled_days(hold(opened()), base) if len(part)]
    days = sorted({int(part.ts[0] // NS_PER_DAY) for part in parts})
    if len(days) < 2:
        return {}, 0
    first_unseen = days[int(len(days) * TRAINED_SHARE)]
    seen = _joined([part for part in parts if part.ts[0] // NS_PER_DAY < first_unseen])
    unseen = _joined([part for part in parts if part.ts[0] // NS_PER_DAY >= first_unseen])
    before = int(seen.ts[int(len(seen) * (1.0 - VALIDATED_SHARE))])
    train, validation = seen[(seen.ts < before) & (seen.horizon_end < before)], seen[seen.ts >= before]
    found: dict[str, tuple[TargetModel, dict[str, Any]]] = {}
    for name, quantile in MODELS.items():
        settings = TargetModelSettings(quantile=quantile)
        try:
            model = train_target_model(train, validation, settings)
        except DataError:
            return {}, first_unseen
        found[name] = model, evaluate_target(model, None, unseen, settings)
    return found, first_unseen


def labelled_days(held: HeldEvents, configuration: Configuration) -> list[TargetExamples]:
    """Return the labelled intents of a run as examples, a part for each UTC day; no label looks beyond its day."""
    path, quotes = FusedPath(held.universe, configuration), QuotePath(len(held.universe))
    intents, changes, first = [np.zeros(0, INTENT_DTYPE)], [np.zeros(0, QUOTE_CHANGE_DTYPE)], 0
    for batch in decide(path, held, None, 131_072):
        intents.append(batch.output.intents.copy())
        changes.append(quotes.run(batch.events, first))
        first += len(batch.events)
    every, touch = np.concatenate(intents), np.concatenate(changes)
    day_of, last = every["ts_event"] // NS_PER_DAY, held.events["ts_event"]
    parts = []
    for day in np.unique(day_of):
        end = int(last[last // NS_PER_DAY == day].max())
        of_day = every[day_of == day]
        parts.append(target_examples_of(of_day, label_intents(of_day, touch, end, held.universe.records)))
    return parts


def _joined(parts: Sequence[TargetExamples]) -> TargetExamples:
    fields = ("inputs", "move", "ts", "horizon_end")
    whole = TargetExamples(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
    return whole[np.argsort(whole.ts, kind="stable")]


def _summed(market: Market, outcome: MarketOutcome, first_day: int, targets: dict[str, dict[str, Any]]) -> MarketResult:
    base, names = outcome.variants[BASE], [*OPTIONS, *targets]
    gains = {name: outcome.variants[name].daily_gain(base) for name in names}
    is_after = outcome.days > first_day  # a trading day may begin on the evening before
    looked_at = {name: gain[is_after] if name in targets else gain for name, gain in gains.items()}
    found = {name: difference(gain, SEED, are_independent=market.is_simulated) for name, gain in looked_at.items()}
    changed = [name for name in names if not found[name].is_none]
    adjusted = dict(zip(changed, holm([found[name].sign_p for name in changed]), strict=True))
    options = [
        OptionResult(
            name,
            float(outcome.variants[name].daily_net().mean()),
            int(outcome.variants[name].total("trades")),
            outcome.variants[name].win_rate(),
            found[name],
            adjusted.get(name, 1.0),
        )
        for name in names
    ]
    walked, chosen = walk_forward({name: gains[name] for name in OPTIONS})
    return MarketResult(
        market,
        len(outcome.days),
        float(base.daily_net().mean()),
        int(base.total("trades")),
        base.win_rate(),
        options,
        difference(walked, SEED, are_independent=market.is_simulated),
        chosen,
        targets,
    )


def walk_forward(gains: Mapping[str, np.ndarray[Any, Any]]) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Return each later day's gain of the option that had gained most by then, and what it was.

    Where none had gained, the configuration is left as it is and gains nothing.
    """
    names = list(gains)
    table = np.stack([gains[name] for name in names])
    walked, chosen = [], []
    for day in range(max(1, int(table.shape[1] * TRAINED_SHARE)), table.shape[1]):
        before = table[:, :day].mean(axis=1)
        best = int(np.argmax(before))
        is_better = bool(before[best] > 0.0)
        walked.append(float(table[best, day]) if is_better else 0.0)
        chosen.append(names[best] if is_better else BASE)
    return np.array(walked), chosen


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the options and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exit_options", description=__doc__)
    parser.add_argument("recorded", nargs="*", help="LABEL=PATH or LABEL=PATH,PATH: recorded markets")
    parser.add_argument("--days", type=int, default=20, help="of each simulated market")
    parser.add_argument("--symbols", default="XAUUSD,XAGUSD", help="of the simulated markets")
    parser.add_argument("--seed", type=int, default=SEED, help="of the first simulated day")
    parser.add_argument("--config", type=Path, default=None, help="TOML file that the options are put over")
    parser.add_argument("--workers", type=int, default=None, help="threads; else one a processor")
    parser.add_argument("--out", type=Path, default=Path("docs/exits.md"))
    given = parser.parse_args(arguments)
    instruments: Mapping[str, Instrument] = load_instruments()
    base = load_configuration(given.config)
    markets = simulated_markets(instruments, given.symbols.split(","), given.days, given.seed)
    markets += [recorded_market(text, instruments) for text in given.recorded]
    results = []
    for market in markets:
        print(market.name, flush=True)
        results.append(market_result(market, base, given.workers))
    said = [
        *([] if given.config is None else [f"--config {given.config}"]),
        f"--days {given.days}",
        f"--seed {given.seed}",
    ]
    command = " ".join(["python -m benchmarks.exit_options", *(f"'{text}'" for text in given.recorded), *said])
    given.out.write_text(page(results, command), encoding="utf-8")


if __name__ == "__main__":
    main()
