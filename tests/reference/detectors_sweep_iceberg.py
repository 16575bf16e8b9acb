"""Sweeps and icebergs by their definitions, with plain lists and dictionaries; the kernels must say the same.

Only the bound of the iceberg table is left out: its streams must have few enough candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chimera_platform.market.book import BOOK_LEVELS
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.signals.iceberg_records import SEARCH_LEVELS
from chimera_platform.signals.icebergs import IcebergSettings
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.signals.sweep_returns import FOLLOWED_MAX
from chimera_platform.signals.sweeps import SweepSettings
from tests.reference.book import ReferenceBook

MS = 1_000_000
Row = dict[str, Any]


def touch_beyond(book: ReferenceBook, resting: int, price: int) -> bool:
    """Whether nothing rests on a side at ``price`` or nearer to the other side."""
    return all((level - price) * resting < 0 for level in book.sides[resting])


@dataclass
class Step:
    ts: int
    price: int
    depth: int
    shown: int
    lots: int = 0
    orders: int = 0


@dataclass
class Burst:
    side: int
    last_ts: int
    steps: list[Step] = field(default_factory=list)
    gone: bool = False
    fresh: bool = False
    stage: int = 0
    number: int = -1

    def figures(self) -> tuple[int, float, int]:
        """(levels, share of the depth, lots beyond the start)."""
        lots = sum(s.lots for s in self.steps)
        depth = self.steps[0].depth
        return len(self.steps) - 1 + self.gone, lots / depth if depth else 0.0, lots - self.steps[0].lots


class ReferenceSweeps:
    def __init__(self, settings: SweepSettings) -> None:
        self.settings = settings
        self.burst: Burst | None = None
        self.followed: list[Burst] = []
        self.count = 0

    def say(self, burst: Burst, stage: Stage, trapped: int = 0) -> Row:
        levels, share, beyond = burst.figures()
        ratio = max(levels / self.settings.levels, share / self.settings.depth_share)
        prices = [burst.steps[0].price, burst.steps[-1].price]
        burst.stage = int(stage)
        return {
            "detection_no": burst.number,
            "ts_start": burst.steps[0].ts,
            "price_low": min(prices),
            "price_high": max(prices),
            "size": sum(s.lots for s in burst.steps),
            "strength": ratio / (1 + ratio),
            "evidence": (levels, share, beyond, trapped),
            "detector": int(Detector.SWEEP),
            "stage": int(stage),
            "side": burst.side,
        }

    def end(self) -> list[Row]:
        burst, self.burst = self.burst, None
        if burst is None:
            return []
        if burst.stage == Stage.CONFIRMED:
            self.followed = [*self.followed, burst][-FOLLOWED_MAX:]
        return [self.say(burst, Stage.FAILED)] if burst.stage == Stage.FORMING else []

    def expire(self, ts: int) -> list[Row]:
        burst, window = self.burst, self.settings.window_ms * MS
        if burst is None:
            return []
        if ts - burst.last_ts > window:
            return self.end()
        rows: list[Row] = []
        if burst.stage != Stage.CONFIRMED:
            kept = list(burst.steps)
            while len(kept) > 1 and ts - kept[0].ts > window:
                kept.pop(0)
            if burst.stage == Stage.FORMING and len(kept) < min(self.settings.forming_levels, len(burst.steps)):
                rows = [self.say(burst, Stage.FAILED)]
                burst.stage = 0
            burst.steps = kept
        return rows

    def trade(self, book: ReferenceBook, event: Any, aggressor: int) -> list[Row]:
        ts, price, size = int(event["ts_event"]), int(event["price"]), int(event["size"])
        rows = self.expire(ts)
        burst = self.burst
        if burst is not None and (burst.side != aggressor or (price - burst.steps[0].price) * aggressor < 0):
            rows += self.end()
        if self.burst is None:
            self.burst = Burst(aggressor, ts)
        burst = self.burst
        if not burst.steps or (price - burst.steps[-1].price) * aggressor > 0:
            resting = [lots for _, lots in book.levels(-aggressor)]
            if event["kind"] == EventKind.EXECUTE:
                gone = touch_beyond(book, -aggressor, price)
                first = resting[: self.settings.depth_levels - gone]
                depth, shown = size + sum(first), len(first) + gone
            else:
                first = resting[: self.settings.depth_levels]
                depth, shown = sum(first), len(first)
            burst.steps.append(Step(ts, price, depth, shown))
            burst.gone = False
        burst.steps[-1].lots += size
        burst.last_ts, burst.fresh = ts, True
        return rows

    def judge(self, book: ReferenceBook) -> list[Row]:
        burst, settings = self.burst, self.settings
        if burst is None:
            return []
        if burst.steps[0].depth and touch_beyond(book, -burst.side, burst.steps[-1].price):
            burst.gone = True
        burst.steps[-1].orders += burst.fresh
        burst.fresh = False
        levels, share, _ = burst.figures()
        knows_depth = burst.steps[0].shown >= settings.depth_levels
        enough = levels >= settings.levels or (knows_depth and levels >= 2 and share >= settings.depth_share)
        first, last = burst.steps[0].price, burst.steps[-1].price
        enough &= sum(s.lots for s in burst.steps) >= settings.lots_min
        enough &= abs(last - first) >= settings.move_min * abs(first)
        confirmed = enough and sum(s.orders for s in burst.steps) >= settings.orders
        if burst.stage == Stage.CONFIRMED or not (
            confirmed or (levels >= settings.forming_levels and burst.stage == 0)
        ):
            return []
        if burst.stage == 0:
            burst.number, self.count = self.count, self.count + 1
        return [self.say(burst, Stage.CONFIRMED if confirmed else Stage.FORMING)]

    def returns(self, book: ReferenceBook, ts: int) -> list[Row]:
        rows, left = [], []
        for burst in self.followed:
            if ts - burst.last_ts > self.settings.return_ms * MS:
                continue
            if book.is_tradable() and not touch_beyond(book, -burst.side, burst.steps[0].price):
                rows.append(self.say(burst, Stage.FAILED, trapped=burst.figures()[2]))
            else:
                left.append(burst)
        self.followed = left
        return rows

    def update(self, book: ReferenceBook, event: Any) -> list[Row]:
        kind, flags = EventKind(int(event["kind"])), EventFlag(int(event["flags"]))
        if kind is EventKind.CLEAR or not book.is_trusted():
            rows = self.end()
            self.followed = []
            return rows
        rows = []
        aggressor = {EventKind.EXECUTE: -int(event["side"]), EventKind.TRADE: int(event["side"])}.get(kind, 0)
        hidden = kind is EventKind.EXECUTE and EventFlag.HIDDEN in flags
        if aggressor and event["size"] > 0 and not hidden:
            rows += self.trade(book, event, aggressor)
        if EventFlag.LAST in flags:
            ts = int(event["ts_event"])
            rows += self.expire(ts) + self.judge(book) + self.returns(book, ts)
        return rows


@dataclass
class Candidate:
    order_id: int
    side: int
    price: int
    start_ts: int
    trade_ts: int
    traded: int = 0
    since: int = 0
    shown: int = 0
    peak: int = 0
    refills: list[int] = field(default_factory=list)
    withdrawn: bool = False
    stage: int = 0
    number: int = -1

    def trade(self, event: Any) -> None:
        self.traded += int(event["size"])
        self.since += int(event["size"])
        self.trade_ts = int(event["ts_event"])

    def regularity(self) -> float:
        return float(sum(self.refills)) ** 2 / (len(self.refills) * float(sum(x * x for x in self.refills)))


class ReferenceIcebergs:
    def __init__(self, settings: IcebergSettings) -> None:
        self.settings = settings
        self.table: dict[Any, Candidate] = {}
        self.count = 0

    def soon(self, candidate: Candidate, event: Any) -> bool:
        return int(event["ts_event"]) - candidate.trade_ts <= self.settings.refill_ms * MS

    def is_full(self, lots: int, peak: int) -> bool:
        return lots >= self.settings.refill_share_min * peak

    def order(self, event: Any) -> None:
        key, kind = int(event["order_id"]), EventKind(int(event["kind"]))
        side, price, size, ts = (int(event[n]) for n in ("side", "price", "size", "ts_event"))
        known = self.table.get(key)
        same = known is not None and (known.side, known.price) == (side, price)
        if kind is EventKind.EXECUTE and size > 0 and side != 0:
            if not same:
                known = self.table[key] = Candidate(key, side, price, ts, ts)
            known.trade(event)
        elif known is None:
            return
        elif kind is EventKind.DELETE:
            known.withdrawn = True
            if known.stage == 0:
                del self.table[key]
        elif kind is EventKind.ADD:
            full = self.is_full(size, max(known.peak, known.since))
            if same and not known.withdrawn and self.soon(known, event) and known.since > 0 and size > 0 and full:
                known.peak = max(known.peak, known.since, size)
                known.refills.append(size)
                known.since, known.shown = 0, size
            else:
                del self.table[key]

    def print_(self, book: ReferenceBook, event: Any) -> None:
        side, price, ts = -int(event["side"]), int(event["price"]), int(event["ts_event"])
        if (side, price) not in self.table:
            shown = dict(book.levels(side)[:SEARCH_LEVELS]).get(price, 0)
            if shown == 0:
                return
            self.table[side, price] = Candidate(0, side, price, ts, ts, shown=shown, peak=shown)
        self.table[side, price].trade(event)

    def level(self, event: Any) -> None:
        key, size = (int(event["side"]), int(event["price"])), int(event["size"])
        known = self.table.get(key)
        if known is None:
            return
        exhausted = known.since > 0 and known.since >= known.shown
        if exhausted and size == 0:
            return
        if exhausted and self.soon(known, event) and self.is_full(size, known.peak):
            known.refills.append(size + known.since - known.shown)
        elif size == 0 and not known.refills:
            del self.table[key]
            return
        known.since, known.shown, known.peak = 0, size, max(known.peak, size)

    def stage_of(self, book: ReferenceBook, known: Candidate, ts: int) -> int:
        settings = self.settings
        late = ts - known.trade_ts > settings.refill_ms * MS
        if known.withdrawn or (late and touch_beyond(book, known.side, known.price)):
            return int(Stage.FAILED)
        needed = settings.native_refills if known.order_id else settings.synthetic_refills
        regular = known.order_id != 0 or known.regularity() >= settings.regularity
        if known.stage == Stage.CONFIRMED or (len(known.refills) >= needed and regular):
            return int(Stage.CONFIRMED)
        return int(Stage.FORMING) if len(known.refills) >= needed - 1 else known.stage

    def say(self, known: Candidate, stage: int) -> Row:
        if known.stage == 0:
            known.number, self.count = self.count, self.count + 1
        known.stage = stage
        n = len(known.refills)
        return {
            "detection_no": known.number,
            "ts_start": known.start_ts,
            "price_low": known.price,
            "price_high": known.price,
            "size": known.traded,
            "strength": known.regularity() * (n / (n + 1)),
            "evidence": (known.peak, n, sum(known.refills), known.regularity()),
            "detector": int(Detector.ICEBERG),
            "stage": stage,
            "side": known.side,
        }

    def judge(self, book: ReferenceBook, ts: int) -> list[Row]:
        rows = []
        for key, known in list(self.table.items()):
            if not known.refills:
                continue
            stage = self.stage_of(book, known, ts)
            if stage != known.stage and (stage != Stage.FAILED or known.stage != 0):
                rows.append(self.say(known, stage))
            if stage == Stage.FAILED or ts - known.trade_ts > self.settings.idle_ms * MS:
                del self.table[key]
        return rows

    def update(self, book: ReferenceBook, event: Any) -> list[Row]:
        kind, flags = EventKind(int(event["kind"])), EventFlag(int(event["flags"]))
        if kind is EventKind.CLEAR or not book.is_trusted():
            self.table = {}
            return []
        unseen = EventFlag.SNAPSHOT | EventFlag.WINDOW
        if kind <= EventKind.EXECUTE:
            if event["order_id"] != 0 and not flags & (unseen | EventFlag.HIDDEN):
                self.order(event)
        elif kind is EventKind.LEVEL and not flags & unseen:
            self.level(event)
        elif kind is EventKind.TRADE and event["side"] != 0 and event["size"] > 0:
            self.print_(book, event)
        return self.judge(book, int(event["ts_event"])) if EventFlag.LAST in flags else []


def detections(
    events: np.ndarray[Any, Any], instruments: int, sweeps: SweepSettings, icebergs: IcebergSettings
) -> np.ndarray[Any, Any]:
    """Return what is to be said about the events, ``DETECTION_DTYPE``."""
    books = [ReferenceBook(BOOK_LEVELS) for _ in range(instruments)]
    detectors = [(ReferenceSweeps(sweeps), ReferenceIcebergs(icebergs)) for _ in range(instruments)]
    rows: list[Row] = []
    for number, event in enumerate(events):
        k = int(event["instrument_id"])
        books[k].apply(event)
        for detector in detectors[k]:
            head = {"event_no": number, "ts_event": int(event["ts_event"]), "instrument_id": k}
            rows += [{**head, **row} for row in detector.update(books[k], event)]
    out = np.zeros(len(rows), DETECTION_DTYPE)
    for i, row in enumerate(rows):
        for name, value in row.items():
            out[i][name] = value
    return out
