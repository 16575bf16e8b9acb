"""Absorption by its definition: plain Python over the stream, a dict a level, sums written out over all trades."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.market.book import apply_event, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.signals.absorption import AbsorptionSettings
from chimera_platform.signals.absorption_levels import LEVELS_MAX
from chimera_platform.signals.records import Detector, Stage

MS = 1_000_000
Row = tuple[Any, ...]  # event_no, detector, stage, side, price_low, price_high, size, ts_start, strength


class Reference:
    def __init__(self, chosen: AbsorptionSettings) -> None:
        self.chosen = chosen
        self.trades: list[tuple[int, int | None]] = []  # lots, half ticks of the mid before it
        self.sides: list[int] = []  # resting side of each
        self.levels: list[dict[str, Any] | None] = [None] * LEVELS_MAX
        self.mid2: int | None = None
        self.rows: list[Row] = []

    def norms(self) -> tuple[float, float]:
        """Return (mean lots a trade, c: root mean square of the moves), weights falling geometrically into the past."""
        n, keep = len(self.trades), 1 - 1 / self.chosen.norm_trades
        weights = [keep ** (n - 1 - i) for i in range(n)]
        lots = sum(w * t[0] for w, t in zip(weights, self.trades, strict=True))
        squares = 0.0
        for i in range(1, n):
            now, before = self.trades[i][1], self.trades[i - 1][1]
            if now is not None and before is not None:
                squares += weights[i] * (now - before) ** 2
        return lots / sum(weights), math.sqrt(squares / sum(weights))

    def expected(self, lots: int) -> float:
        """Half ticks that ``lots`` are expected to move the mid: the square-root law of impact."""
        mean, c = self.norms()
        return c * math.sqrt(lots / mean)

    def trade(self, ts: int, side: int, price: int, size: int) -> None:
        self.trades.append((size, self.mid2))
        self.sides.append(side)
        slots = range(LEVELS_MAX)
        own = [k for k in slots if (v := self.levels[k]) and (v["side"], v["price"]) == (side, price)]
        free = [k for k in slots if self.levels[k] is None]
        quiet = sorted((v["last"], k) for k in slots if (v := self.levels[k]) and v["stage"] == 0)
        where = own or free or [k for _, k in quiet]
        if not where:
            return
        level = self.levels[where[0]] if own else None
        if level is None or (level["stage"] == 0 and ts - level["start"] > self.chosen.window_ms * MS):
            level = {"side": side, "price": price, "start": ts, "mid2": self.mid2, "lots": 0, "stage": 0}
            level |= {"first": len(self.trades) - 1, "times": []}
            self.levels[where[0]] = level
        level["lots"] += size
        if not level["times"] or level["times"][-1] != ts:
            level["times"].append(ts)
        level["last"] = ts

    def say(self, no: int, level: dict[str, Any], stage: Stage) -> None:
        mean, expected = self.norms()[0], self.expected(level["lots"])
        moved = max(0, level["side"] * (level["mid2"] - (self.mid2 or 0)))
        calm = max(0.0, 1 - moved / expected) if expected > 0 else float(moved == 0)
        hold = {Stage.FORMING: 0.5, Stage.CONFIRMED: 1.0, Stage.FAILED: 0.0}[stage]
        r = level["lots"] / (self.chosen.volume_multiple * mean) * hold * calm
        level["strength"], level["stage"] = r / (1 + r), stage
        at = level["price"]
        kind = Detector.ABSORPTION
        self.rows.append((no, kind, stage, level["side"], at, at, level["lots"], level["start"], r / (1 + r)))

    def stack(self, no: int, new: dict[str, Any], spread: int) -> None:
        near = [
            v
            for v in self.levels
            if v
            and v["side"] == new["side"]
            and v["stage"] == Stage.CONFIRMED
            and abs(v["price"] - new["price"]) <= max(self.chosen.stack_ticks, self.chosen.stack_spreads * spread)
            and new["confirmed"] - max(v["confirmed"], v["last"]) <= self.chosen.stack_ms * MS
        ]
        if len(near) >= 2:
            prices, lots = [v["price"] for v in near], sum(v["lots"] for v in near)
            strength = 1 - float(np.prod([1 - v["strength"] for v in near]))
            start, kind = min(v["start"] for v in near), Detector.STACKED_ABSORPTION
            self.rows.append((no, kind, Stage.CONFIRMED, new["side"], min(prices), max(prices), lots, start, strength))

    def forms(self, level: dict[str, Any], ts: int) -> bool:
        late = ts - level["start"] > self.chosen.window_ms * MS
        if len(self.trades) < self.chosen.warm_trades or level["mid2"] is None or late:
            return False
        since = list(zip(self.trades, self.sides, strict=True))[level["first"] :]
        into = sum(lots for (lots, _), side in since if side == level["side"])
        share = into / sum(lots for (lots, _), _ in since)
        few = level["lots"] < self.chosen.lots_min or len(level["times"]) < self.chosen.attempts_min
        if few or share < self.chosen.flow_share_min:
            return False
        mean, expected = self.norms()[0], self.expected(level["lots"])
        moved = max(0, level["side"] * (level["mid2"] - (self.mid2 or 0)))
        enough = level["lots"] >= self.chosen.volume_multiple * mean * (1 - 1e-12)
        return enough and moved <= self.chosen.displacement_share * expected * (1 + 1e-12)

    def judge(self, no: int, ts: int, bid: int, ask: int) -> None:
        self.mid2 = bid + ask
        for k, level in enumerate(self.levels):
            if level is None:
                continue
            if bid < level["price"] if level["side"] > 0 else ask > level["price"]:
                if level["stage"]:
                    self.say(no, level, Stage.FAILED)
                self.levels[k] = None
            elif level["stage"] == 0:
                if self.forms(level, ts):
                    self.say(no, level, Stage.FORMING)
            elif level["stage"] == Stage.FORMING:
                if ts - level["last"] >= self.chosen.hold_ms * MS:
                    self.say(no, level, Stage.CONFIRMED)
                    level["confirmed"] = ts
                    self.stack(no, level, ask - bid)
            elif ts - max(level["confirmed"], level["last"]) > self.chosen.follow_ms * MS:
                self.levels[k] = None


def absorptions(events: np.ndarray[Any, Any], chosen: AbsorptionSettings) -> list[Row]:
    """Return what is to be said of one instrument's events, in order."""
    reference, book = Reference(chosen), new_books(1)[0]
    for no, event in enumerate(events):
        apply_event(book, event)
        kind, side, ts = int(event["kind"]), int(event["side"]), int(event["ts_event"])
        resting = side if kind == EventKind.EXECUTE else -side if kind == EventKind.TRADE else 0
        if resting and event["size"] > 0 and not event["flags"] & EventFlag.HIDDEN:
            reference.trade(ts, resting, int(event["price"]), int(event["size"]))
        is_lost = book["gap"] or book["rebuild"]
        if kind != EventKind.CLEAR and not event["flags"] & EventFlag.LAST:
            continue
        if kind == EventKind.CLEAR or is_lost:
            for level in reference.levels:
                if level and level["stage"] == Stage.FORMING:
                    reference.say(no, level, Stage.FAILED)
            reference.levels = [None] * LEVELS_MAX
        elif book["bid_count"] and book["ask_count"] and not book["halted"] and not book["closed"]:
            bid, ask = (int(book[f"{s}_price"][book[f"{s}_count"] - 1]) for s in ("bid", "ask"))
            if bid < ask:
                reference.judge(no, ts, bid, ask)
    return reference.rows
