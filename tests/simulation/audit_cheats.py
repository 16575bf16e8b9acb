"""Decision paths, features and labels that cheat, each in its own way: what an audit has to find."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chimera_platform.execution.records import INTENT_DTYPE
from chimera_platform.market.events import EventFlag
from chimera_platform.simulation.audit.decision_maker import Decisions, PlatformDecisions
from chimera_platform.simulation.audit.mids import Mids
from chimera_platform.simulation.audit.moments import SourceEvents
from chimera_platform.simulation.audit.oracle import Oracle

Array = np.ndarray[Any, Any]


class NextMid(Oracle):
    """Takes only those intents that the next event's mid moves towards."""

    def __init__(self, maker: PlatformDecisions) -> None:
        super().__init__(maker, by_events=1)


class Cheat:
    """An honest path whose ``intents`` are changed by a subclass."""

    def __init__(self, maker: PlatformDecisions) -> None:
        self.maker, self.universe = maker, maker.universe

    def intents(self, events: Array) -> Array:
        return self.maker.intents(events)

    def execute(self, events: Array, intents: Array) -> Decisions:
        return self.maker.execute(events, intents)

    def run(self, events: Array, ends: Sequence[int] = ()) -> Decisions:
        return self.execute(events, self.intents(events))


class WholeSample(Cheat):
    """Takes intents whose confidence is above the mean over the whole stream: normalised with all data."""

    def intents(self, events: Array) -> Array:
        intents = self.maker.intents(events)
        return intents[intents["confidence"] > intents["confidence"].mean()] if len(intents) else intents


class DaysRange(Cheat):
    """Sells only above the middle of the whole stream's range of prices, buys only below."""

    def intents(self, events: Array) -> Array:
        intents = self.maker.intents(events)
        quotes = Mids(self.universe, events).quotes
        kept = np.zeros(len(intents), np.bool_)
        for k in range(len(self.universe)):
            bids = quotes["bid_price"][(quotes["instrument_id"] == k) & (quotes["bid_price"] > 0)]
            middle = (int(bids.max()) + int(bids.min())) // 2 if len(bids) else 0
            wanted = (intents["bid_price"] > middle) == (intents["side"] < 0)
            kept |= wanted & (intents["instrument_id"] == k)
        return intents[kept]


class NextPause(Cheat):
    """Trades when the next source event is far away in time; prices are never looked at."""

    def intents(self, events: Array) -> Array:
        intents = self.maker.intents(events)
        later = SourceEvents(self.universe, events).ahead(intents, 1)
        pause = events["ts_event"][later] - intents["ts_event"]
        return intents[pause > 100_000_000]


class BestOfTheNextFills(Cheat):
    """Decides honestly, but is filled at the best mid of the next hundred events."""

    def execute(self, events: Array, intents: Array) -> Decisions:
        decided = self.maker.execute(events, intents)
        fills = decided.fills.copy()
        mids = Mids(self.universe, events)
        ids = fills["instrument_id"]
        ahead = [mids.after_event(ids, np.minimum(fills["event_no"] + k, len(events) - 1)) for k in range(100)]
        best = np.nanmin(fills["side"] * np.array(ahead), axis=0) * fills["side"]
        fills["price"] = np.rint(best).astype(np.int64)
        return decided._replace(fills=fills)


class BatchPeeker(Cheat):
    """Trades only if the last price of its batch agrees: what a vectorised step over a batch gets wrong."""

    def run(self, events: Array, ends: Sequence[int] = ()) -> Decisions:
        kept = []
        intents = self.maker.intents(events)
        mids = Mids(self.universe, events)
        for start, end in itertools.pairwise([0, *ends, len(events)]):
            own = intents[(intents["event_no"] >= start) & (intents["event_no"] < end)]
            last = mids.after_event(own["instrument_id"], np.full(len(own), end - 1))
            now = mids.after_event(own["instrument_id"], own["event_no"])
            kept.append(own[own["side"] * (last - now) > 0])
        return self.execute(events, np.concatenate(kept))


class LeftOver(Cheat):
    """Keeps state from one run to the next."""

    def __init__(self, maker: PlatformDecisions) -> None:
        super().__init__(maker)
        self._runs = itertools.count()

    def intents(self, events: Array) -> Array:
        intents = self.maker.intents(events)
        return intents[next(self._runs) % 2 :]


class Forgetful(Cheat):
    """Starts afresh with every batch: causal, but the cut into batches decides."""

    def run(self, events: Array, ends: Sequence[int] = ()) -> Decisions:
        bounds = [0, *(end for end in ends if end < len(events)), len(events)]
        parts = []
        for start, end in itertools.pairwise(bounds):
            intents = self.maker.intents(events[start:end])
            intents["event_no"] += start
            parts.append(intents)
        return self.execute(events, np.concatenate(parts))


class EverySecond(Cheat):
    """No cheat: takes every second intent since the stream began, so it never forgets where that was."""

    def intents(self, events: Array) -> Array:
        return self.maker.intents(events)[::2]


class Memoryless(Cheat):
    """No cheat: buys at every source event whose time says so, whatever came before."""

    def intents(self, events: Array) -> Array:
        last = (events["flags"] & EventFlag.LAST != 0) & (events["flags"] & EventFlag.SNAPSHOT == 0)
        chosen = np.flatnonzero(last & (events["ts_event"] % 50 == 0))
        intents = np.zeros(len(chosen), INTENT_DTYPE)
        intents["event_no"], intents["side"] = chosen, 1
        for name in ("ts_event", "seq", "instrument_id"):
            intents[name] = events[name][chosen]
        for name in ("order_type", "size", "stop_distance", "target_distance", "max_hold_ns"):
            intents[name] = 1
        return intents


def centred(make: Any) -> Any:
    """Return a feature maker that smooths each feature over the row before, its own and the next one."""

    def cheat(events: Array) -> tuple[Array, Array]:
        at, values = make(events)
        padded = np.concatenate([values[:1], values, values[-1:]])
        return at, (padded[:-2] + padded[1:-1] + padded[2:]) / 3.0

    return cheat


def standardised(make: Any) -> Any:
    """Return a feature maker that standardises with the mean and deviation of the whole stream."""

    def cheat(events: Array) -> tuple[Array, Array]:
        at, values = make(events)
        known = np.nan_to_num(values)
        return at, (values - known.mean(axis=0)) / (known.std(axis=0) + 1e-12)

    return cheat


def beyond_horizon(make: Any) -> Any:
    """Return a label maker that takes the profit at the mid of a minute after the horizon it states."""

    def cheat(intents: Array, quotes: Array, end_ns: int) -> Array:
        labels = make(intents, quotes, end_ns)
        at = np.searchsorted(quotes["ts_event"], labels["horizon_end_ts"] + 60_000_000_000) - 1
        labels["exit_price"] = quotes["bid_price"][np.clip(at, 0, len(quotes) - 1)] if len(quotes) else 0
        return labels

    return cheat
