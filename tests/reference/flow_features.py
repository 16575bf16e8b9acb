"""The features beyond the first fourteen as batch definitions: the stream is observed, then computed on as arrays."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np

from chimera_platform.market.book import BOOK_LEVELS
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, Feature
from chimera_platform.microstructure.feature_volume import VolumeTimeSettings
from tests.reference.book import ReferenceBook
from tests.reference.features import BOOK_CHANGES, DAY, SECOND, order_flow_imbalance

Array = np.ndarray[Any, Any]
NO_LEVEL = (0, 0)
SECONDS = [
    Feature.REALISED_VOL_10S,
    Feature.REALISED_VOL_60S,
    Feature.REALISED_VOL_600S,
    Feature.BIPOWER_VARIATION_60S,
    Feature.KYLE_LAMBDA_300S,
]


def pad(levels: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    return (list(levels[:count]) + [NO_LEVEL] * count)[:count]


class Observation:
    """What one instrument's stream shows: one row per source event, one row per print."""

    def __init__(self, events: Array) -> None:
        book = ReferenceBook(BOOK_LEVELS)
        self.rows: list[dict[str, Any]] = []
        self.prints: list[tuple[int, int, int, int, int]] = []  # source event, time, sign, price, size
        now, previous, open_records = 0, None, []
        for event in events:
            book.apply(event)
            open_records.append(event)
            if event["kind"] in (EventKind.TRADE, EventKind.EXECUTE):
                sign = self._sign(event, previous)
                time = max(now, int(event["ts_event"]))
                self.prints.append((len(self.rows), time, sign, int(event["price"]), int(event["size"])))
            if not event["flags"] & EventFlag.LAST:
                continue
            now = max(now, int(event["ts_event"]))
            row = self._row(book, open_records, now)
            self.rows.append(row)
            open_records = []
            previous = (row["bids"][0], row["asks"][0]) if row["trusted"] else None

    def _sign(self, event: Any, previous: Any) -> int:
        if event["kind"] == EventKind.EXECUTE:
            return -int(event["side"])
        if event["side"]:
            return int(event["side"])
        price = int(event["price"])
        if previous and previous[0][1] and previous[1][1] and 2 * price != previous[0][0] + previous[1][0]:
            return 1 if 2 * price > previous[0][0] + previous[1][0] else -1
        # prices up to and with this print; the last change tells the direction
        for *_, before, _ in reversed(self.prints):
            if before != price:
                return 1 if price > before else -1
        return 0

    @staticmethod
    def _row(book: ReferenceBook, records: list[Any], now: int) -> dict[str, Any]:
        counted = [
            r
            for r in records
            if EventKind(int(r["kind"])) in BOOK_CHANGES
            and not r["flags"] & (EventFlag.WINDOW | EventFlag.HIDDEN | EventFlag.SNAPSHOT)
        ]
        withdrawn = [
            r
            for r in counted
            if r["kind"] in (EventKind.CANCEL, EventKind.DELETE) or (r["kind"] == EventKind.LEVEL and r["size"] == 0)
        ]
        rebuilt = any(r["kind"] == EventKind.CLEAR or r["flags"] & EventFlag.SNAPSHOT for r in records)
        return {
            "now": now,
            "trusted": bool(book.is_trusted()),
            "bids": pad(book.levels(1), 10),
            "asks": pad(book.levels(-1), 10),
            "changed": bool(counted) and not rebuilt,
            "rebuilt": rebuilt,
            "cancels": len(withdrawn),
        }


def in_window(now: Array, values: Array, step: int, buckets: int) -> Array:
    """Sum of ``values`` over the rows up to each one whose bucket of ``step`` ns is among the last ``buckets``."""
    bucket = now // step
    total = np.concatenate([np.zeros((1, *values.shape[1:]), np.int64), np.cumsum(values, axis=0)])
    return total[1:] - total[np.searchsorted(bucket, bucket - buckets, side="right")]


def quotient(numerator: Array, denominator: Array) -> Array:
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator != 0)


def batch_flow_features(events: Array, tick_size: float, settings: VolumeTimeSettings | None = None) -> Array:
    """Return the vectors at every source event, shape (m, FEATURE_COUNT); what is not defined here stays NaN."""
    seen = Observation(events)
    rows, n = seen.rows, len(seen.rows)
    out = np.full((n, FEATURE_COUNT), np.nan)
    if n == 0:
        return out
    prints = np.array(seen.prints, np.int64).reshape(-1, 5)
    prints = prints[prints[:, 0] < n]
    now = np.array([r["now"] for r in rows])
    e = _multi_level_flow(rows, now, out)
    _trades(rows, now, prints, out)
    mids, live = _book_shape(rows, now, prints, out)
    _seconds(now, mids, live, prints, tick_size, out)
    _spreads(now, mids, live, prints, tick_size, out)
    _resilience(rows, now, out)
    _volume_time(prints, e[:, 0], settings or VolumeTimeSettings(), out)
    return out


def _multi_level_flow(rows: list[dict[str, Any]], now: Array, out: Array) -> Array:
    e = np.zeros((len(rows), 5), np.int64)
    for i in range(1, len(rows)):
        if rows[i]["trusted"] and rows[i - 1]["trusted"] and rows[i]["changed"]:
            for k in range(5):
                before, after = (rows[j]["bids"][k] + rows[j]["asks"][k] for j in (i - 1, i))
                e[i, k] = order_flow_imbalance(before, after)
    out[:, Feature.MLOFI_EVENT_2 : Feature.MLOFI_EVENT_5 + 1] = e[:, 1:]
    out[:, Feature.MLOFI_10S_2 : Feature.MLOFI_10S_5 + 1] = in_window(now, e[:, 1:], SECOND // 10, 100)
    out[:, Feature.ARRIVAL_INTENSITY_10S] = in_window(now, np.ones(len(now), np.int64), SECOND // 10, 100) / 10
    return e


def _trades(rows: list[dict[str, Any]], now: Array, prints: Array, out: Array) -> None:
    n = len(rows)
    buy, sell, count = (np.zeros(n, np.int64) for _ in range(3))
    np.add.at(buy, prints[:, 0], prints[:, 4] * (prints[:, 2] > 0))
    np.add.at(sell, prints[:, 0], prints[:, 4] * (prints[:, 2] < 0))
    np.add.at(count, prints[:, 0], 1)
    cancels = np.array([r["cancels"] for r in rows])
    bought, sold, printed, withdrawn = (in_window(now, x, SECOND // 10, 600) for x in (buy, sell, count, cancels))
    out[:, Feature.TRADE_IMBALANCE_60S] = quotient(bought - sold, bought + sold)
    out[:, Feature.CANCEL_TO_TRADE_60S] = quotient(withdrawn, printed)
    first_of_day = np.searchsorted(now // DAY, now // DAY, side="left")
    total = np.concatenate([[0], np.cumsum(buy - sell)])
    out[:, Feature.CUMULATIVE_DELTA] = total[1:] - total[first_of_day]


def _book_shape(rows: list[dict[str, Any]], now: Array, prints: Array, out: Array) -> tuple[Array, Array]:
    """Depth, slopes and VWAP; return bid + ask where defined, and whether it is."""
    mids, live = np.zeros(len(rows), np.int64), np.zeros(len(rows), bool)
    for i, row in enumerate(rows):
        bids, asks = ([x for x in row[side] if x[1]] for side in ("bids", "asks"))
        if not (row["trusted"] and bids and asks):
            continue
        live[i], mids[i] = True, bids[0][0] + asks[0][0]
        deep_bid, deep_ask = sum(q for _, q in bids), sum(q for _, q in asks)
        out[i, Feature.DEPTH_IMBALANCE_10] = (deep_bid - deep_ask) / (deep_bid + deep_ask)
        for name, side in ((Feature.BOOK_SLOPE_BID_5, bids[:5]), (Feature.BOOK_SLOPE_ASK_5, asks[:5])):
            out[i, name] = sum(q for _, q in side) / (abs(side[0][0] - side[-1][0]) + 1)
        day = prints[(prints[:, 0] <= i) & (prints[:, 1] // DAY == now[i] // DAY)]
        volume, notional = int(day[:, 4].sum()), int((day[:, 3] * day[:, 4]).sum())
        spread = asks[0][0] - bids[0][0]
        if volume and spread:
            away = int(mids[i]) * volume - 2 * notional
            out[i, Feature.VWAP_DEVIATION_SPREADS] = away / (2 * volume * spread)
    return mids, live


def _seconds(now: Array, mids: Array, live: Array, prints: Array, tick_size: float, out: Array) -> None:
    if not live.any():
        return
    ts, mid = now[live], mids[live]
    first, last = int(ts[0] // SECOND) + 1, int(now[-1] // SECOND)
    grid = np.arange(first, last + 1)
    if len(grid) == 0:
        return
    sampled = mid[np.searchsorted(ts, grid * SECOND, side="left") - 1]
    change = np.diff(sampled)
    returns = np.log1p(change / sampled[:-1])
    volume = np.zeros(len(grid), np.int64)  # of the second that ends at the grid point
    ends = now[prints[:, 0]] // SECOND + 1 - first
    counted = (ends > 0) & (ends < len(grid))
    np.add.at(volume, ends[counted], (prints[:, 2] * prints[:, 4])[counted])
    x, y = volume[1:].astype(object), change.astype(object)
    done: dict[int, Array] = {}
    for i, g in enumerate(now // SECOND - first):  # index of the latest sample of row i
        if g not in done and g >= 0:
            done[g] = _at_second(returns[:g], x[max(g - 300, 0) : g], y[max(g - 300, 0) : g], tick_size)
        if g >= 0 and ts[0] <= now[i]:
            out[i, SECONDS] = done[g]


def _at_second(returns: Array, x: Array, y: Array, tick_size: float) -> Array:
    values = np.full(5, np.nan)
    for k, seconds in enumerate((10, 60, 600)):
        if len(returns) >= seconds:
            values[k] = math.sqrt(math.fsum(returns[-seconds:] ** 2))
    if len(returns) >= 60:
        size = np.abs(returns[-60:])
        values[3] = math.pi / 2 * math.fsum(size[1:] * size[:-1])
        n = len(x)
        spread = n * sum(x * x) - sum(x) ** 2
        if spread:
            values[4] = (n * sum(x * y) - sum(x) * sum(y)) / spread * tick_size / 2
    return values


def _spreads(now: Array, mids: Array, live: Array, prints: Array, tick_size: float, out: Array) -> None:
    signed = prints[prints[:, 2] != 0]
    last_of_event = np.append(signed[1:, 0] != signed[:-1, 0], True) if len(signed) else np.zeros(0, bool)
    signed = signed[last_of_event]
    times, at = now[live], np.flatnonzero(live)
    effective = [(int(p[0]), p[2] * (2 * p[3] - mids[at[at < p[0]][-1]])) for p in signed if (at < p[0]).any()]
    for i, value in effective:
        out[i:, Feature.EFFECTIVE_SPREAD] = value * tick_size
    bucket = now[signed[:, 0]] // (SECOND // 100)
    last_of_bucket = np.append(bucket[1:] != bucket[:-1], True) if len(signed) else np.zeros(0, bool)
    for p in signed[last_of_bucket]:
        due = now[p[0]] + 5 * SECOND
        shown_from = np.searchsorted(now, due, side="right")
        k = np.searchsorted(times, due, side="right")
        if shown_from < len(now) and k:
            out[shown_from:, Feature.REALISED_SPREAD_5S] = p[2] * (2 * p[3] - mids[at[k - 1]]) * tick_size


def _resilience(rows: list[dict[str, Any]], now: Array, out: Array) -> None:
    shares: list[float] = []
    watched: dict[str, tuple[int, int, int, int]] = {}
    for i, row in enumerate(rows):
        for side, sign in (("bids", 1), ("asks", -1)):
            if side in watched and now[i] > watched[side][3]:
                price, left, lost, _ = watched.pop(side)
                shares.append(min(max((_lots(rows[i - 1][side], sign, price) - left) / lost, 0), 1))
        if not row["trusted"] or row["rebuilt"]:
            watched = {}
        elif i and rows[i - 1]["trusted"] and row["changed"]:
            for side, sign in (("bids", 1), ("asks", -1)):
                price, size = rows[i - 1][side][0]
                left = _lots(row[side], sign, price)
                if side not in watched and size and 2 * (size - left) >= size:
                    watched[side] = (price, left, size - left, int(now[i]) + SECOND)
        if shares:
            out[i, Feature.RESILIENCE_1S] = sum(shares[-32:]) / len(shares[-32:])


def _lots(levels: list[tuple[int, int]], sign: int, price: int) -> int:
    return sum(q for p, q in levels[:5] if q and sign * p >= sign * price)


def _volume_time(prints: Array, e: Array, settings: VolumeTimeSettings, out: Array) -> None:
    """Buckets of equal volume after the prints that fix it; ``prints`` are all, ``e`` the touch's OFI by row."""
    if len(prints) < settings.calibration_prints:
        return
    first, rest = prints[: settings.calibration_prints], prints[settings.calibration_prints :]
    volume = max(int(first[:, 4].sum()) * settings.bucket_prints // len(first), 1)
    traded = np.cumsum(rest[:, 4])
    closed = int(traded[-1]) // volume if len(rest) else 0
    closing = [np.searchsorted(traded, number * volume, side="left") for number in range(1, closed + 1)]
    rows = [int(first[-1, 0]), *(int(rest[i, 0]) for i in closing)]  # of the prints that close
    closes = [int(first[-1, 3]), *(int(rest[i, 3]) for i in closing)]
    bought = [_lots_of_bucket(rest, traded, b * volume, volume) for b in range(closed)]
    flow = [int(e[begin:end].sum()) for begin, end in pairwise(rows)]
    count = settings.buckets
    imbalance: list[float] = []
    for number in range(1, closed + 1):
        deviation = float(np.std(np.diff(closes[: number + 1])[-count:]))
        z = (closes[number] - closes[number - 1]) / deviation if deviation > 0 else 0.0
        imbalance.append(abs(2 * NormalDist().cdf(z) - 1))
        shown = out[rows[number] :]
        if number >= 10:
            shown[:, Feature.PRICE_RETURN_VOLUME_10] = log_return(closes[number], closes[number - 10])
        if number >= count:
            window = range(number - count, number)
            total, absolute = sum(flow[b] for b in window), sum(abs(flow[b]) for b in window)
            squares = [log_return(closes[b + 1], closes[b]) ** 2 for b in window]
            shown[:, Feature.VPIN] = sum(imbalance[-count:]) / count
            shown[:, Feature.TRADE_IMBALANCE_VOLUME] = sum(bought[b] for b in window) / (count * volume)
            shown[:, Feature.OFI_NORM_VOLUME] = total / absolute if absolute else np.nan
            shown[:, Feature.REALISED_VOL_VOLUME] = math.sqrt(math.fsum(squares))


def _lots_of_bucket(prints: Array, traded: Array, begin: int, volume: int) -> int:
    """Bought less sold lots among the ``volume`` lots that follow the first ``begin``; unsigned ones count nothing."""
    inside = np.minimum(traded, begin + volume) - np.maximum(traded - prints[:, 4], begin)
    return int((np.maximum(inside, 0) * prints[:, 2]).sum())


def log_return(now: int, before: int) -> float:
    return math.log1p((now - before) / before) if now > 0 and before > 0 else math.nan
