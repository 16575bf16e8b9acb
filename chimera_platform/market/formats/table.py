"""Generic tables of quotes, trades or any event, with named columns, real prices and real sizes.

Every table has ``ts_ns`` (ns UTC, never going back) and ``symbol``. What else it has decides what its rows are:

======  ======================================  ==========================================================
rows    columns                                 meaning
======  ======================================  ==========================================================
quotes  ``bid, bid_size, ask, ask_size``        QUOTE; a side of size 0 is empty, its price is not looked at
trades  ``price, size`` [``side``]              TRADE; side 1 buyer, -1 seller, 0 unknown aggressor
events  ``kind, side, price, size``             any event; kind by its name in ``EventKind``
        [``order_id, ask_price, ask_size``]     for STATUS, price is the ``StatusCode``; for QUOTE, both sides;
                                                with order ids, MODIFY holds the order's new price and size
        [``flags``]                             as ``EventFlag``; without the column every row is a LAST
======  ======================================  ==========================================================

All may have ``seq`` (without it: the row's number from 0 in its file) and ``ts_recv_ns`` (without it: ``ts_ns``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.market.formats.stream import new_events
from chimera_platform.market.formats.text import Block, Column, to_lots, to_ticks
from chimera_platform.market.instruments import Instrument
from chimera_platform.market.orders_l3 import OrderTable

Table = Mapping[str, np.ndarray[Any, Any]]

_COLUMNS = {
    column.name: column
    for column in (
        Column("ts_ns", "integer"),
        Column("symbol", "text"),
        Column("seq", "integer"),
        Column("ts_recv_ns", "integer"),
        Column("bid", "number"),
        Column("bid_size", "number"),
        Column("ask", "number"),
        Column("ask_size", "number"),
        Column("kind", "text"),
        Column("side", "integer"),
        Column("price", "number"),
        Column("size", "number"),
        Column("order_id", "integer"),
        Column("ask_price", "number"),
        Column("flags", "integer"),
    )
}
_SHAPES = {
    "quotes": ({"bid", "bid_size", "ask", "ask_size"}, set[str]()),
    "events": ({"kind", "side", "price", "size"}, {"order_id", "ask_price", "ask_size", "flags"}),
    "trades": ({"price", "size"}, {"side"}),
}
_CODES = {kind.name: int(kind) for kind in EventKind}
_NO_PRICE = (int(EventKind.CLEAR), int(EventKind.STATUS))
_QUOTE, _STATUS, _CLEAR = int(EventKind.QUOTE), int(EventKind.STATUS), int(EventKind.CLEAR)


def is_event_table(names: Sequence[str]) -> bool:
    """Return whether a table of these columns can be one of ours."""
    return {"ts_ns", "symbol"} <= set(names)


def table_columns(label: str, names: Sequence[str]) -> tuple[str, list[Column]]:
    """Return what the rows are (``quotes``, ``trades`` or ``events``) and the typed columns, in the table's order."""
    present = set(names)
    if len(present) != len(names):
        raise DataError(f"{label}: a column name stands twice in {','.join(names)}")
    for shape, (required, optional) in _SHAPES.items():
        if required <= present:
            extra = present - required - optional - {"ts_ns", "symbol", "seq", "ts_recv_ns"}
            if extra or not is_event_table(names):
                wrong = f"unknown columns {', '.join(sorted(extra))}" if extra else "no column ts_ns or symbol"
                raise DataError(f"{label}: {wrong} in a table of {shape}")
            return shape, [_COLUMNS[name] for name in names]
    raise DataError(
        f"{label}: columns {','.join(names)}; expected ts_ns,symbol and bid,bid_size,ask,ask_size (quotes) "
        "or price,size (trades) or kind,side,price,size (events)"
    )


def order_resolver(shape: str, names: Iterable[str]) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return what makes a file's order records self-contained: an order table where its events carry ids."""
    return OrderTable().resolve if shape == "events" and "order_id" in names else lambda events: events


def table_events(
    block: Block,
    shape: str,
    table: Table,
    first_row: int,
    instruments: Mapping[str, Instrument],
    ids: Mapping[str, int],
) -> np.ndarray[Any, Any]:
    """Return the rows of the symbols in ``ids`` as events; ``first_row`` is the number of the first row in its file."""
    symbol = table["symbol"]
    known = np.isin(symbol, list(instruments))
    block.require(known, "symbol", symbol, f"a known symbol ({', '.join(instruments)})")
    count = symbol.size
    events = new_events(count, 0)
    events["ts_event"] = table["ts_ns"]
    events["ts_recv"] = table.get("ts_recv_ns", table["ts_ns"])
    events["seq"] = table.get("seq", np.arange(first_row, first_row + count))
    events["order_id"] = table.get("order_id", 0)
    events["flags"] = _flags(block, table)
    events["kind"] = _kinds(block, shape, table)
    side = table.get("side", np.zeros(count, np.int64))
    block.require(np.abs(side) <= 1, "side", side, "1, -1 or 0")
    events["side"] = side
    prices = ("bid", "bid_size", "ask") if shape == "quotes" else ("price", "size", "ask_price")
    chosen = np.zeros(count, bool)
    for name, instrument_id in ids.items():
        rows = np.flatnonzero(symbol == name)
        chosen[rows] = True
        events["instrument_id"][rows] = instrument_id
        _fill_prices(block.at(rows), events, rows, table, prices, instruments[name])
    return events[chosen]


def _flags(block: Block, table: Table) -> Any:
    flags = table.get("flags")
    if flags is None:
        return int(EventFlag.LAST)
    every = int(sum(EventFlag))
    block.require((flags >= 0) & (flags <= every), "flags", flags, f"a sum of event flags, 0 to {every}")
    return flags


def _kinds(block: Block, shape: str, table: Table) -> Any:
    if shape != "events":
        return _QUOTE if shape == "quotes" else int(EventKind.TRADE)
    names = table["kind"]
    block.require(np.isin(names, list(_CODES)), "kind", names, f"one of {', '.join(_CODES)}")
    return np.array([_CODES[name] for name in names.tolist()], np.uint8)


def _fill_prices(
    block: Block,
    events: np.ndarray[Any, Any],
    rows: np.ndarray[Any, Any],
    table: Table,
    names: tuple[str, str, str],
    instrument: Instrument,
) -> None:
    price_name, size_name, ask_name = names
    kind = events["kind"][rows]
    price, size = table[price_name][rows], table[size_name][rows]
    events["size"][rows] = lots = to_lots(block, size_name, size, instrument)
    one_tick = float(instrument.tick_size)  # stands in where the row has no price
    priced = ~np.isin(kind, _NO_PRICE) & ~((kind == _QUOTE) & (lots == 0))
    ticks = to_ticks(block, price_name, np.where(priced, price, one_tick), instrument)
    is_code = np.isin(price, [int(code) for code in StatusCode])
    block.require((kind != _STATUS) | is_code, price_name, price, "a status code, 1 to 5, in a STATUS row")
    events["price"][rows] = np.where(priced, ticks, np.where(kind == _STATUS, price, 0).astype(np.int64))
    if ask_name in table and "ask_size" in table:
        ask = table[ask_name][rows]
        ask_lots = np.where(kind == _QUOTE, to_lots(block, "ask_size", table["ask_size"][rows], instrument), 0)
        ask_ticks = to_ticks(block, ask_name, np.where(ask_lots > 0, ask, one_tick), instrument)
        events["ask_size"][rows] = ask_lots
        events["ask_price"][rows] = np.where(ask_lots > 0, ask_ticks, 0)
