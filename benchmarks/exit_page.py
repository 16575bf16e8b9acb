"""The page on exits: how positions are left, and what each option was worth on the days that it was tried on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chimera_platform.simulation.comparison.statistics import DAYS_MIN, REPLICATES, Difference

if TYPE_CHECKING:
    from benchmarks.exit_options import MarketResult, OptionResult

HOW = """\
# Exits

How a position is left is planned when its entry is sent ([exit_plan.py](../chimera_platform/execution/exit_plan.py))
and followed at every event while it is held ([exit_due.py](../chimera_platform/execution/exit_due.py)), in integers:
the profit of closing at the touch, in lots times ticks, against distances from the average entry price. Section
`exits` of the configuration; `chimera config show` explains each key. A *stop* as a unit is the distance to the stop as
it was set at entry.

- **Stop.** Where structure puts it: the intent's distance. `stop_volatility_floor` and `stop_volatility_cap` hold it
  within multiples of the volatility over `volatility_horizon_ns` (0: over the holding time), `max_stop_fraction`
  below a share of the price.
- **Target.** `target_source`: the engine's; `take_profit_ratio` stops; or the move that the release's target model
  predicts, within `model_target_min` to `model_target_max` stops, and the engine's where there is no prediction.
- **Trailing.** From `trail_after` stops of profit on, the stop follows the best price at `trail_distance` stops.
- **Break-even.** From `break_even_after` stops of profit on, the stop is at the entry and the fees of both ways; not
  before the market is beyond that price.
- **Parts.** At `first_partial_at` and `second_partial_at` of the way to the target a share of the lots entered leaves,
  rounded down to whole lots; the rest, at least a lot, leaves at the target or a stop. What an order of a part left
  unfilled is asked for again while the price is there; lots that are entered later have their parts too.
- **Time.** The engine's holding time, or `max_hold_ns` where that is shorter.

A raised stop is a price and never moves back, whatever later fills do to the average entry. The order in which reasons
count: raised stop, stop, target, time, part. The exit of all, once decided, stays until nothing is held. An order says
by its reason which it was: `trailing`, `break_even`, `partial_target` beside `stop`, `target`, `time`.

## The target model

Trained nightly beside the signal model: a quantile regression (boosted trees, pinball loss) of how far the market
carried a trade before its stop or its time, in stops (`best_move` of `learning.labelled_intents`), on what the signal
model sees and on how many volatilities and spreads the stop is. It is shipped in `target_model.json` of a release where
the 95 % block-bootstrap bound of its gain in loss over a constant, on a day that it did not see, is above 0; and over
the model in force, where there is one. The engines write its prediction into the intent (`predicted_move`, ticks); the
check `predictions_equal_recomputed` scores the journal's intents again.
"""

METHOD = f"""\
## What the options are worth

Each option is put over the configuration by itself, on the same days; *gain* is what it earned more than the
configuration as it stands, a day, net of spread, fees, latency and impact. Brackets: 95 % studentised interval of the
stationary bootstrap over days ({REPLICATES:,} replicates), none of fewer than {DAYS_MIN} days with a difference. *p*:
exact sign test, adjusted by Holm for the options of the market; of a few recorded days it cannot be small.
**Walk-forward**: on each day of the second half, the option that had earned most on the days before it. The models of
targets are trained on the first half of the days and judged on the others.

Profit on a simulated market says what an option does where patterns are built in; it promises nothing about real ones.
"""


def page(results: Sequence[MarketResult], command: str) -> str:
    """Return the page as Markdown."""
    lines = [HOW, METHOD, "Made by", "", "```sh", command, "```", "", *_verdict(results), ""]
    for result in results:
        lines += [*_market(result), ""]
    return "\n".join(lines).rstrip() + "\n"


def adopted(results: Sequence[MarketResult]) -> list[str]:
    """Return the options whose interval lies above 0 on a recorded market, and below 0 on no market."""
    recorded: dict[str, list[int]] = {}
    everywhere: dict[str, list[int]] = {}
    for result in results:
        for option in result.options:
            everywhere.setdefault(option.name, []).append(option.gain.side)
            if not result.market.is_simulated:
                recorded.setdefault(option.name, []).append(option.gain.side)
    return [name for name, sides in recorded.items() if max(sides) > 0 and min(everywhere[name]) >= 0]


def _verdict(results: Sequence[MarketResult]) -> Iterator[str]:
    names = adopted(results)
    if names:
        yield f"The interval lies above 0 on a recorded market and below 0 on none: {_named(names)}."
    else:
        yield (
            "**The defaults leave every option off**: of none does the interval lie above 0 on a recorded market and "
            "below 0 on no market."
        )
    yield ""
    for result in results:
        better = [option.name for option in result.options if option.gain.side > 0]
        worse = [option.name for option in result.options if option.gain.side < 0]
        yield f"- **{result.market.name}**: above 0: {_named(better)}. Below 0: {_named(worse)}."
    yield from _models(results)


def _models(results: Sequence[MarketResult]) -> Iterator[str]:
    """Say where the models predict, and where following them pays: the one does not follow from the other."""
    for name in dict.fromkeys(name for result in results for name in result.targets):
        judged = [result for result in results if name in result.targets]
        predicts = [r.market.name for r in judged if r.targets[name].get("gain_low", 0.0) > 0.0]
        pays = [r.market.name for r in judged for o in r.options if o.name == name and o.gain.side > 0]
        yield f"- **{name}**: predicts moves better than a constant on {_named(predicts)}; pays on {_named(pays)}."


def _market(result: MarketResult) -> Iterator[str]:
    yield f"### {result.market.name}"
    yield ""
    yield (
        f"{result.market.about} {result.days} trading days; as configured {result.net_a_day:,.1f} a day in "
        f"{result.trades:,} trades, {result.win_rate:.1%} of them won."
    )
    yield ""
    yield "| option | net a day | trades | won | gain a day [95 %] | better : worse | p |"
    yield "|---|---|---|---|---|---|---|"
    for option in result.options:
        yield _row(option)
    if result.chosen:
        walked, taken = result.walk_forward, Counter(result.chosen)
        yield f"| **walk-forward** | | | | {_gain(walked)} | {walked.better} : {walked.worse} | {walked.sign_p:.2g} |"
        yield ""
        yield f"Taken in the walk: {_named([f'{name} ({count})' for name, count in taken.most_common()])}."
    for name, unseen in result.targets.items():
        yield ""
        yield _target(name, unseen)


def _row(option: OptionResult) -> str:
    gain = option.gain
    about = f"| {option.name} | {option.net_a_day:,.1f} | {option.trades:,} | {option.win_rate:.1%} |"
    if gain.is_none:
        return f"{about} changes nothing | | |"
    return f"{about} {_gain(gain)} | {gain.better} : {gain.worse} | {option.holm_p:.2g} |"


def _gain(gain: Difference) -> str:
    if not gain.has_interval:
        return f"{gain.mean:,.1f}" if math.isfinite(gain.mean) else ""
    return f"{gain.mean:,.1f} [{gain.low:,.1f}, {gain.high:,.1f}]"


def _target(name: str, unseen: Mapping[str, Any]) -> str:
    if "gain" not in unseen:
        return f"{name}: {unseen['examples']} intents that it had not seen, too few to judge it."
    return (
        f"{name}: on {unseen['examples']:,} intents that it had not seen its loss is {unseen['loss']:.4f}, that of a "
        f"constant {unseen['loss_constant']:.4f}: {unseen['gain']:.1%} less (lower bound {unseen['gain_low']:.1%}); "
        f"{unseen['reached']:.0%} of moves went as far as predicted."
    )


def _named(names: Sequence[str]) -> str:
    return "; ".join(names) or "none"
