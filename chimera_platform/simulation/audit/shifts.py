"""Decisions moved in time, later as over a slow feed or earlier as with foresight: how the result changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from chimera_platform.execution.records import OrderType
from chimera_platform.learning.quotes import QuotePath
from chimera_platform.market.events import EventFlag
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.performance import trades_of
from chimera_platform.simulation.audit.decision_maker import BATCH_SIZE, DecisionMaker, Decisions
from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.settings import AuditSettings
from chimera_platform.simulation.audit.threads import side_by_side

Array = np.ndarray[Any, Any]
_INTENTS_MIN = 30  # for a mean with a standard error worth the name


class Mids:
    """The mid of every instrument over a stream's time, as its books leave it.

    Parameters
    ----------
    universe, events : the run's.
    """

    def __init__(self, universe: Universe, events: Array) -> None:
        path = QuotePath(len(universe))
        parts = [path.run(events[i : i + BATCH_SIZE], i) for i in range(0, len(events), BATCH_SIZE)]
        self.quotes = np.concatenate(parts) if parts else path.run(events, 0)
        self._of = []
        self._end_ns = int(events["ts_event"][-1]) if len(events) else 0
        for k in range(len(universe)):
            own = self.quotes[self.quotes["instrument_id"] == k]
            mid = np.where(own["bid_price"] > 0, (own["bid_price"] + own["ask_price"]) / 2.0, np.nan)
            self._of.append((own["event_no"], own["ts_event"], mid))

    def after_event(self, instrument_ids: Array, event_nos: Array) -> Array:
        """Return the mids (ticks) that stand after given events; NaN where there is no market."""
        return self._look_up(0, instrument_ids, event_nos)

    def at_time(self, instrument_ids: Array, times: Array) -> Array:
        """Return the mids (ticks) in force at given times, ns; NaN without a market and beyond the stream's end."""
        return np.where(times <= self._end_ns, self._look_up(1, instrument_ids, times), np.nan)

    def _look_up(self, by: int, instrument_ids: Array, keys: Array) -> Array:
        found = np.full(len(keys), np.nan)
        for k, columns in enumerate(self._of):
            own = instrument_ids == k
            if own.any() and len(columns[by]):
                at = np.searchsorted(columns[by], keys[own], side="right") - 1
                found[own] = np.where(at >= 0, columns[2][np.maximum(at, 0)], np.nan)
        return found


class SourceEvents:
    """The ends of each instrument's source events: the moments at which a decision can be taken."""

    def __init__(self, universe: Universe, events: Array) -> None:
        last = (events["flags"] & EventFlag.LAST) != 0
        self._events = events
        self._of = [np.flatnonzero(last & (events["instrument_id"] == k)) for k in range(len(universe))]

    def moved(self, intents: Array, by_events: int = 0, by_ns: int = 0) -> Array:
        """Return the intents taken so many source events of their instrument, or so much time, later (< 0: earlier).

        What would fall outside the stream is left out. The rows that are left stand in the coordinator's order.
        """
        moved, kept = intents.copy(), np.zeros(len(intents), np.bool_)
        for k, ends in enumerate(self._of):
            own = np.flatnonzero(intents["instrument_id"] == k)
            if not len(own) or not len(ends):
                continue
            at = np.searchsorted(ends, intents["event_no"][own]) + by_events
            if by_ns:
                times = self._events["ts_event"][ends]
                wanted = intents["ts_event"][own] + by_ns
                late, early = np.searchsorted(times, wanted), np.searchsorted(times, wanted, side="right") - 1
                at = late if by_ns > 0 else early
            inside = (at >= 0) & (at < len(ends))
            rows = own[inside]
            kept[rows] = True
            moved["event_no"][rows] = ends[at[inside]]
        for name in ("ts_event", "seq"):
            moved[name] = self._events[name][np.minimum(moved["event_no"], len(self._events) - 1)]
        moved = moved[kept]
        return moved[np.lexsort((moved["engine"], moved["instrument_id"], moved["event_no"]))]

    def ahead(self, intents: Array, by_events: int) -> Array:
        """Return for each intent the event so many source events of its instrument later, at most the last one."""
        found = intents["event_no"].copy()
        for k, ends in enumerate(self._of):
            own = intents["instrument_id"] == k
            if own.any() and len(ends):
                at = np.searchsorted(ends, found[own]) + by_events
                found[own] = ends[np.minimum(at, len(ends) - 1)]
        return found


class Oracle:
    """A decision path that cheats: it takes each intent in the direction in which the mid will have moved.

    It is the audit's control. A check that does not find it on a stream proves nothing there.

    Parameters
    ----------
    maker : whose moments of decision are taken.
    by_events : how many source events of the instrument it sees ahead; 0: ``by_ns`` counts.
    by_ns : how long it sees ahead, ns.
    """

    def __init__(self, maker: DecisionMaker, by_events: int = 0, by_ns: int = 0) -> None:
        self._maker, self._by_events, self._by_ns = maker, by_events, by_ns
        self.universe = maker.universe

    def intents(self, events: Array) -> Array:
        """Return the honest intents, turned to where the mid will be; those without a move are left out."""
        intents = self._maker.intents(events)
        if not len(intents):
            return intents
        mids, ids = Mids(self.universe, events), intents["instrument_id"]
        if self._by_events:
            later = mids.after_event(ids, SourceEvents(self.universe, events).ahead(intents, self._by_events))
        else:
            later = mids.at_time(ids, intents["ts_event"] + self._by_ns)
        move = later - mids.after_event(ids, intents["event_no"])
        kept = np.isfinite(move) & (move != 0)
        chosen = intents[kept]
        chosen["side"] = np.sign(move[kept]).astype(np.int8)
        chosen["order_type"], chosen["limit_price"] = OrderType.MARKET, 0
        return chosen

    def execute(self, events: Array, intents: Array) -> Decisions:
        """See :meth:`DecisionMaker.execute`."""
        return self._maker.execute(events, intents)

    def run(self, events: Array, ends: Sequence[int] = ()) -> Decisions:
        """See :meth:`DecisionMaker.run`."""
        del ends
        return self.execute(events, self.intents(events))


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

    The edge of a decision is the mid's move in its direction over ``edge_horizon_ms``, without any cost. A result
    that lives on the last event alone, and is gone one event later, is what a leak by one row looks like.
    """
    plan = [
        *(_Shift(f"{n:,} events earlier", -n) for n in sorted(settings.advance_events, reverse=True)),
        _Shift("as decided"),
        *(_Shift(f"{n:,} {'event' if n == 1 else 'events'} later", n) for n in settings.shift_events),
        *(_Shift(f"{ms:,} ms later", 0, ms * 1_000_000) for ms in settings.shift_ms),
    ]
    sources = SourceEvents(maker.universe, events)
    horizon_ns = settings.edge_horizon_ms * 1_000_000

    def outcome(shift: _Shift) -> _Outcome:
        intents = whole.intents
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
    lost, error, edge = _loss(whole.intents, sources, mids, horizon_ns)
    return (
        _delay(lost, error, edge, len(whole.intents), outcomes, settings),
        _foresight(edges(whole.intents, mids, horizon_ns), settings),
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
