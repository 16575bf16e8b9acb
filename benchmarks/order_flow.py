"""What does one event cost with all that looks at one instrument, and how much memory does it take?

Book, all features, all detectors, session profile, timeframes and regime, the six order-flow strategies and both other
engines, under the default configuration: ``SymbolEngines.run`` in batches of 4,096 events of one instrument. Splitting
a stream by instrument is not counted. One thread; the figure is its processor time. Memory is what the instrument's
state holds, the same however busy the market.

*Many symbols* is the whole decision path, coordinator and splitting included, over the simulator's XAUUSD on as many
instruments at once, each some milliseconds after the one before, in large batches and in those of the live flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.backtest import decide
from benchmarks.figures import Figure, Scale, timed
from benchmarks.streams import EventStream, simulator, streams
from chimera_platform.configuration import Configuration
from chimera_platform.decision_path import DecisionPath
from chimera_platform.engines.step import SymbolEngines
from chimera_platform.market.instruments import Universe

BATCH = 4096
SYMBOLS, EVENTS_A_SYMBOL, SHIFT_NS = 300, 3_000, 37_000_000
GOAL_NS = 200.0
GOAL_BYTES = 2e6

_Part = tuple[SymbolEngines, list[np.ndarray[Any, Any]]]


def measure(scale: Scale) -> Iterator[Figure]:
    for stream in streams(scale.events):
        yield _per_event(stream, scale)
    for batch_size in (65_536, 1_024):
        yield _many_symbols(simulator(scale.events), scale, batch_size)
    one = SymbolEngines(stream.universe, 0, Configuration())
    yield Figure("order_flow.memory_per_symbol", float(one.nbytes), "bytes", GOAL_BYTES, {})


def instrument_parts(stream: EventStream) -> list[_Part]:
    """Return fresh engines of each instrument and its events in batches."""
    parts = []
    for k in range(len(stream.universe)):
        own = stream.events[stream.events["instrument_id"] == k]
        batches = [own[first : first + BATCH] for first in range(0, len(own), BATCH)]
        parts.append((SymbolEngines(stream.universe, k, Configuration()), batches))
    return parts


def run_parts(parts: list[_Part]) -> int:
    """Run the engines over their batches; return how many intents they wrote."""
    intents = 0
    for engines, batches in parts:
        first = 0
        for events in batches:
            intents += len(engines.run(events, first))
            first += len(events)
    return intents


def many_symbols(stream: EventStream, symbols: int, events_a_symbol: int) -> EventStream:
    """Return the first instrument's events on ``symbols`` instruments at once, in order of time."""
    own = stream.events[stream.events["instrument_id"] == 0][:events_a_symbol]
    copies = np.concatenate([own] * symbols)
    which = np.repeat(np.arange(symbols), len(own))
    copies["instrument_id"] = which
    copies["ts_event"] += which * SHIFT_NS
    copies["ts_recv"] += which * SHIFT_NS
    universe = Universe([stream.universe[0].model_copy(update={"symbol": f"S{k:03d}"}) for k in range(symbols)])
    return EventStream("many_symbols", universe, copies[np.argsort(copies["ts_event"], kind="stable")])


def _many_symbols(stream: EventStream, scale: Scale, batch_size: int) -> Figure:
    many = many_symbols(stream, SYMBOLS, min(EVENTS_A_SYMBOL, scale.events // 100))
    rows: list[int] = []
    timing = timed(
        lambda: DecisionPath(many.universe, Configuration()),
        lambda path: rows.append(decide(path, many, batch_size).total()),
        min(scale.repeats, 3),
    )
    count = len(many.events)
    detail = {"symbols": SYMBOLS, "events": count, "rows": rows[-1], **timing.spread(count)}
    return Figure(f"order_flow.many_symbols.batch_{batch_size}", timing.cpu_ns_per(count), "ns/event", None, detail)


def _per_event(stream: EventStream, scale: Scale) -> Figure:
    count = len(stream.events)
    intents: list[int] = []
    timing = timed(lambda: instrument_parts(stream), lambda parts: intents.append(run_parts(parts)), scale.repeats)
    ns = timing.cpu_ns_per(count)
    detail = {"events": count, "intents": intents[-1], "events_per_second": 1e9 / ns, **timing.spread(count)}
    return Figure(f"order_flow.engines.{stream.name}", ns, "ns/event", GOAL_NS, detail)
