"""Triple-barrier labels by the definition, one intent at a time, in plain Python."""

from __future__ import annotations

from typing import Any


def label(intent: Any, quotes: list[Any], end_ns: int, spec: Any, latency_ns: int) -> tuple[int, int, int, int]:
    """Return (outcome, entry price, exit price, net nanos); 1 target, 2 stop, 3 time, 4 passes the end, 5 no market."""
    entry_ts = int(intent["ts_event"]) + latency_ns
    deadline = entry_ts + int(intent["max_hold_ns"])
    if deadline > end_ns:
        return 4, 0, 0, 0
    buy = intent["side"] > 0
    before = [q for q in quotes if q["ts_event"] <= entry_ts]
    entry = int(before[-1]["ask_price" if buy else "bid_price"]) if before else 0
    if entry == 0:
        return 5, 0, 0, 0
    price, outcome = int(before[-1]["bid_price" if buy else "ask_price"]), 3
    for quote in (q for q in quotes if entry_ts < q["ts_event"] <= deadline):
        price = int(quote["bid_price" if buy else "ask_price"])
        moved = (price - entry) if buy else (entry - price)
        if price > 0 and moved >= intent["target_distance"]:
            outcome = 1
            break
        if price > 0 and moved <= -intent["stop_distance"]:
            outcome = 2
            break
    if price == 0:
        return 5, 0, 0, 0
    tick = int(spec["tick_value_nanos"])
    gross = ((price - entry) if buy else (entry - price)) * tick
    fees = sum(
        int(spec["taker_fee_per_lot_nanos"]) + p * tick * int(spec["taker_fee_ppm"]) // 1_000_000
        for p in (entry, price)
    )
    return outcome, entry, price, gross - fees


def best_move(intent: Any, quotes: list[Any], latency_ns: int) -> int:
    """Return the largest profit in ticks, at least 0, of the quotes between the entry and the first one at the stop."""
    entry_ts, side = int(intent["ts_event"]) + latency_ns, int(intent["side"])
    sides = ("ask_price", "bid_price") if side > 0 else ("bid_price", "ask_price")
    entry = int([q for q in quotes if q["ts_event"] <= entry_ts][-1][sides[0]])
    inside = [q for q in quotes if entry_ts < q["ts_event"] <= entry_ts + int(intent["max_hold_ns"])]
    moves = [side * (int(q[sides[1]]) - entry) for q in inside if q[sides[1]] > 0]
    stopped = [k for k, move in enumerate(moves) if move <= -int(intent["stop_distance"])]
    return max([0, *moves[: stopped[0] if stopped else None]])
