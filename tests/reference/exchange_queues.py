"""Queues and impact of the simulated exchange as their definitions, for :mod:`tests.reference.exchange`.

Floats are sums and products written out each time; nothing is kept that could be counted.
"""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.market.events import EventFlag, EventKind

SECOND = 1_000_000_000


def shown_at(book: Any, side: int, price: int) -> float:
    """Lots shown at a price of one side of a ReferenceBook; infinity beyond what is shown."""
    levels = book.levels(side)
    if not levels or side * (levels[-1][0] - price) > 0:
        return math.inf
    return float(book.sides[side].get(price, 0))


def ahead_after(model: str, power: float, ahead: float, before: float, traded: float, shown: float) -> float:
    """The lots ahead of an order after its level changed from ``before`` to ``shown`` lots, ``traded`` by prints."""
    left = before - traded - shown
    if model in ("probabilistic", "logarithmic") and left > 0 and math.inf not in (ahead, before):
        back = max(before - ahead, 0.0)
        of = (lambda x: x**power) if model == "probabilistic" else (lambda x: math.log(1 + x))
        behind = of(back) / (of(back) + of(ahead)) if of(back) + of(ahead) > 0 else 1.0
        ahead = max(0.0, ahead - (1 - behind) * left + min(back - behind * left, 0.0))
    return min(ahead, shown)


class JoinedOrders:
    """Every L3 order that joined a price while own orders rested there: what it is behind of, and what is left."""

    def __init__(self) -> None:
        self.known: dict[int, list[int]] = {}  # id: [own priority at its joining, lots left]

    def behind(self, order_id: int) -> int | None:
        """Own orders of a lower priority than this are ahead of the order; None: not known."""
        return self.known[order_id][0] if order_id in self.known else None

    def shrink(self, order_id: int, lots: int) -> None:
        if order_id in self.known:
            self.known[order_id][1] -= lots
            if self.known[order_id][1] <= 0:
                del self.known[order_id]


class ImpactHistory:
    """All samples of the market and all own takings; rates and impact are weighted sums over them."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.samples: list[tuple[int, float, float, float]] = []  # ts, seconds, lots, ticks moved
        self.taken: list[tuple[int, int]] = []  # ts, signed lots
        self.last: tuple[int, float] | None = None  # ts, mid at the last sample
        self.lots = 0

    def half(self, elapsed: int) -> float:
        return 0.5 ** (max(elapsed, 0) / self.settings.impact_half_life_ns)

    def follow(self, event: Any, is_tradable: bool, mid: float) -> None:
        is_print = event["kind"] in (EventKind.TRADE, EventKind.EXECUTE)
        if is_print and not int(event["flags"]) & EventFlag.SNAPSHOT:
            self.lots += int(event["size"])
        ts = int(event["ts_event"])
        if ts - (self.last[0] if self.last else 0) < SECOND:
            return
        if is_tradable and self.last and ts - self.last[0] <= 1800 * SECOND:
            self.samples.append((ts, (ts - self.last[0]) / SECOND, float(self.lots), mid - self.last[1]))
        self.last, self.lots = ((ts, mid) if is_tradable and ts else None), 0

    def rates(self) -> tuple[float, float, float]:
        """Lots/s, ticks²/s, and the weight of what was seen (1: all that will ever count)."""
        weight, volume, variance = 0.0, 0.0, 0.0
        later = 0.0  # market time after the sample
        for _, seconds, lots, moved in reversed(self.samples):
            share = self.half(int(later * SECOND)) - self.half(round((later + seconds) * SECOND))
            weight, volume, variance = (
                weight + share,
                volume + share * lots / seconds,
                variance + share * moved**2 / seconds,
            )
            later += seconds
        return (volume / weight, variance / weight, weight) if weight else (0.0, 0.0, 0.0)

    def take(self, side: int, lots: int, ts: int) -> None:
        latest = max((t for t, _ in self.taken), default=ts)
        self.taken.append((max(ts, latest), side * lots))

    def ticks(self, side: int, ts: int) -> int:
        volume, variance, weight = self.rates()
        known = volume > 0 and weight >= (1 - self.half(60 * SECOND)) * 0.999999
        own = side * sum(lots * self.half(ts - t) for t, lots in self._aged(ts))
        if not known or own <= 0:
            return 0
        return math.floor(self.settings.impact_coefficient * math.sqrt(variance * own / volume) + 0.5)

    def _aged(self, ts: int) -> list[tuple[int, int]]:
        """Takings; one that is dated later than ``ts`` ages no further than the latest of them has."""
        latest = max((t for t, _ in self.taken), default=ts)
        return [(t - max(latest - ts, 0), lots) for t, lots in self.taken]
