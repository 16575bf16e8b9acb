"""What does the coordinator cost at an event without an intent, and what does an intent cost?

``idle`` is ``Coordinator.run`` over the whole stream without intents, less ``apply_events`` on the same stream: time,
venue and risk, without the book. ``intent`` is one decision that is approved and sent, of every engine in each of 3, 30
and 300 instruments that are all held at once: inputs, sizing, reservation, gates, portfolio risk (which grows with the
instruments held) and order, in a warm cache. One thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import NS, Figure, Scale, timed
from benchmarks.streams import EventStream, streams
from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.coordination.loop import ROWS_PER_EVENT, run_events
from chimera_platform.coordination.state import new_rows
from chimera_platform.coordinator import Coordinator
from chimera_platform.execution.records import INTENT_DTYPE, SIGNAL_ENGINES, OrderType
from chimera_platform.market.book import apply_events, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments

IDLE_GOAL_NS = 30.0
INTENT_GOAL_NS = 1_000.0
_BATCH = 65_536
_NO_INTENTS = np.zeros(0, INTENT_DTYPE)
_START = 1_700_000_000_000_000_000  # a Tuesday afternoon in New York


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events):
        yield _idle(stream, scale)
    yield _intent(scale, 3, INTENT_GOAL_NS)
    yield _intent(scale, 30, INTENT_GOAL_NS)
    yield _intent(scale, 300, None)


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


def _quotes(instruments: int, first_event: int) -> Any:
    events = np.zeros(instruments, EVENT_DTYPE)
    events["ts_event"] = _START + (first_event + np.arange(instruments)) * 1_000
    events["ts_recv"] = events["ts_event"]
    events["seq"] = first_event + np.arange(instruments)
    events["instrument_id"] = np.arange(instruments)
    events["kind"], events["flags"] = EventKind.QUOTE, EventFlag.LAST
    events["price"], events["ask_price"] = 200_000, 200_001
    events["size"] = events["ask_size"] = 1_000
    return events


def _intents(instruments: int) -> Any:
    rows = np.zeros(instruments * len(SIGNAL_ENGINES), INTENT_DTYPE)
    rows["instrument_id"] = np.repeat(np.arange(instruments), len(SIGNAL_ENGINES))
    rows["event_no"] = instruments + rows["instrument_id"]
    rows["engine"] = np.tile([int(engine) for engine in SIGNAL_ENGINES], instruments)
    rows["order_type"], rows["side"], rows["size"] = OrderType.MARKET, 1, 1
    rows["stop_distance"] = rows["target_distance"] = 50
    rows["max_hold_ns"] = 60_000_000_000
    rows["confidence"] = 1.0
    rows["model_score"] = rows["model_threshold"] = rows["predicted_move"] = np.nan
    return rows


def _intent(scale: Scale, instruments: int, goal: float | None) -> Figure:
    gold = load_instruments()["XAUUSD"]
    universe = Universe([gold.model_copy(update={"symbol": f"X{k}"}) for k in range(instruments)])
    loose: dict[str, dict[str, float]] = {
        "risk": {"max_orders": 4_096, "max_positions": 4_096},
        "allocator": {"max_leverage": 100.0},
    }
    configuration = with_parameters(Configuration(), loose)
    coordinator = Coordinator(universe, configuration)
    coordinator.run(_quotes(instruments, 0), 0, _NO_INTENTS)
    second, intents = _quotes(instruments, instruments), _intents(instruments)
    coordinator.run(second[:1].copy(), instruments, _NO_INTENTS)  # makes the buffers, whose rows are not read here
    rows = new_rows(2 * (ROWS_PER_EVENT + len(intents)))
    before = coordinator.snapshot()

    def cost(wanted: Any) -> float:
        """Return the median time of the second quotes with ``wanted``, s, in a cache that has just seen the same."""
        seconds = []
        for _ in range(20 * scale.repeats):
            coordinator.restore(before)
            began = time.perf_counter()
            run_events(
                *coordinator.state, *coordinator.estimates, *coordinator.parameters, *rows, second, instruments, wanted,
                0, 0,
            )  # fmt: skip
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)

    ns = (cost(intents.copy()) - cost(_NO_INTENTS)) * NS / len(intents)
    approved = int(rows.decisions["approved"][: len(intents)].sum())
    detail = {"intents": len(intents), "approved": approved}
    return Figure(f"coordinator.intent.{instruments}", ns, "ns/intent", goal, detail)
