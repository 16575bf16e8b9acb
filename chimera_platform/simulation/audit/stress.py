"""The same run with dearer trading and slower messages."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from chimera_platform.market.instruments import Instrument, Universe
from chimera_platform.simulation.audit.decision_maker import Array, PlatformDecisions
from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.latencies import latencies, with_latencies
from chimera_platform.simulation.audit.outcome import Outcome, outcome_of
from chimera_platform.simulation.audit.settings import AuditSettings, SpreadCost
from chimera_platform.simulation.audit.threads import side_by_side

_HEAD = ("multiplier", "net profit", "closed trades", "Sharpe a trade", "Sharpe a year", "fees", "half-spreads paid")
_NO_PROFIT = "the run earns nothing ({profit:,.2f}), so there is no profit whose robustness could be told"


def cost_stress(maker: PlatformDecisions, events: Array, settings: AuditSettings) -> Finding:
    """Multiply fees in the run, and half-spreads paid in its account afterwards.

    A fee is part of the run: engines and governor see it. A spread is the market's, so at k times the cost each fill
    that ``spread_cost`` names pays (k - 1) times half the spread that stood when it happened, on top of its price.
    """

    def look(k: float) -> Outcome:
        return _outcome(maker.under(maker.configuration, with_fees(maker.universe, k)), events, settings, k)

    outcomes = side_by_side(look, settings.cost_multipliers)
    first = _outcome(maker, events, settings)
    break_even = break_even_multiplier(first)
    rows = tuple((k, *each) for k, each in zip(settings.cost_multipliers, outcomes, strict=True))
    what = {
        SpreadCost.NONE: "fees alone are multiplied",
        SpreadCost.TAKER: "fees are multiplied in the run; fills that took pay further half-spreads in the evaluation",
        SpreadCost.ALL: "fees are multiplied in the run; all fills pay further half-spreads in the evaluation",
    }[settings.spread_cost]
    verdict, reason = Verdict.PASS, f"the profit is gone at {break_even:.2f} times the cost"
    if math.isinf(break_even):
        verdict, reason = Verdict.SKIP, "the run pays no cost, so none can be multiplied"
    elif first.net_profit <= 0:
        verdict = Verdict.WARN
        reason = _NO_PROFIT.format(profit=first.net_profit)
        if break_even > 0:
            reason += f"; it would break even at {break_even:.2f} times the cost"
        else:
            reason += "; it loses before any cost"
    elif break_even < settings.break_even_min:
        verdict = Verdict.FAIL if break_even < settings.break_even_needed else Verdict.WARN
    return Finding(
        "cost",
        Part.ROBUSTNESS,
        verdict,
        break_even,
        "times the cost at break-even",
        f"at least {settings.break_even_min:g}",
        reason,
        table=Table(_HEAD, rows),
        notes=(what, "a rebate is divided by the multiplier"),
    )


def latency_stress(maker: PlatformDecisions, events: Array, settings: AuditSettings) -> Finding:
    """Multiply every latency of every venue."""

    def look(k: float) -> Outcome:
        return _outcome(maker.under(with_latencies(maker.configuration, k)), events, settings)

    outcomes = side_by_side(look, settings.latency_multipliers)
    base, twice = side_by_side(look, (1.0, 2.0))
    kept = twice.net_profit / base.net_profit if base.net_profit > 0 else math.nan
    verdict, reason = Verdict.PASS, f"at twice the latency {kept:.0%} of the profit is left"
    if not base.trades and base.net_profit == 0:
        verdict, reason = Verdict.SKIP, "nothing was traded"
    elif base.net_profit <= 0:
        verdict, reason = Verdict.WARN, _NO_PROFIT.format(profit=base.net_profit)
    elif twice.net_profit <= 0:
        verdict, reason = Verdict.FAIL, f"at twice the latency the profit is gone ({twice.net_profit:,.2f})"
    elif kept < settings.latency_kept_min:
        verdict = Verdict.WARN
    rows = tuple((k, *each) for k, each in zip(settings.latency_multipliers, outcomes, strict=True))
    zero = [name for name, value in latencies(maker.configuration.venue).items() if not value]
    notes = (f"zero, and zero however often it is multiplied: {', '.join(zero)}",) if zero else ()
    return Finding(
        "latency",
        Part.ROBUSTNESS,
        verdict,
        100.0 * kept,
        "% of the profit left at twice the latency",
        f"at least {settings.latency_kept_min:.0%}",
        reason,
        table=Table(_HEAD, rows),
        notes=notes,
    )


def break_even_multiplier(outcome: Outcome) -> float:
    """Return how many times the cost (fees and half-spreads) the run's profit before cost would pay for.

    1 is a net profit of nothing, below 0 a loss before any cost; infinite where nothing is paid.
    """
    cost = outcome.fees + outcome.spread
    return (outcome.net_profit + cost) / cost if cost > 0 else math.inf


def with_fees(universe: Universe, multiplier: float) -> Universe:
    """Return the universe with its fees multiplied, rebates divided."""
    return Universe([_with_fees(each, multiplier) for each in universe.instruments])


def _with_fees(instrument: Instrument, multiplier: float) -> Instrument:
    factor = Decimal(str(multiplier))
    changed: dict[str, Any] = {}
    for name in ("maker_per_lot", "maker_ppm", "taker_per_lot", "taker_ppm"):
        fee = getattr(instrument.fees, name)
        scaled = Decimal(fee) * factor if fee >= 0 else Decimal(fee) / factor
        changed[name] = min(round(scaled), 100_000) if name.endswith("ppm") else scaled
    return instrument.model_copy(update={"fees": instrument.fees.model_copy(update=changed)})


def _outcome(
    maker: PlatformDecisions, events: Array, settings: AuditSettings, spread_multiplier: float = 1.0
) -> Outcome:
    starting = float(maker.configuration.account.starting_equity)
    return outcome_of(maker.run(events), maker.universe, starting, settings.spread_cost, spread_multiplier)
