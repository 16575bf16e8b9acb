"""Random markets and orders for the exchange's property tests: few prices, so that everything meets everything."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from chimera_platform.execution.records import OrderType, TimeInForce
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.simulation.exchange.order_script import SCRIPT_DTYPE, ScriptAction
from chimera_platform.simulation.exchange.settings import QueueModel, SelfTradePrevention, VenueSettings

MILLISECOND = 1_000_000
START = 1_400_000_000_000_000_000
Row = dict[str, int]
sides = st.sampled_from((1, -1))
steps_ms = st.sampled_from((0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 5, 8, 8, 400, 1500, 40_000))
delays_ms = st.sampled_from((0, 1, 2, 3, 5, 9, 20, 60))


@st.composite
def level_rows(draw: st.DrawFn) -> Row:
    side = draw(sides)
    price = 100 - side * draw(st.sampled_from((1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 0)))
    return {"kind": EventKind.LEVEL, "side": side, "price": price, "size": draw(st.integers(0, 12))}


@st.composite
def print_rows(draw: st.DrawFn) -> Row:
    flags = draw(st.sampled_from((0,) * 8 + (EventFlag.HIDDEN, EventFlag.SNAPSHOT)))
    side, price = draw(st.sampled_from((1, 1, -1, -1, 0))), 100 + draw(st.integers(-4, 4))
    return {"kind": EventKind.TRADE, "side": side, "price": price, "size": draw(st.integers(1, 15)), "flags": flags}


@st.composite
def quote_rows(draw: st.DrawFn) -> Row:
    bid, spread = 100 - draw(st.integers(-1, 3)), draw(st.sampled_from((1, 1, 1, 2, 2, 3, 3, 0)))
    size, ask_size = draw(st.sampled_from((5, 9, 3, 1, 12, 0))), draw(st.sampled_from((5, 9, 3, 1, 12, 0)))
    return {"kind": EventKind.QUOTE, "price": bid, "size": size, "ask_price": bid + spread, "ask_size": ask_size}


statuses = st.sampled_from(list(StatusCode)).map(lambda code: {"kind": EventKind.STATUS, "price": code})


@st.composite
def ladders(draw: st.DrawFn) -> list[Row]:
    """A whole book in one source event, two-sided and uncrossed."""
    rows: list[Row] = [{"kind": EventKind.CLEAR}]
    for side in (1, -1):
        for distance in range(1, 5):
            size = draw(st.integers(0 if distance > 1 else 1, 12))
            if size:
                row = {"kind": EventKind.LEVEL, "side": side, "price": 100 - side * distance, "size": size}
                rows.append({**row, "flags": EventFlag.SNAPSHOT})
    return rows


class LiveOrders:
    """The L3 orders that rest in a stream being drawn, so that most records fit."""

    def __init__(self) -> None:
        self.resting: dict[int, Row] = {}
        self.next_id = 1

    def draw(self, draw: st.DrawFn) -> Row:
        side, what = draw(sides), draw(st.integers(0, 9))
        if what < 4 or sum(o["side"] == side for o in self.resting.values()) < 3:
            order = {"side": side, "price": 100 - side * draw(st.integers(1, 4)), "size": draw(st.integers(1, 12))}
            order_id, self.next_id = self.next_id, self.next_id + 1
            self.resting[order_id] = order
            return {"kind": EventKind.ADD, "order_id": order_id, **order}
        order_id = draw(st.sampled_from(sorted(self.resting)))
        if what >= 7:  # the market trades with who is first at its best price
            mine = [(-o["side"] * o["price"], i) for i, o in self.resting.items() if o["side"] == side]
            order_id = min(mine)[1] if mine else order_id
        order, kind = self.resting[order_id], EventKind.EXECUTE if what >= 7 else EventKind.CANCEL
        lots = draw(st.integers(1, order["size"]))
        row = {"kind": kind, "order_id": order_id, **order, "size": lots}
        if lots == order["size"]:
            del self.resting[order_id]
            row["kind"] = EventKind.DELETE if kind is EventKind.CANCEL else kind
        else:
            self.resting[order_id] = {**order, "size": order["size"] - lots}
        return row


def history(lots: int, move: int) -> list[Row]:
    """A market of 70 seconds before START with prints and moves, so that impact is known; then an empty book."""
    rows: list[Row] = []
    for k in range(35):
        ts, bid = START - (70 - 2 * k) * 1_000 * MILLISECOND, 99 + (k % 2) * move
        quote = {"kind": EventKind.QUOTE, "price": bid, "size": 5, "ask_price": bid + 2, "ask_size": 5}
        rows += [{**quote, "ts_event": ts, "flags": EventFlag.LAST}]
        rows += [{"kind": EventKind.TRADE, "price": bid, "size": lots, "ts_event": ts, "flags": EventFlag.LAST}]
    return [*rows, {"kind": EventKind.CLEAR, "ts_event": START, "flags": EventFlag.LAST}]


@st.composite
def markets(draw: st.DrawFn, feed: str, events_max: int = 40) -> np.ndarray[Any, Any]:
    """Draw EVENT_DTYPE of one instrument of an "l1", "l2" or "l3" feed, mostly tradable."""
    live, groups = LiveOrders(), []
    if feed == "l1":
        groups.append([{"kind": EventKind.QUOTE, "price": 99, "size": 8, "ask_price": 101, "ask_size": 8}])
    if feed == "l2":
        groups.append(draw(ladders()))
    elif feed == "l3":
        for side in (1, -1):
            for distance in (1, 1, 2, 3):
                order = {"side": side, "price": 100 - side * distance, "size": draw(st.integers(1, 12))}
                live.resting[live.next_id] = order
                groups.append([{"kind": EventKind.ADD, "order_id": live.next_id, **order}])
                live.next_id += 1
    for _ in range(draw(st.integers(3, events_max))):
        what = draw(st.integers(0, 39))
        if what == 39 and draw(st.booleans()):
            groups.append([draw(statuses)])
        elif what < 3 and feed == "l2":
            groups.append(draw(ladders()))
        elif feed == "l1":
            groups.append([draw(print_rows() if what < 12 else quote_rows())])
        elif feed == "l2":
            rows = st.one_of(print_rows(), level_rows(), level_rows())
            groups.append(draw(st.lists(rows, min_size=1, max_size=3)))
        else:
            groups.append([live.draw(draw) for _ in range(draw(st.integers(1, 2)))])
    ts, rows = START, history(draw(st.integers(1, 4)), draw(st.integers(1, 3))) if draw(st.booleans()) else []
    for seq, group in enumerate(groups):
        ts += draw(steps_ms) * MILLISECOND if seq > 8 else 0
        rows += [{**row, "ts_event": ts, "seq": seq} for row in group]
        rows[-1]["flags"] = rows[-1].get("flags", 0) | EventFlag.LAST
    return records(EVENT_DTYPE, rows)


ORDER_TYPES = [OrderType.LIMIT, OrderType.LIMIT, *OrderType]


@st.composite
def scripts(draw: st.DrawFn, times: list[int], orders_max: int = 8) -> np.ndarray[Any, Any]:
    """Draw SCRIPT_DTYPE rows soon after some of ``times`` (after START): all order types, cancels, replacements."""
    times = [ts for ts in times if ts > START] or [START + MILLISECOND]
    count, rows = draw(st.integers(1, orders_max)), []
    starts = st.sampled_from(times)
    for order_id in range(count):
        side, ts = draw(sides), draw(starts) + draw(st.sampled_from((0, 1, 2, 5))) * MILLISECOND
        kind = draw(st.sampled_from(ORDER_TYPES))
        row = {
            "action": ScriptAction.NEW, "id": order_id, "ts": ts, "order_type": kind, "side": side,
            "time_in_force": draw(st.sampled_from((TimeInForce.GTC, *TimeInForce))),
            "size": draw(st.integers(1, 20)),
            "end_ts": ts + draw(delays_ms) * draw(st.sampled_from((1, 1, 1000))) * MILLISECOND,
        }  # fmt: skip
        if kind not in (OrderType.MARKET, OrderType.STOP) and (kind < OrderType.TWAP or draw(st.booleans())
                                                               or kind > OrderType.VWAP):  # fmt: skip
            row["price"] = 100 - side * draw(st.sampled_from((1, 1, 1, 1, 2, 2, 3, 4, 0, 0, -1, -2, -3)))
        if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
            row["stop_price"] = 100 + side * draw(st.integers(0, 3))
        if kind in (OrderType.ICEBERG, OrderType.TWAP, OrderType.VWAP):
            row["display_size"] = draw(st.integers(0, 5))
        if draw(st.integers(0, 3)) == 0:
            row["expire_ts"] = ts + draw(delays_ms) * draw(st.sampled_from((1, 1, 1000))) * MILLISECOND
        rows.append(row)
        actions = (ScriptAction.CANCEL, ScriptAction.REPLACE, ScriptAction.REPLACE)
        for action in draw(st.lists(st.sampled_from(actions), max_size=0 if draw(st.booleans()) else 2)):
            later = {"action": action, "id": order_id, "ts": max(ts, draw(starts)) + draw(delays_ms) * MILLISECOND}
            if action is ScriptAction.REPLACE:
                moved = draw(st.sampled_from((0, 0, 1, -1, 2)))
                later["price"] = row.get("stop_price" if kind is OrderType.STOP else "price", 0)
                later["price"] += moved if later["price"] else 0
                later["size"] = draw(st.integers(1, 24))
            rows.append(later)
    ordered = sorted(enumerate(rows), key=lambda entry: (entry[1]["ts"], entry[0]))
    numbers: dict[int, int] = {}  # order numbers ascend with sending, as a client gives them
    for _, row in ordered:
        numbers.setdefault(row["id"], len(numbers))
    return records(SCRIPT_DTYPE, [{**row, "id": numbers[row["id"]]} for _, row in ordered])


latencies = st.sampled_from((0, MILLISECOND, 5 * MILLISECOND))
quantiles = st.one_of(st.just(()), st.lists(st.integers(0, 8 * MILLISECOND), min_size=2, max_size=4).map(sorted))


@st.composite
def venues(draw: st.DrawFn, **fixed: Any) -> VenueSettings:
    """Draw venue settings; ``fixed`` ones are kept."""
    drawn = {
        **{f"{leg}_latency_ns": draw(latencies) for leg in ("order", "report", "feed")},
        **{f"{leg}_latency_quantiles_ns": tuple(draw(quantiles)) for leg in ("order", "report", "feed")},
        "queue_model": draw(st.sampled_from(list(QueueModel))),
        "queue_power": draw(st.sampled_from((0.5, 1.0, 2.0, 3.0))),
        "max_walk_levels": draw(st.sampled_from((1, 2, 10))),
        "protection_ppm": draw(st.sampled_from((0, 10_000, 30_000, 1_000_000))),
        "impact_coefficient": draw(st.sampled_from((0.0, 0.5, 1.0, 3.0))),
        "impact_half_life_ns": draw(st.sampled_from((60_000 * MILLISECOND, 600_000 * MILLISECOND))),
        "reject_probability": draw(st.sampled_from((0.0, 0.0, 0.3))),
        "messages_per_second": draw(st.sampled_from((0, 0, 10, 300))),
        "message_burst": draw(st.integers(1, 4)),
        "max_order_lots": draw(st.sampled_from((0, 0, 15))),
        "price_band_ppm": draw(st.sampled_from((0, 0, 10_000))),
        "self_trade_prevention": draw(st.sampled_from(list(SelfTradePrevention))),
        "seed": draw(st.integers(0, 1000)),
    }  # fmt: skip
    return VenueSettings(**{**drawn, **fixed})


def records(dtype: np.dtype[Any], rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """Return records from dictionaries; what a row does not name is 0."""
    made = np.zeros(len(rows), dtype)
    for number, row in enumerate(rows):
        for name, value in row.items():
            made[name][number] = int(value)
    return made
