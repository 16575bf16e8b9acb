"""What does the coordinator cost at an event without an intent, and what does an intent cost?

``idle`` is ``Coordinator.run`` over the whole stream without intents, less ``apply_events`` on the same stream: time,
venue and risk, without the book. ``intent`` is one decision that is approved and sent, of every engine in each of 300
instruments: sizing, reservation, all gates, order. One thread; figures are its processor time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import EventStream, streams
from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.coordinator import Coordinator
from chimera_platform.execution.records import INTENT_DTYPE, Engine, OrderType
from chimera_platform.market.book import apply_events, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments

IDLE_GOAL_NS = 30.0
INTENT_GOAL_NS = 1_000.0
_BATCH = 65_536
_INSTRUMENTS = 300
_NO_INTENTS = np.zeros(0, INTENT_DTYPE)
_START = 1_700_000_000_000_000_000  # a Tuesday afternoon in New York


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events):
        yield _idle(stream, scale)
    yield _intent(scale)


def _run(coordinator: Coordinator, events: Any, intents: Any = _NO_INTENTS) -> None:
    for first in range(0, len(events), _BATCH):
        coordinator.run(events[first : first + _BATCH], first, intents)


def _idle(stream: EventStream, scale: Scale) -> Figure:
    count, universe = len(stream.events), stream.universe
    whole = timed(
        lambda: Coordinator(universe, Configuration()), lambda it: _run(it, stream.events), scale.repeats
    ).cpu_ns_per(count)
    book = timed(
        lambda: new_books(len(universe)), lambda books: apply_events(books, stream.events), scale.repeats
    ).cpu_ns_per(count)
    detail = {"events": count, "with_book_ns": whole, "book_ns": book}
    return Figure(f"coordinator.idle.{stream.name}", whole - book, "ns/event", IDLE_GOAL_NS, detail)


def _quotes(first_event: int) -> Any:
    events = np.zeros(_INSTRUMENTS, EVENT_DTYPE)
    events["ts_event"] = _START + (first_event + np.arange(_INSTRUMENTS)) * 1_000
    events["ts_recv"] = events["ts_event"]
    events["seq"] = first_event + np.arange(_INSTRUMENTS)
    events["instrument_id"] = np.arange(_INSTRUMENTS)
    events["kind"], events["flags"] = EventKind.QUOTE, EventFlag.LAST
    events["price"], events["ask_price"] = 200_000, 200_001
    events["size"] = events["ask_size"] = 1_000
    return events


def _intents() -> Any:
    engines = [engine for engine in Engine if engine is not Engine.HEDGE]
    rows = np.zeros(_INSTRUMENTS * len(engines), INTENT_DTYPE)
    rows["instrument_id"] = np.repeat(np.arange(_INSTRUMENTS), len(engines))
    rows["event_no"] = _INSTRUMENTS + rows["instrument_id"]
    rows["engine"] = np.tile([int(engine) for engine in engines], _INSTRUMENTS)
    rows["order_type"], rows["side"], rows["size"] = OrderType.MARKET, 1, 1
    rows["stop_distance"] = rows["target_distance"] = 50
    rows["max_hold_ns"] = 60_000_000_000
    rows["confidence"] = 1.0
    rows["model_score"] = rows["model_threshold"] = rows["predicted_move"] = np.nan
    return rows


def _intent(scale: Scale) -> Figure:
    gold = load_instruments()["XAUUSD"]
    universe = Universe([gold.model_copy(update={"symbol": f"X{k}"}) for k in range(_INSTRUMENTS)])
    loose = {"risk": {"max_orders": 4_096, "max_positions": 4_096}, "allocator": {"max_leverage": 100.0}}
    configuration = with_parameters(Configuration(), loose)
    first, second, intents = _quotes(0), _quotes(_INSTRUMENTS), _intents()

    def prepared() -> Coordinator:
        coordinator = Coordinator(universe, configuration)
        coordinator.run(first, 0, _NO_INTENTS)
        return coordinator

    without = timed(prepared, lambda it: it.run(second, _INSTRUMENTS, _NO_INTENTS), scale.repeats)
    with_all = timed(prepared, lambda it: it.run(second, _INSTRUMENTS, intents), scale.repeats)
    approved = int(prepared().run(second, _INSTRUMENTS, intents).decisions["approved"].sum())
    ns = with_all.cpu_ns_per(len(intents)) - without.cpu_ns_per(len(intents))
    detail = {"intents": len(intents), "approved": approved}
    return Figure("coordinator.intent", ns, "ns/intent", INTENT_GOAL_NS, detail)
