"""Decisions moved in time, later as over a slow feed or earlier as with foresight: how the result changes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from chimera_platform.execution.hedges import without_hedges
from chimera_platform.portfolio.performance import trades_of
from chimera_platform.simulation.audit.decision_maker import DecisionMaker, Decisions
from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.mids import Mids
from chimera_platform.simulation.audit.moments import SourceEvents
from chimera_platform.simulation.audit.oracle import Oracle
from chimera_platform.simulation.audit.settings import AuditSettings
from chimera_platform.simulation.audit.threads import side_by_side

Array = np.ndarray[Any, Any]
_INTENTS_MIN = 30  # for a mean with a standard error worth the name


class _Shift(NamedTuple):
    name: str
    by_events: int = 0
    by_ns: int = 0


class _Outcome(NamedTuple):
    shift: str
    intents: int
    edge_bps: float  # mean
    edge_error_bps: float  # its standard error
    trades: int
    net_profit: float


def shifts(
    maker: DecisionMaker, events: Array, whole: Decisions, mids: Mids, settings: AuditSettings
) -> tuple[Finding, Finding]:
    """Move all decisions later and earlier and compare what they earn; return the findings on delay and foresight.

    Hedges are not moved: the account decides on them anew, by what it then holds.

    The edge of a decision is the mid's move in its direction over ``edge_horizon_ms``, without any cost. A result
    that lives on the last event alone, and is gone one event later, is what a leak by one row looks like.
    """
    plan = [
        *(_Shift(f"{n:,} events earlier", -n) for n in sorted(settings.advance_events, reverse=True)),
        _Shift("as decided"),
        *(_Shift(f"{n:,} {'event' if n == 1 else 'events'} later", n) for n in settings.shift_events),
        *(_Shift(f"{ms:,} ms later", 0, ms * 1_000_000) for ms in settings.shift_ms),
    ]
    wanted = without_hedges(whole.intents)
    sources = SourceEvents(maker.universe, events)
    horizon_ns = settings.edge_horizon_ms * 1_000_000

    def outcome(shift: _Shift) -> _Outcome:
        intents = wanted
        if shift.by_events or shift.by_ns:
            intents = sources.moved(intents, shift.by_events, shift.by_ns)
        return _outcome(shift.name, maker, events, intents, edges(intents, mids, horizon_ns))

    outcomes = side_by_side(outcome, plan)
    oracle = Oracle(maker, by_ns=horizon_ns)
    seen = oracle.intents(events)
    outcomes.append(
        _outcome(
            f"control: knows {settings.edge_horizon_ms / 1e3:g} s ahead",
            maker,
            events,
            seen,
            edges(seen, mids, horizon_ns),
        )
    )
    lost, error, edge = _loss(wanted, sources, mids, horizon_ns)
    return (
        _delay(lost, error, edge, len(wanted), outcomes, settings),
        _foresight(edges(wanted, mids, horizon_ns), settings),
    )


def edges(intents: Array, mids: Mids, horizon_ns: int) -> Array:
    """Return the mid's move towards each intent over the horizon, in 1e-4 of the mid; NaN without a market."""
    ids = intents["instrument_id"]
    now = mids.after_event(ids, intents["event_no"])
    later = mids.at_time(ids, intents["ts_event"] + horizon_ns)
    return np.asarray(1e4 * intents["side"] * (later - now) / now)


def _loss(intents: Array, sources: SourceEvents, mids: Mids, horizon_ns: int) -> tuple[float, float, float]:
    """Return (edge lost by one event's delay, its standard error, edge), 1e-4; paired: both up to the same moment."""
    ids = intents["instrument_id"]
    until = mids.at_time(ids, intents["ts_event"] + horizon_ns)
    now = mids.after_event(ids, intents["event_no"])
    next_ = mids.after_event(ids, sources.ahead(intents, 1))
    known = np.isfinite(until) & np.isfinite(now) & np.isfinite(next_)
    if known.sum() < 2:
        return math.nan, math.nan, math.nan
    side = intents["side"][known]
    edge = 1e4 * side * (until[known] - now[known]) / now[known]
    lost = 1e4 * side * (next_[known] - now[known]) / now[known]
    return float(lost.mean()), float(lost.std(ddof=1) / math.sqrt(len(lost))), float(edge.mean())


def _outcome(name: str, maker: DecisionMaker, events: Array, intents: Array, edge: Array) -> _Outcome:
    known = edge[np.isfinite(edge)]
    trades = trades_of(maker.execute(events, intents).fills)
    closed = trades[trades["position"] == 0]
    return _Outcome(
        name,
        len(intents),
        float(known.mean()) if len(known) else math.nan,
        float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.nan,
        len(closed),
        float(trades["net_nanos"].sum()) / 1e9,
    )


def _delay(
    lost: float, error: float, edge: float, intents: int, outcomes: list[_Outcome], settings: AuditSettings
) -> Finding:
    head = ("decisions", "intents", "edge, bp", "± bp", "closed trades", "net profit")
    table = Table(head, tuple(tuple(each) for each in outcomes))
    threshold = (
        f"at most {settings.edge_lost_max:.0%} of the edge, or lost within {settings.edge_significance:g} errors"
    )
    share = 100.0 * lost / edge if edge > 0 else math.nan
    if intents < _INTENTS_MIN:
        verdict = Verdict.SKIP
        reason = f"{intents} intents are too few to tell a delay's effect from chance ({_INTENTS_MIN} would do)"
    elif share > 100.0 * settings.edge_lost_max and lost > settings.edge_significance * error:
        verdict = Verdict.WARN
        reason = (
            f"a delay of one event takes {share:.0f} % of the edge of {edge:.2f} bp: the result lives on the very "
            "event that decides, as it does when that event leaks what is still to come"
        )
    else:
        verdict, reason = Verdict.PASS, "there is no edge before cost that a delay could take"
        if edge > 0:
            reason = f"a delay of one event takes {lost:.3f} ± {error:.3f} bp of an edge of {edge:.2f} bp"
    return Finding("delay", Part.LOOKAHEAD, verdict, share, "% of the edge lost", threshold, reason, table=table)


def _foresight(edge: Array, settings: AuditSettings) -> Finding:
    """Hold the edge against the one of perfect foresight at the same moments: the mean size of the mid's moves."""
    known = edge[np.isfinite(edge)]
    threshold = f"at most {settings.foresight_share_max:.0%}"
    largest = float(np.abs(known).mean()) if len(known) else 0.0
    if len(known) < _INTENTS_MIN or largest == 0.0:
        reason = f"{len(known)} intents with a market behind them are too few ({_INTENTS_MIN} would do)"
        return Finding("foresight", Part.LOOKAHEAD, Verdict.SKIP, math.nan, "", threshold, reason)
    mean, error = float(known.mean()), float(known.std(ddof=1)) / math.sqrt(len(known))
    limit = settings.foresight_share_max * largest
    is_suspicious = mean - settings.edge_significance * error > limit
    said = f"{mean:.2f} ± {error:.2f} bp of the {largest:.2f} bp that perfect foresight would have at the same moments"
    return Finding(
        "foresight",
        Part.LOOKAHEAD,
        Verdict.WARN if is_suspicious else Verdict.PASS,
        100.0 * mean / largest,
        "% of perfect foresight",
        threshold,
        f"too good to be true, or a market easier to foretell than real ones: decisions have {said}"
        if is_suspicious
        else f"decisions have {said}",
    )
