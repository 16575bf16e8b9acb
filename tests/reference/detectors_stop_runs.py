"""Stop runs by their definition: plain Python over the stream, extremes looked for in all that was ever shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.signals.records import DETECTION_DTYPE, Detector, Stage
from chimera_platform.signals.stop_runs import MINUTES_MAX, StopRunSettings

MS, MINUTE = 1_000_000, 60_000_000_000


class Rush:
    """A run of trades of one aggressor; prices are multiplied by it, so that farther is higher."""

    def __init__(self, side: int, start: int, minute: int, old: int | None) -> None:
        self.side, self.start, self.minute, self.old = side, start, minute, old
        self.trades: list[tuple[int, int]] = []  # sign x ticks, lots
        self.ts = start
        self.is_through, self.is_known = False, False
        self.orders, self.has_traded = 0, False

    def farthest(self) -> int:
        return max(price for price, _ in self.trades)

    def lots(self) -> int:
        return sum(lots for _, lots in self.trades)

    def beyond(self) -> int:
        return sum(lots for price, lots in self.trades if self.old is not None and price > self.old)


class Reference:
    """The aggressor +1 runs through asks; what the side showed is multiplied by it."""

    def __init__(self, chosen: StopRunSettings) -> None:
        self.chosen = chosen
        self.shown: list[tuple[int, int, int]] = []  # minute, ask, -bid, since the last break
        self.minute: int | None = None  # of the last time that something was shown
        self.first = 0
        self.trades: list[int] = []
        self.weight = self.lots_sum = 0.0
        self.rush: Rush | None = None
        self.open: dict[int, dict[str, Any]] = {}
        self.numbers = 0
        self.rows: list[np.ndarray[Any, Any]] = []

    def extreme(self, side: int, minute: int) -> int | None:
        """Return the extreme of one minute, None where nothing was shown in it."""
        column = 1 if side > 0 else 2
        return max((row[column] for row in self.shown if row[0] == minute), default=None)

    def respected(self, side: int) -> int | None:
        """Return the extreme that a rush beginning now may break, None where there is none."""
        now, chosen = self.minute, self.chosen
        if now is None or now - self.first < chosen.least_minutes:
            return None

        def highest(minutes: range) -> int | None:
            found = [value for m in minutes if (value := self.extreme(side, m)) is not None]
            return max(found, default=None)

        recent = highest(range(now - chosen.age_minutes, now + 1))
        for minutes in range(chosen.least_minutes, chosen.most_minutes + 1):
            old = highest(range(now - minutes, now - chosen.age_minutes))
            if old is not None and (recent is None or recent <= old):
                return old
        return None

    def trade(self, ts: int, side: int, price: int, size: int) -> None:
        keep = 1.0 - 1.0 / self.chosen.norm_trades
        self.weight, self.lots_sum = keep * self.weight + 1.0, keep * self.lots_sum + size
        self.trades.append(size)
        if self.rush is None or self.rush.side != side or ts - self.rush.ts > self.chosen.gap_ms * MS:
            self.rush = Rush(side, ts, self.minute or 0, self.respected(side))
        rush = self.rush
        rush.ts, rush.has_traded = ts, True
        rush.trades.append((side * price, size))
        if rush.old is not None and side * price > rush.old and side not in self.open:
            rush.is_through = True

    def broken(self, rush: Rush) -> tuple[int, int]:
        """Return the farthest respected extreme that the rush went through, and its age in minutes."""
        assert rush.old is not None
        found, at, later = rush.old, rush.minute, None
        oldest = max(self.first, rush.minute - self.chosen.most_minutes, (self.minute or 0) - MINUTES_MAX + 1)
        for minute in range(rush.minute - 1, oldest - 1, -1):
            value = self.extreme(rush.side, minute)
            if value is None:
                continue
            if value >= rush.farthest():
                break
            if value >= found and (later is None or value >= later):
                found, at = value, minute
            later = value if later is None else max(later, value)
        return found, rush.minute - at

    def say(self, no: int, ts: int, side: int, stage: Stage) -> None:
        run = self.open[side]
        rush: Rush = run["rush"]
        mean = self.lots_sum / self.weight
        hold = {Stage.FORMING: 0.5, Stage.CONFIRMED: 1.0, Stage.FAILED: 0.0}[stage]
        r = run["lots"] / (self.chosen.volume_multiple * mean) * hold
        row = np.zeros(1, DETECTION_DTYPE)
        row["detection_no"], row["event_no"], row["ts_event"] = run["number"], no, ts
        row["ts_start"], row["size"], row["strength"] = rush.start, run["lots"], r / (1.0 + r)
        ends = side * run["broken"], side * run["reached"]
        row["price_low"], row["price_high"] = min(ends), max(ends)
        row["evidence"] = run["lots"] / mean, run["beyond"], run["reached"] - run["broken"], run["age"]
        row["detector"], row["stage"], row["side"] = Detector.STOP_RUN, stage, -side
        self.rows.append(row)
        if stage != Stage.FORMING:
            del self.open[side]

    def update(self, run: dict[str, Any]) -> None:
        rush: Rush = run["rush"]
        run["broken"], run["age"] = self.broken(rush)
        run["lots"], run["reached"], run["beyond"] = rush.lots(), rush.farthest(), rush.beyond()

    def look(self, no: int, ts: int, touch: dict[int, int]) -> None:
        chosen, rush = self.chosen, self.rush
        for side in (1, -1):
            run = self.open.get(side)
            if run is None:
                continue
            if run["rush"] is rush:
                self.update(run)
            if ts - run["said"] > chosen.return_ms * MS:
                self.say(no, ts, side, Stage.FAILED)
            elif touch[side] <= run["broken"]:
                self.say(no, ts, side, Stage.CONFIRMED)
        if rush is not None and rush.is_through and not rush.is_known:
            is_large = rush.lots() * self.weight >= chosen.volume_multiple * self.lots_sum
            is_rush = rush.orders >= chosen.orders and len(self.trades) >= chosen.warm_trades
            if is_rush and is_large and touch[rush.side] > self.broken(rush)[0]:
                rush.is_known = True
                self.open[rush.side] = {"rush": rush, "number": self.numbers, "said": ts}
                self.numbers += 1
                self.update(self.open[rush.side])
                self.say(no, ts, rush.side, Stage.FORMING)
        minute = ts // MINUTE
        if self.minute is None or minute - self.minute >= MINUTES_MAX:
            self.first, self.minute, self.shown = minute, minute, []
        self.minute = max(self.minute, minute)
        self.shown.append((self.minute, touch[1], touch[-1]))

    def break_off(self, no: int, ts: int) -> None:
        for side in (1, -1):
            if side in self.open:
                self.say(no, ts, side, Stage.FAILED)
        self.shown, self.minute, self.rush = [], None, None

    def record(self, no: int, event: Any, book: Any) -> None:
        kind, side, ts = int(event["kind"]), int(event["side"]), int(event["ts_event"])
        if kind in (EventKind.CLEAR, EventKind.STATUS, EventKind.MODIFY):
            self.break_off(no, ts)
            return
        aggressor = side if kind == EventKind.TRADE else -side if kind == EventKind.EXECUTE else 0
        if aggressor and event["size"] > 0 and not event["flags"] & EventFlag.HIDDEN:
            self.trade(ts, aggressor, int(event["price"]), int(event["size"]))
        if not event["flags"] & EventFlag.LAST:
            return
        if self.rush is not None and self.rush.has_traded:
            self.rush.orders, self.rush.has_traded = self.rush.orders + 1, False
        if book["gap"] or book["rebuild"] or book["halted"] or book["closed"]:
            return
        if book["bid_count"] and book["ask_count"]:
            bid, ask = (int(book[f"{s}_price"][book[f"{s}_count"] - 1]) for s in ("bid", "ask"))
            if bid < ask:
                self.look(no, ts, {1: ask, -1: -bid})


def stop_runs(events: np.ndarray[Any, Any], chosen: StopRunSettings) -> np.ndarray[Any, Any]:
    """Return what is to be said of one instrument's events, ``DETECTION_DTYPE``."""
    reference, book = Reference(chosen), new_books(1)[0]
    for no, event in enumerate(events):
        apply_event(book, event)
        reference.record(no, event, book)
    return np.concatenate([np.zeros(0, DETECTION_DTYPE), *reference.rows])
