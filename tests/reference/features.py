"""The first fourteen features as their definitions: whole histories are kept, every value is computed afresh."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.microstructure.feature_names import Feature
from tests.reference.book import ReferenceBook

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NAN = math.nan
DEFINED_HERE = list(Feature)[: Feature.MICROPRICE_EDGE + 1]
BOOK_CHANGES = {
    EventKind.ADD,
    EventKind.MODIFY,
    EventKind.CANCEL,
    EventKind.DELETE,
    EventKind.EXECUTE,
    EventKind.LEVEL,
    EventKind.QUOTE,
}

Quote = tuple[int, int, int, int]  # bid ticks, bid lots, ask ticks, ask lots; lots 0: the side is empty


def order_flow_imbalance(before: Quote, now: Quote) -> int:
    """e = q_b·1[P_b ≥ P_b'] − q_b'·1[P_b ≤ P_b'] − q_a·1[P_a ≤ P_a'] + q_a'·1[P_a ≥ P_a']; empty sides at ±∞."""

    def prices(quote: Quote) -> tuple[float, float]:
        return (quote[0] if quote[1] else -math.inf), (quote[2] if quote[3] else math.inf)

    (bid0, ask0), (bid1, ask1) = prices(before), prices(now)
    return now[1] * (bid1 >= bid0) - before[1] * (bid1 <= bid0) - now[3] * (ask1 <= ask0) + before[3] * (ask1 >= ask0)


def ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else NAN


class ReferenceFeatures:
    """One instrument's features; call :meth:`update` after each record has been applied to the book."""

    def __init__(self, tick_size: float) -> None:
        self.tick_size = tick_size
        self.now = 0
        self.previous: Quote | None = None
        self.open_records: list[Any] = []  # records of the source event under way
        self.flow: list[tuple[int, int]] = []  # (ts, e) per source event
        self.trades: list[tuple[int, int, int, int]] = []  # (ts, sign, price, size)
        self.mids: list[tuple[int, int, int]] = []  # (ts, bid + ask, spread) at LAST, where defined

    def trade_sign(self, event: Any) -> int:
        side, price = int(event["side"]), int(event["price"])
        if event["kind"] == EventKind.EXECUTE:
            return -side
        if side:
            return side
        if self.previous and self.previous[1] and self.previous[3]:
            middle = self.previous[0] + self.previous[2]
            if 2 * price != middle:
                return 1 if 2 * price > middle else -1
        for _, _, before, _ in reversed(self.trades):
            if before != price:
                return 1 if price > before else -1
        return 0

    def event_flow(self, book: ReferenceBook, quote: Quote) -> int:
        """The OFI of the source event that has just ended."""
        rebuilt = any(r["kind"] == EventKind.CLEAR or r["flags"] & EventFlag.SNAPSHOT for r in self.open_records)
        changes = [
            r
            for r in self.open_records
            if EventKind(int(r["kind"])) in BOOK_CHANGES and not r["flags"] & (EventFlag.WINDOW | EventFlag.HIDDEN)
        ]
        before, self.previous = self.previous, quote if book.is_trusted() else None
        if before is None or self.previous is None or rebuilt or not changes:
            return 0
        return order_flow_imbalance(before, quote)

    def samples(self) -> list[tuple[int, int]]:
        """(bid + ask, spread) of each whole second after the first mid, up to now: the last value before it."""
        if not self.mids:
            return []
        first, last = self.mids[0][0] // SECOND + 1, self.now // SECOND
        first = max(first, last - 400)  # none of the features looks further back
        times = [ts for ts, _, _ in self.mids]
        return [self.mids[bisect_left(times, g * SECOND) - 1][1:] for g in range(first, last + 1)]

    def update(self, book: ReferenceBook, event: Any) -> list[float] | None:
        """Return the feature vector at LAST, otherwise None."""
        self.open_records.append(event.copy())
        if event["kind"] in (EventKind.TRADE, EventKind.EXECUTE):
            time = max(self.now, int(event["ts_event"]))
            self.trades.append((time, self.trade_sign(event), int(event["price"]), int(event["size"])))
        if not event["flags"] & EventFlag.LAST:
            return None
        self.now = now = max(self.now, int(event["ts_event"]))
        (bid, bid_size), (ask, ask_size) = book.best(1), book.best(-1)
        samples = self.samples()
        e = self.event_flow(book, (bid, bid_size, ask, ask_size))
        self.flow.append((now, e))
        self.open_records = []

        out = [NAN] * len(DEFINED_HERE)
        window = [(ts, x) for ts, x in self.flow if now - 10 * SECOND < ts <= now]
        ofi, absolute = sum(x for _, x in window), sum(abs(x) for _, x in window)
        signed = [(sign, size) for ts, sign, _, size in self.trades if now - 10 * SECOND < ts <= now]
        buys, sells = sum(q for s, q in signed if s > 0), sum(q for s, q in signed if s < 0)
        out[Feature.OFI_EVENT], out[Feature.OFI_10S] = e, ofi
        out[Feature.OFI_NORM_10S] = ratio(ofi, absolute)
        out[Feature.TRADE_IMBALANCE_10S] = ratio(buys - sells, buys + sells)
        mids = [m for m, _ in samples]
        if len(mids) > 60:
            pairs = zip(mids[-61:-1], mids[-60:], strict=True)
            out[Feature.REALISED_VOL_60S] = math.sqrt(math.fsum(math.log(b / a) ** 2 for a, b in pairs))
        if len(mids) > 10:
            out[Feature.MID_RETURN_10S] = math.log(mids[-1] / mids[-11])
        if book.is_trusted() and bid_size and ask_size:
            self.quote_features(book, samples, out)
            self.mids.append((now, bid + ask, ask - bid))
        return out

    def quote_features(self, book: ReferenceBook, samples: list[tuple[int, int]], out: list[float]) -> None:
        (bid, bid_size), (ask, ask_size) = book.best(1), book.best(-1)
        mid, spread = (bid + ask) / 2, ask - bid
        out[Feature.MID], out[Feature.SPREAD] = mid * self.tick_size, spread * self.tick_size
        out[Feature.MICROPRICE] = (bid * ask_size + ask * bid_size) / (bid_size + ask_size) * self.tick_size
        out[Feature.QUEUE_IMBALANCE] = (bid_size - ask_size) / (bid_size + ask_size)
        deep_bid, deep_ask = (sum(q for _, q in book.levels(side)[:5]) for side in (1, -1))
        out[Feature.DEPTH_IMBALANCE_5] = (deep_bid - deep_ask) / (deep_bid + deep_ask)
        # (microprice − mid) / spread; exact rationals, because the difference cancels nearly all digits of a float
        numerator = 2 * (bid * ask_size + ask * bid_size) - (bid + ask) * (bid_size + ask_size)
        out[Feature.MICROPRICE_EDGE] = ratio(numerator, 2 * (bid_size + ask_size) * spread)
        session = [(p, q) for ts, _, p, q in self.trades if ts // DAY == self.now // DAY]
        vwap = ratio(sum(p * q for p, q in session), sum(q for _, q in session))
        out[Feature.VWAP_DEVIATION] = mid / vwap - 1
        recent = [s for _, s in samples[-300:]]
        if len(recent) >= 60:
            mean = sum(recent) / len(recent)
            variance = (len(recent) * sum(s * s for s in recent) - sum(recent) ** 2) / len(recent) ** 2
            out[Feature.SPREAD_Z] = ratio(spread - mean, math.sqrt(variance))
