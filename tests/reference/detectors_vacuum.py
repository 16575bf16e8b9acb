"""Vacuum by its definition: plain Python over the stream, lists of all that was seen, sums written out."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np

from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.signals.vacuum import KNOWN_LEVELS, SCAN_LEVELS, VacuumSettings

MS = 1_000_000
EDGES = list(range(8)) + [(4 + part) << (octave - 2) for octave in range(3, 63) for part in range(4)]


class History:
    """Counts by bucket of a quarter octave, halved when they are many."""

    def __init__(self, most: int) -> None:
        self.most, self.counts = most, dict.fromkeys(range(len(EDGES)), 0)

    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, value: int) -> None:
        if self.total() >= self.most:
            self.counts = {bucket: count // 2 for bucket, count in self.counts.items()}
        self.counts[bisect_right(EDGES, value) - 1] += 1

    def quantile(self, share: float) -> int:
        values = [bucket for bucket, count in self.counts.items() for _ in range(count)]
        for seen, bucket in enumerate(values, 1):
            if seen > share * len(values):
                upper = EDGES[bucket + 1] if bucket + 1 < len(EDGES) else 1 << 63
                return (EDGES[bucket] + upper) // 2
        return 0


class Half:
    """Half of a window: what was withdrawn near the touch, added (negative) and traded, by side."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.changes: list[tuple[int, int, int]] = []  # side, ticks, lots
        self.trades: list[tuple[int, int]] = []  # side, lots


class Reference:
    """Sides are +1 for bids and -1 for asks."""

    def __init__(self, chosen: VacuumSettings, book: Any) -> None:
        self.chosen, self.book = chosen, book
        self.distances = History(chosen.memory_samples)
        self.depths = {side: History(chosen.memory_samples) for side in (1, -1)}
        self.reach, self.median, self.low = 0, {1: 0, -1: 0}, {1: 0, -1: 0}
        self.limit = {1: 0, -1: 0}
        self.halves: list[Half] = []
        self.known: dict[tuple[int, int], list[int]] = {}  # side and place → price, size, printed
        self.next_look = {1: 0, -1: 0}
        self.is_urgent, self.look_ts = False, 0
        self.records, self.samples, self.sample_ts = 0, 0, 0
        self.open: dict[int, dict[str, Any]] = {}
        self.numbers = 0
        self.rows: list[np.ndarray[Any, Any]] = []

    def levels(self, side: int) -> list[tuple[int, int]]:
        name = "bid" if side > 0 else "ask"
        count = int(self.book[f"{name}_count"])
        prices, sizes = self.book[f"{name}_price"][:count], self.book[f"{name}_size"][:count]
        return [(int(p), int(s)) for p, s in zip(prices[::-1], sizes[::-1], strict=True)]

    # ---- the window ----

    def half_ns(self) -> int:
        return self.chosen.window_ms * (MS // 2)

    def window(self) -> list[Half]:
        """Return the current half and the one before, where that ended less than a half ago."""
        if len(self.halves) > 1 and self.halves[-1].start < self.halves[-2].start + 2 * self.half_ns():
            return self.halves[-2:]
        return self.halves[-1:]

    def turn(self, ts: int) -> None:
        if not self.halves or ts >= self.halves[-1].start + self.half_ns():
            self.halves.append(Half(ts))
            for side in (1, -1):
                self.next_look[side] = self.look_lots(side)

    def look_lots(self, side: int) -> int:
        return int(0.1 * self.median[side]) + 1 if self.reach else 0

    def withdrawn(self, side: int) -> int:
        return sum(lots for half in self.window() for at, _, lots in half.changes if at == side)

    def traded(self, side: int) -> int:
        return sum(lots for half in self.window() for at, lots in half.trades if at == side)

    def change(self, ts: int, side: int, price: int, lots: int) -> None:
        self.turn(ts)
        self.halves[-1].changes.append((side, price, lots))
        withdrawn = sum(own for at, _, own in self.halves[-1].changes if at == side)
        if lots > 0 and withdrawn >= self.next_look[side]:
            self.next_look[side] = withdrawn + self.look_lots(side)
            self.is_urgent = True

    # ---- records ----

    def is_near(self, side: int, price: int) -> bool:
        return side * price >= side * self.limit[side]

    def take(self, event: Any) -> None:
        kind, side, price, size = (int(event[name]) for name in ("kind", "side", "price", "size"))
        ts, flags = int(event["ts_event"]), int(event["flags"])
        if kind in (EventKind.EXECUTE, EventKind.TRADE):
            resting = side if kind == EventKind.EXECUTE else -side
            if resting == 0 or size <= 0 or flags & EventFlag.HIDDEN:
                return
            self.turn(ts)
            self.halves[-1].trades.append((resting, size))
            level = self.known.get((resting, price % KNOWN_LEVELS))
            if kind == EventKind.TRADE and level is not None and level[0] == price:
                level[2] += size
        elif side == 0 or self.reach == 0:
            return
        elif kind == EventKind.LEVEL:
            place = (side, price % KNOWN_LEVELS)
            level = self.known.get(place)
            if level is not None and level[0] != price:
                level = None
            if not self.is_near(side, price):
                if level is not None:
                    del self.known[place]
                return
            if level is not None and not flags & (EventFlag.SNAPSHOT | EventFlag.WINDOW):
                self.change(ts, side, price, level[1] - level[2] - size)
            self.known[place] = [price, size, 0]
        elif kind < EventKind.EXECUTE and self.is_near(side, price) and size > 0:
            self.change(ts, side, price, -size if kind == EventKind.ADD else size)

    # ---- looks ----

    def say(self, no: int, ts: int, side: int, stage: Stage, depth: int, levels: int) -> None:
        own = self.open[side]
        own["stage"] = stage
        left = depth / self.median[side] if self.median[side] else 0.0
        row = np.zeros(1, DETECTION_DTYPE)
        row["detection_no"], row["event_no"], row["ts_event"] = own["number"], no, ts
        row["ts_start"], row["size"] = own["start"], own["withdrawn"]
        row["price_low"], row["price_high"] = min(own["near"], own["far"]), max(own["near"], own["far"])
        row["strength"] = own["share"] * max(0.0, 1.0 - left)
        row["evidence"] = left, own["share"], levels, (ts - own["start"]) / MS
        row["detector"], row["stage"], row["side"] = Detector.VACUUM, stage, -side
        self.rows.append(row)

    def announce(self, no: int, ts: int, side: int, touch: int, depth: int, levels: int) -> None:
        chosen = self.chosen
        self.turn(ts)
        withdrawn, traded = self.withdrawn(side), self.traded(side)
        before = depth + withdrawn + traded
        if withdrawn <= 0 or withdrawn < chosen.least_share * self.median[side]:
            return
        if withdrawn < chosen.loss_share * before or withdrawn < chosen.withdrawn_share * (withdrawn + traded):
            return
        taken = [side * p for half in self.window() for at, p, lots in half.changes if at == side and lots > 0]
        self.open[side] = {
            "number": self.numbers,
            "start": self.window()[0].start,
            "before": before,
            "said": ts,
            "touch": touch,
            "near": side * max([side * touch, *taken]),
            "far": touch - side * self.reach,
            "withdrawn": withdrawn,
            "share": withdrawn / (withdrawn + traded),
        }
        self.numbers += 1
        self.look_ts = ts + chosen.hold_ms * MS
        self.say(no, ts, side, Stage.FORMING, depth, levels)

    def judge(self, no: int, ts: int, side: int, touch: int, depth: int, levels: int) -> None:
        chosen, own = self.chosen, self.open.get(side)
        is_thin = depth <= chosen.thin_share * self.median[side] and depth < self.low[side]
        if own is None:
            if is_thin:
                self.announce(no, ts, side, touch, depth, levels)
        elif 2 * (own["touch"] - touch) * side > abs(own["far"] - own["touch"]):
            if own["stage"] == Stage.FORMING:
                self.say(no, ts, side, Stage.CONFIRMED, depth, levels)
            del self.open[side]
        elif depth >= chosen.refill_share * own["before"]:
            self.say(no, ts, side, Stage.FAILED, depth, levels)
            del self.open[side]
        elif own["stage"] == Stage.FORMING and is_thin and ts - own["said"] >= chosen.hold_ms * MS:
            self.say(no, ts, side, Stage.CONFIRMED, depth, levels)
        elif ts - own["said"] > chosen.follow_ms * MS:
            del self.open[side]

    def look(self, no: int, ts: int) -> None:
        self.records, self.is_urgent, self.sample_ts = 0, False, ts
        if ts >= self.look_ts:
            self.look_ts = 0
        for side in (1, -1):
            levels = self.levels(side)
            if len(levels) >= self.chosen.levels:
                self.distances.add(abs(levels[self.chosen.levels - 1][0] - levels[0][0]))
        self.samples += 1
        if self.samples >= self.chosen.refresh_samples:
            self.samples, self.reach = 0, int(self.chosen.reach * self.distances.quantile(0.5))
            for side in (1, -1):
                self.median[side] = self.depths[side].quantile(0.5)
                self.low[side] = self.depths[side].quantile(self.chosen.low_quantile)
        if self.reach == 0:
            return
        for side in (1, -1):
            levels = self.levels(side)[:SCAN_LEVELS]
            touch = levels[0][0]
            self.limit[side] = touch - side * self.reach
        for side in (1, -1):
            near = [(p, s) for p, s in self.levels(side)[:SCAN_LEVELS] if self.is_near(side, p)]
            depth = sum(size for _, size in near)
            self.depths[side].add(depth)
            if self.depths[side].total() >= self.chosen.warm_samples and self.median[side] > 0:
                self.judge(no, ts, side, near[0][0], depth, len(near))

    def break_off(self, no: int, ts: int) -> None:
        for side in (1, -1):
            if side in self.open and self.open[side]["stage"] == Stage.FORMING:
                self.say(no, ts, side, Stage.FAILED, 0, 0)
        self.open, self.halves, self.known = {}, [], {}

    def record(self, no: int, event: Any) -> None:
        ts, book = int(event["ts_event"]), self.book
        self.records += 1
        self.take(event)
        if event["kind"] in (EventKind.CLEAR, EventKind.STATUS, EventKind.MODIFY):
            self.break_off(no, ts)
        if not event["flags"] & EventFlag.LAST:
            return
        is_due = self.records >= self.chosen.sample_records or (self.look_ts != 0 and ts >= self.look_ts)
        if not self.is_urgent and not (is_due and ts - self.sample_ts >= self.chosen.sample_ms * MS):
            return
        if book["gap"] or book["rebuild"] or book["halted"] or book["closed"]:
            return
        bids, asks = self.levels(1), self.levels(-1)
        if bids and asks and bids[0][0] < asks[0][0]:
            self.look(no, ts)


def vacuums(events: np.ndarray[Any, Any], chosen: VacuumSettings) -> np.ndarray[Any, Any]:
    """Return what is to be said of one instrument's events, ``DETECTION_DTYPE``."""
    book = new_books(1)[0]
    reference = Reference(chosen, book)
    for no, event in enumerate(events):
        apply_event(book, event)
        reference.record(no, event)
    return np.concatenate([np.zeros(0, DETECTION_DTYPE), *reference.rows])
