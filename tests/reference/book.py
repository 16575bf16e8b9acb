"""The order book as its definition: two dictionaries from price to size, sorted when asked.

Everything is said in the plainest way; the compiled kernel must agree with it after every record.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.market.events import EventFlag, EventKind, StatusCode


class ReferenceBook:
    """One instrument's book; ``bound`` is the largest number of levels a side."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.gap = self.cleared = self.snapshot_seen = self.halted = self.closed = False
        self.events = self.gaps = self.crossed = self.dropped_levels = self.unmatched = 0

    def levels(self, side: int) -> list[tuple[int, int]]:
        """(price, size) from the touch outwards."""
        return sorted(self.sides[side].items(), reverse=side > 0)

    def best(self, side: int) -> tuple[int, int]:
        """(price, size) at the touch, (0, 0) on an empty side."""
        return self.levels(side)[0] if self.sides[side] else (0, 0)

    def is_crossed(self) -> bool:
        return bool(self.sides[1] and self.sides[-1]) and max(self.sides[1]) >= min(self.sides[-1])

    def is_trusted(self) -> bool:
        return not self.gap and not self.cleared

    def is_tradable(self) -> bool:
        two_sided = bool(self.sides[1] and self.sides[-1])
        return self.is_trusted() and not self.halted and not self.closed and two_sided and not self.is_crossed()

    def _bound(self, side: int) -> None:
        levels = self.levels(side)
        for price, _ in levels[self.bound :]:
            del self.sides[side][price]
            self.dropped_levels += 1

    def _order(self, kind: EventKind, side: int, price: int, size: int) -> None:
        if size <= 0 or side == 0:
            self.unmatched += 1
            return
        book = self.sides[side]
        if kind is EventKind.ADD:
            book[price] = book.get(price, 0) + size
            self._bound(side)
            return
        if book.get(price, 0) < size:
            self.unmatched += 1
        book[price] = book.get(price, 0) - size
        if book[price] <= 0:
            del book[price]

    def _level(self, side: int, price: int, size: int) -> None:
        if side == 0:
            self.unmatched += 1
            return
        self.sides[side].pop(price, None)
        if size > 0:
            self.sides[side][price] = size
            self._bound(side)

    def _status(self, code: int) -> None:
        if code == StatusCode.GAP:
            self.gap, self.cleared, self.snapshot_seen = True, False, False
            self.gaps += 1
        elif code in (StatusCode.HALT, StatusCode.RESUME):
            self.halted = code == StatusCode.HALT
        elif code in (StatusCode.SESSION_CLOSE, StatusCode.SESSION_OPEN):
            self.closed = code == StatusCode.SESSION_CLOSE

    def apply(self, event: Any) -> None:
        """Apply one record of ``EVENT_DTYPE``."""
        kind, flags = EventKind(int(event["kind"])), EventFlag(int(event["flags"]))
        side, price, size = int(event["side"]), int(event["price"]), int(event["size"])
        last = EventFlag.LAST in flags
        if kind in (EventKind.ADD, EventKind.CANCEL, EventKind.DELETE, EventKind.EXECUTE):
            if EventFlag.HIDDEN not in flags:
                self._order(kind, side, price, size)
        elif kind is EventKind.MODIFY:
            self.unmatched += 1
            self._status(StatusCode.GAP)
        elif kind is EventKind.LEVEL:
            self._level(side, price, size)
        elif kind is EventKind.QUOTE:
            ask, ask_size = int(event["ask_price"]), int(event["ask_size"])
            self.sides = {1: {price: size} if size > 0 else {}, -1: {ask: ask_size} if ask_size > 0 else {}}
            if last:
                self.gap = self.cleared = self.snapshot_seen = False
        elif kind is EventKind.CLEAR:
            self.sides = {1: {}, -1: {}}
            self.cleared, self.snapshot_seen = True, False
        elif kind is EventKind.STATUS:
            self._status(price)
        if self.cleared and EventFlag.SNAPSHOT in flags:
            self.snapshot_seen = True
        if last:
            self.events += 1
            if self.cleared and (not self.gap or self.snapshot_seen):
                self.gap = self.cleared = self.snapshot_seen = False
            self.crossed += self.is_crossed()
