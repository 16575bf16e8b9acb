"""What is wrong with market data, counted from whole histories in plain Python; books by the book kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from chimera_platform.market.book import apply_event, best_ask, best_bid, is_crossed, is_tradable, is_trusted, new_books
from chimera_platform.market.data_quality import QualitySettings
from chimera_platform.market.events import EventFlag, EventKind, StatusCode

MS = 1_000_000
DAY = 86_400_000_000_000
BOOK_ORDERS = (EventKind.ADD, EventKind.CANCEL, EventKind.DELETE, EventKind.EXECUTE)


@dataclass
class Instrument:
    """What is known of one instrument so far."""

    book: Any
    history: list[Any] = field(default_factory=list)
    over: dict[bool, tuple[int, bool]] = field(default_factory=dict)  # is print → (highest seq, its event is over)
    in_a_row: int = 0
    crossed: list[int] = field(default_factory=list)  # times of the stretch
    one_sided: list[int] = field(default_factory=list)
    prices: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"mid": [], "print": []})  # (ts, price)


def inspect(events: np.ndarray[Any, Any], instruments: int, s: QualitySettings) -> dict[str, int]:
    names = ("out_of_order", "stale_clock", "frozen_clock", "repeated", "crossed", "locked_ns", "one_sided_ns")
    found = dict.fromkeys((*names, "bad_sizes", "price_spikes", "records", "source_events", "gaps", "unmatched"), 0)
    known = [Instrument(book) for book in new_books(instruments)]
    for k, event in enumerate(events):
        ts = int(event["ts_event"])
        found["records"] += 1
        found["out_of_order"] += k > 0 and ts < int(events["ts_event"][k - 1])
        found["stale_clock"] += abs(int(event["ts_recv"]) - ts) > s.stale_ms * MS
        found["bad_sizes"] += bad_size(event)
        me = known[int(event["instrument_id"])]
        found["repeated"] += is_repeated(me, event)
        last_ts = int(me.history[-1]["ts_event"]) if me.history else 0
        if ts > last_ts:
            me.in_a_row = 0
        elif event["flags"] & EventFlag.LAST:
            me.in_a_row += 1
            found["frozen_clock"] = max(found["frozen_clock"], me.in_a_row)
        for name, stretch in (("locked_ns", me.crossed), ("one_sided_ns", me.one_sided)):
            if ts - last_ts > s.silence_ms * MS:
                stretch.clear()
            if stretch:
                found[name] = max(found[name], ts - stretch[0])
        apply_event(me.book, event)
        me.history.append(event)
        if event["flags"] & EventFlag.LAST:
            open_book = is_trusted(me.book) and not me.book["halted"] and not me.book["closed"]
            one_side = (me.book["bid_count"] == 0) != (me.book["ask_count"] == 0)
            for stretch, lasts in ((me.crossed, is_crossed(me.book)), (me.one_sided, one_side)):
                if open_book and lasts:
                    stretch.append(ts)
                else:
                    stretch.clear()
        printed = event["kind"] == EventKind.TRADE or (
            event["kind"] == EventKind.EXECUTE and not event["flags"] & EventFlag.HIDDEN
        )
        if printed:
            me.prices["print"].append((ts, int(event["price"])))
        if event["flags"] & EventFlag.LAST and is_tradable(me.book):
            me.prices["mid"].append((ts, int(best_bid(me.book)) + int(best_ask(me.book))))
    for me in known:
        for name, total in (
            ("source_events", "events"),
            ("gaps", "gaps"),
            ("crossed", "crossed"),
            ("unmatched", "unmatched"),
        ):
            found[name] += int(me.book[total])
        found["price_spikes"] += sum(spikes(path, s) for path in me.prices.values())
    return {name: int(n) for name, n in found.items()}


def bad_size(event: Any) -> bool:
    if event["kind"] in (EventKind.LEVEL, EventKind.MODIFY):
        return bool(event["size"] < 0)
    if event["kind"] == EventKind.QUOTE:
        return bool(event["size"] < 0 or event["ask_size"] < 0)
    return event["kind"] in (*BOOK_ORDERS, EventKind.TRADE) and bool(event["size"] <= 0)


def is_repeated(me: Instrument, event: Any) -> bool:
    if event["kind"] == EventKind.CLEAR or (event["kind"] == EventKind.STATUS and event["price"] == StatusCode.GAP):
        me.over.clear()
        return False
    if event["kind"] == EventKind.STATUS:
        return False
    if me.history and event["ts_event"] // DAY > me.history[-1]["ts_event"] // DAY:
        me.over.clear()
    stream, seq = bool(event["kind"] == EventKind.TRADE), int(event["seq"])
    if stream in me.over and (seq < me.over[stream][0] or me.over[stream] == (seq, True)):
        return True
    me.over[stream] = (seq, bool(event["flags"] & EventFlag.LAST))
    return False


def spikes(path: list[tuple[int, int]], s: QualitySettings) -> int:
    """Jumps of a price path that came back at once."""
    found, usual = 0, 0
    scale = 0.0
    moves = [(a, b) for a, b in pairwise(path) if a[1] != b[1]]
    k = 0
    while k < len(moves):
        (_, before), (ts, price) = moves[k]
        change = abs(price - before)
        limit = max(s.spike_sigmas * math.sqrt(math.pi / 2) * scale, s.spike_ppm * 1e-6 * abs(before))
        k += 1
        if usual < 64 or change <= limit:
            usual += 1
            scale += (change - scale) / min(usual, 256)
            continue
        for _ in range(s.spike_changes):  # the moves that decide whether it was a spike
            if k == len(moves):
                break
            now, at = moves[k][1]
            k += 1
            if now - ts > s.spike_ms * MS:
                break
            if 4 * abs(at - before) <= change:
                found += 1
                break
    return found
