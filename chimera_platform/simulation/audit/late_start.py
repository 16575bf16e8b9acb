"""The same market joined later: how long features and decisions remember where the stream began."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from chimera_platform.execution.hedges import without_hedges
from chimera_platform.execution.records import SIGNAL_ENGINES
from chimera_platform.market.book import apply_events, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe
from chimera_platform.microstructure.feature_names import FEATURE_NAMES
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.simulation.audit.decision_maker import DecisionMaker, Decisions
from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.settings import AuditSettings

Array = np.ndarray[Any, Any]
_BATCH = 8_192
_IDENTITY = ("engine", "instrument_id", "side", "reason", "order_type")


class _Late(NamedTuple):
    start: int  # event_no of the first event that is not skipped
    snapshots: int  # records put before it
    events: Array  # snapshots and the rest of the stream


def late_starts(
    maker: DecisionMaker, events: Array, whole: Decisions, settings: AuditSettings
) -> tuple[Finding, Finding]:
    """Return the findings about decisions and about features of a stream that is joined later."""
    streams = [late for share in settings.late_starts if (late := joined_late(maker.universe, events, share))]
    return _decisions(maker, events, whole, streams, settings), _features(maker.universe, events, streams, settings)


def joined_late(universe: Universe, events: Array, share: float) -> _Late | None:
    """Return the stream without its first ``share``, each book given as a snapshot, as a live start gets it.

    None where no source event ends in the part that is skipped, or nothing is left.
    """
    ends = np.flatnonzero((events["flags"] & EventFlag.LAST) != 0) + 1
    ends = ends[(ends <= share * len(events)) & (ends < len(events))]
    if not len(ends):
        return None
    start = int(ends[-1])
    books = new_books(len(universe))
    apply_events(books, np.ascontiguousarray(events[:start]))
    head = [_snapshot(books[k], k, events[start - 1]) for k in range(len(universe))]
    snapshots = sum(map(len, head))
    return _Late(start, snapshots, np.concatenate([*head, events[start:]]))


def _snapshot(book: Any, instrument_id: int, last: Any) -> Array:
    """Return the records that rebuild ``book``: a clear, its levels, and whether it is halted or closed."""
    sides = [(1, book["bid_price"], book["bid_size"], int(book["bid_count"]))]
    sides.append((-1, book["ask_price"], book["ask_size"], int(book["ask_count"])))
    states = [(book["halted"], StatusCode.HALT), (book["closed"], StatusCode.SESSION_CLOSE)]
    states.append((book["gap"], StatusCode.GAP))
    codes = [int(code) for is_so, code in states if is_so]
    rows = np.zeros(1 + sum(side[3] for side in sides) + len(codes), EVENT_DTYPE)
    for name in ("ts_event", "ts_recv", "seq"):
        rows[name] = last[name]
    rows["instrument_id"], rows["flags"] = instrument_id, int(EventFlag.SNAPSHOT)
    rows["kind"][0] = EventKind.CLEAR
    at = 1
    for side, prices, sizes, count in sides:
        part = rows[at : at + count]
        part["kind"], part["side"] = EventKind.LEVEL, side
        part["price"], part["size"] = prices[:count], sizes[:count]
        at += count
    rows["kind"][at:], rows["price"][at:] = EventKind.STATUS, codes
    rows["flags"][-1] |= int(EventFlag.LAST)
    return rows


def _decisions(
    maker: DecisionMaker, events: Array, whole: Decisions, streams: list[_Late], settings: AuditSettings
) -> Finding:
    """Report of each engine how long after a late start it wants something else than on the whole stream."""
    times, rows, latest, slow = events["ts_event"], [], 0.0, set[str]()
    for late in streams:
        intents = without_hedges(maker.run(late.events).intents)
        intents = intents[intents["event_no"] >= late.snapshots]
        theirs = _keys(intents, intents["event_no"] - late.snapshots + late.start)
        wanted = without_hedges(whole.intents)
        ours = _keys(wanted, wanted["event_no"])
        ours = {key for key in ours if key[0] >= late.start}
        left = float(times[-1] - times[late.start]) / 1e9
        until = []
        for engine in SIGNAL_ENGINES:
            last = max((key[0] for key in ours ^ theirs if key[1] == engine), default=-1)
            until.append(float(times[last] - times[late.start]) / 1e9 if last >= 0 else 0.0)
            if until[-1] > settings.settled_share * left:
                slow.add(engine.name.lower())
        latest = max(latest, *until)
        rows.append((late.start, left, len(ours), len(theirs), len(ours & theirs) / max(len(ours | theirs), 1), *until))
    threshold = f"within {settings.settled_share:.0%} of what is left of the stream"
    if not streams or not len(whole.intents):
        return Finding("late start", Part.LOOKAHEAD, Verdict.SKIP, math.nan, "s", threshold, "no intents to compare")
    reason = f"{latest:,.0f} s after a late start the engines want the same as on the whole stream"
    if slow:
        reason = (
            f"{latest:,.0f} s after a late start {', '.join(sorted(slow))} still wants something else than on the "
            "whole stream: it remembers further back than this data tells, so live results depend on when it starts"
        )
    engines = (f"s until the same, {engine.name.lower()}" for engine in SIGNAL_ENGINES)
    head = ("skipped events", "s left", "intents, whole", "intents, late", "share in both", *engines)
    return Finding(
        "late start",
        Part.LOOKAHEAD,
        Verdict.WARN if slow else Verdict.PASS,
        latest,
        "s to agree",
        threshold,
        reason,
        table=Table(head, tuple(rows)),
    )


def _keys(intents: Array, event_nos: Array) -> set[tuple[int, ...]]:
    """Return what is wanted, and at which event, as (event_no, engine, …)."""
    return set(zip(event_nos.tolist(), *(intents[name].tolist() for name in _IDENTITY), strict=True))


def _features(universe: Universe, events: Array, streams: list[_Late], settings: AuditSettings) -> Finding:
    """Report of each feature how long after a late start it still differs."""
    until = np.full((len(streams), len(FEATURE_NAMES)), np.nan)
    for k, late in enumerate(streams):
        until[k] = _seconds_until_same(universe, events, late, settings.feature_tolerance)
    rows = sorted(zip(FEATURE_NAMES, *until.tolist(), strict=True), key=lambda row: -max(row[1:], default=0.0))
    head = ("feature", *(f"s until the same, {late.start:,} skipped" for late in streams))
    endless = [name for name, *seconds in rows if any(math.isinf(s) for s in seconds)]
    finite = until[np.isfinite(until)]
    longest = float(finite.max()) if len(finite) else math.nan
    reason = f"{longest:,.0f} s after a late start the features are the same again"
    if endless:
        reason += (
            f", but for {len(endless)} that never are within this data: {', '.join(endless[:6])}"
            f"{'…' if len(endless) > 6 else ''} (sums since the start of a session, or windows longer than the data)"
        )
    share = len(endless) / len(FEATURE_NAMES)
    return Finding(
        "feature memory",
        Part.LOOKAHEAD,
        Verdict.SKIP if not streams else Verdict.WARN if share > settings.endless_features_max else Verdict.PASS,
        longest,
        "s to agree",
        f"all but {settings.endless_features_max:.0%} of features agree to {settings.feature_tolerance:g} at last",
        reason,
        table=Table(head, tuple(rows)),
    )


def _seconds_until_same(universe: Universe, events: Array, late: _Late, tolerance: float) -> Array:
    """Return of each feature the seconds until it last differs; infinite where it does in the last tenth."""
    whole, part = FeatureStream(universe), FeatureStream(universe)
    for at in range(0, late.start, _BATCH):
        whole.run(events[at : min(at + _BATCH, late.start)])
    part.run(late.events[: late.snapshots])
    last = np.full(len(FEATURE_NAMES), -1)
    for at in range(late.start, len(events), _BATCH):
        batch = events[at : at + _BATCH]
        positions, ours = whole.run(batch)
        _, theirs = part.run(batch)
        scale = np.maximum(np.abs(ours), np.abs(theirs))
        unlike = (np.abs(ours - theirs) > tolerance * scale) | (np.isnan(ours) != np.isnan(theirs))
        columns = np.flatnonzero(unlike.any(axis=0))
        rows = len(unlike) - 1 - unlike[::-1, columns].argmax(axis=0)
        last[columns] = at + positions[rows]
    times = events["ts_event"]
    seconds = np.where(last >= 0, (times[np.maximum(last, 0)] - times[late.start]) / 1e9, 0.0)
    end = late.start + 0.9 * (len(events) - late.start)
    return np.where(last >= end, np.inf, seconds)
