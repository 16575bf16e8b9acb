"""Random event streams for property tests: every kind, flag and oddity, on few prices so that they collide."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode

SECOND = 1_000_000_000
STEPS_NS = (0, 0, 1, 250_000_000, SECOND, 3 * SECOND, 10 * SECOND, 75 * SECOND, 500 * SECOND, -5)
Record = dict[str, int]

sides = st.sampled_from((1, -1))
sizes = st.integers(1, 6)
odd_sizes = st.integers(0, 3)


@st.composite
def order_records(draw: st.DrawFn) -> Record:
    kinds = (EventKind.ADD, EventKind.ADD, EventKind.ADD, EventKind.CANCEL, EventKind.DELETE, EventKind.EXECUTE)
    kind, side = draw(st.sampled_from(kinds)), draw(st.sampled_from((1, 1, 1, -1, -1, -1, 0)))
    hidden = kind is EventKind.EXECUTE and draw(st.booleans())
    price = 100 - side * draw(st.integers(-1, 7))
    size = draw(sizes if draw(st.integers(0, 9)) else odd_sizes)
    return {"kind": kind, "side": side, "price": price, "size": size, "flags": EventFlag.HIDDEN if hidden else 0}


@st.composite
def level_records(draw: st.DrawFn) -> Record:
    side = draw(sides)
    flags = draw(st.sampled_from((0, 0, 0, EventFlag.WINDOW)))
    price, size = 100 - side * draw(st.integers(-1, 7)), draw(st.integers(0, 6))
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": size, "flags": flags}


@st.composite
def quote_records(draw: st.DrawFn) -> Record:
    bid, spread = draw(st.integers(97, 100)), draw(st.integers(-1, 3))
    size, ask_size = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    return {"kind": EventKind.QUOTE, "price": bid, "size": size, "ask_price": bid + spread, "ask_size": ask_size}


trade_records = st.builds(
    lambda side, price, size: {"kind": EventKind.TRADE, "side": side, "price": price, "size": size},
    st.sampled_from((1, -1, 0)),
    st.integers(96, 104),
    sizes,
)
status_records = st.builds(lambda code: {"kind": EventKind.STATUS, "price": code}, st.sampled_from(list(StatusCode)))
lone_clears = st.just([{"kind": EventKind.CLEAR}])
modifications = st.just([{"kind": EventKind.MODIFY, "side": 1, "price": 99, "size": 1}])


@st.composite
def snapshots(draw: st.DrawFn) -> list[Record]:
    levels = draw(st.lists(level_records(), min_size=0, max_size=6))
    return [{"kind": EventKind.CLEAR}] + [{**level, "flags": EventFlag.SNAPSHOT} for level in levels]


book_changes = st.lists(st.one_of(order_records(), order_records(), level_records()), min_size=1, max_size=4)
source_events = st.one_of(
    book_changes,
    book_changes,
    book_changes,
    st.lists(trade_records, min_size=1, max_size=2),
    st.tuples(quote_records()).map(list),
    snapshots(),
    st.tuples(status_records).map(list),
    lone_clears,
    modifications,
)


@st.composite
def event_streams(draw: st.DrawFn, events_max: int = 60, instruments: int = 1, start_ns: int = 0) -> Any:
    """Draw an array of ``EVENT_DTYPE``; the records of one source event share time, seq and instrument."""
    ts = start_ns + draw(st.integers(0, 2 * SECOND))
    rows: list[Record] = []
    for seq, records in enumerate(draw(st.lists(source_events, min_size=1, max_size=events_max))):
        ts += draw(st.sampled_from(STEPS_NS))
        instrument_id = draw(st.integers(0, instruments - 1))
        head = {"ts_event": max(ts, 0), "seq": seq, "instrument_id": instrument_id}
        rows += [{**head, **record} for record in records]
        rows[-1]["flags"] = rows[-1].get("flags", 0) | EventFlag.LAST
    events = np.zeros(len(rows), EVENT_DTYPE)
    for i, row in enumerate(rows):
        for name, value in row.items():
            events[i][name] = int(value)
    return events


def make_events(*rows: Record) -> np.ndarray[Any, Any]:
    """Return an array of ``EVENT_DTYPE`` from dictionaries; ``flags`` defaults to LAST."""
    events = np.zeros(len(rows), EVENT_DTYPE)
    for i, row in enumerate(rows):
        for name, value in {"flags": EventFlag.LAST, **row}.items():
            events[i][name] = int(value)
    return events
