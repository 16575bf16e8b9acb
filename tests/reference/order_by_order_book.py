"""An L3 book by the letter: every resting order in a dictionary, queues and levels derived from it."""

from __future__ import annotations

from typing import Any

from chimera_platform.market.events import EventKind


class OrderByOrderBook:
    """One symbol's resting orders; every record is checked against what rests."""

    def __init__(self) -> None:
        self.orders: dict[int, list[int]] = {}  # order id -> [side, price, size], in time priority
        self.levels: dict[int, dict[int, int]] = {1: {}, -1: {}}  # side -> price -> lots

    def apply(self, event: Any) -> None:
        kind, order_id, side = int(event["kind"]), int(event["order_id"]), int(event["side"])
        price, size = int(event["price"]), int(event["size"])
        if kind == EventKind.STATUS:
            return
        if kind == EventKind.CLEAR:
            self.__init__()  # type: ignore[misc]
            return
        assert size > 0 and price > 0
        if kind == EventKind.ADD:
            assert order_id not in self.orders
            self.orders[order_id] = [side, price, size]
            self._change(side, price, size)
            return
        resting = self.orders[order_id]
        assert resting[:2] == [side, price]
        assert size <= resting[2]
        if kind == EventKind.CANCEL:
            assert size < resting[2]
        elif kind == EventKind.DELETE:
            assert size == resting[2]
        else:
            assert kind == EventKind.EXECUTE
            assert price == self.best(side)
            first = next(i for i, (s, p, _) in self.orders.items() if s == side and p == price)
            assert order_id == first  # price and time priority
        resting[2] -= size
        self._change(side, price, -size)
        if resting[2] == 0:
            del self.orders[order_id]

    def best(self, side: int) -> int:
        return max(self.levels[1]) if side == 1 else min(self.levels[-1])

    def _change(self, side: int, price: int, lots: int) -> None:
        level = self.levels[side]
        level[price] = level.get(price, 0) + lots
        assert level[price] >= 0
        if level[price] == 0:
            del level[price]
