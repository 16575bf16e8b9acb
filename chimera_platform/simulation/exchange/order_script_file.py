"""Order scripts as CSV files, in real prices and sizes: read with every row checked."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import DataError, MalformedRow
from chimera_platform.execution.records import OrderType, TimeInForce
from chimera_platform.market.instruments import Instrument
from chimera_platform.simulation.exchange.order_script import SCRIPT_DTYPE, ScriptAction

COLUMNS = (
    *("ts_ns", "action", "id", "side", "type", "tif", "size", "price"),
    *("stop_price", "display_size", "expire_ts", "end_ts"),
)
REQUIRED = ("ts_ns", "action", "id")
_SIDES = {"buy": 1, "sell": -1}
_LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.ICEBERG, OrderType.POST_ONLY)
_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
_ALGORITHMS = (OrderType.TWAP, OrderType.VWAP)
_INT64_MAX = int(np.iinfo(np.int64).max)


class _Row:
    """One row of the file: fields by name, errors with their place."""

    def __init__(self, path: Path, line: int, fields: dict[str, str], instrument: Instrument) -> None:
        self.path, self.line, self.fields, self.instrument = path, line, fields, instrument

    def text(self, field: str) -> str:
        return (self.fields.get(field) or "").strip()

    def refuse(self, field: str, expected: str) -> MalformedRow:
        return MalformedRow(self.path, self.line, field, self.text(field), expected)

    def one_of(self, field: str, names: dict[str, int]) -> int:
        found = names.get(self.text(field).lower())
        if found is None:
            raise self.refuse(field, " or ".join(names))
        return found

    def whole(self, field: str, lowest: int, expected: str) -> int:
        try:
            value = int(self.text(field))
        except ValueError:
            raise self.refuse(field, expected) from None
        if not lowest <= value <= _INT64_MAX:
            raise self.refuse(field, expected)
        return value

    def blank(self, field: str, expected: str) -> int:
        if self.text(field):
            raise self.refuse(field, expected)
        return 0

    def ticks(self, field: str) -> int:
        return self._steps(field, self.instrument.price_to_ticks, "a price")

    def lots(self, field: str) -> int:
        lots = self._steps(field, self.instrument.size_to_lots, "a size")
        if lots < 1:
            raise self.refuse(field, "a size above 0")
        return lots

    def _steps(self, field: str, convert: Any, what: str) -> int:
        step = self.instrument.tick_size if what == "a price" else self.instrument.lot_size
        try:
            steps = int(convert(self.text(field)))
        except (DataError, OverflowError, ValueError):
            raise self.refuse(field, f"{what} in steps of {step}") from None
        if abs(steps) > _INT64_MAX >> 16:
            raise self.refuse(field, f"{what} of less than {(_INT64_MAX >> 16) + 1} steps")
        return steps


def _names(members: type[IntEnum]) -> dict[str, int]:
    return {member.name.lower(): int(member) for member in members}


def _read_new(row: _Row, target: Any) -> None:
    """Fill in the terms of a new order."""
    kind = OrderType(row.one_of("type", _names(OrderType)))
    default = TimeInForce.IOC if kind == OrderType.MARKET else TimeInForce.GTC
    tif = TimeInForce(row.one_of("tif", _names(TimeInForce))) if row.text("tif") else default
    name = kind.name.lower()
    target["order_type"], target["time_in_force"] = kind, tif
    target["side"] = row.one_of("side", _SIDES)
    target["size"] = row.lots("size")
    has_price = kind in _LIMITS or (kind in _ALGORITHMS and row.text("price"))
    target["price"] = row.ticks("price") if has_price else row.blank("price", f"nothing for a {name} order")
    is_stop = kind in _STOPS
    target["stop_price"] = row.ticks("stop_price") if is_stop else row.blank("stop_price", f"nothing for {name}")
    if kind == OrderType.ICEBERG or (kind in _ALGORITHMS and row.text("display_size")):
        target["display_size"] = row.lots("display_size")
    else:
        row.blank("display_size", f"nothing for a {name} order")
    ts = int(target["ts"])
    if tif == TimeInForce.GTD or row.text("expire_ts"):
        target["expire_ts"] = row.whole("expire_ts", ts + 1, f"ns UTC after ts_ns, {ts}")
    if kind in _ALGORITHMS:
        target["end_ts"] = row.whole("end_ts", ts + 1, f"ns UTC after ts_ns, {ts}")
    else:
        row.blank("end_ts", f"nothing for a {name} order")


def _read_row(row: _Row, target: Any, known: dict[int, OrderType], last_ts: int) -> None:
    target["ts"] = row.whole("ts_ns", 0, "ns UTC")
    if target["ts"] < last_ts:
        raise row.refuse("ts_ns", f"rows in the order of time: {last_ts} or later")
    target["action"] = row.one_of("action", _names(ScriptAction))
    order_id = row.whole("id", 0, "a whole number from 0")
    target["id"] = order_id
    if (target["action"] == ScriptAction.NEW) == (order_id in known):
        is_new = target["action"] == ScriptAction.NEW
        raise row.refuse("id", "an id that no row above has" if is_new else "the id of a new order in a row above")
    if target["action"] == ScriptAction.NEW:
        _read_new(row, target)
        known[order_id] = OrderType(int(target["order_type"]))
    elif target["action"] == ScriptAction.REPLACE:
        target["size"] = row.lots("size")
        needs_price = known[order_id] not in (*_ALGORITHMS, OrderType.MARKET)
        target["price"] = row.ticks("price") if needs_price or row.text("price") else 0


def _rows(path: Path, instrument: Instrument) -> Iterator[_Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [name.strip() for name in reader.fieldnames or ()]
            missing = [name for name in REQUIRED if name not in names]
            unknown = [name for name in names if name not in COLUMNS]
            if missing or unknown or len(set(names)) != len(names):
                wrong = f"no column {missing[0]!r}" if missing else f"column {(unknown or names)[0]!r}"
                raise DataError(f"{path}, line 1: {wrong}; expected a header of {', '.join(COLUMNS)}")
            reader.fieldnames = names
            for fields in reader:
                row = _Row(path, reader.line_num, fields, instrument)
                if None in fields:
                    raise MalformedRow(path, reader.line_num, "(none)", fields[None], f"{len(names)} fields")
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as an order script: {error}") from error


def load_script(path: Path, instrument: Instrument) -> np.ndarray[Any, Any]:
    """Return the order script of a CSV file.

    Parameters
    ----------
    path : CSV with the header ``ts_ns,action,id,side,type,tif,size,price,stop_price,display_size,expire_ts,end_ts``
        (only the first three must be there), rows ascending in ``ts_ns`` (ns UTC). ``action`` is new, cancel or
        replace; ``side`` buy or sell; ``type`` and ``tif`` the names of OrderType and TimeInForce, ``tif`` GTC where
        it is blank (IOC for a market order); what does not concern an order type is left blank.
    instrument : converts its prices and sizes.

    Returns
    -------
    SCRIPT_DTYPE, a row a line.

    Raises
    ------
    DataError : the file cannot be read, or its header is another; MalformedRow names line, field, value, expectation.
    """
    parts: list[np.ndarray[Any, Any]] = []
    known: dict[int, OrderType] = {}
    last_ts = 0
    for row in _rows(path, instrument):
        part = np.zeros(1, SCRIPT_DTYPE)
        _read_row(row, part[0], known, last_ts)
        last_ts = int(part["ts"][0])
        parts.append(part)
    return np.concatenate(parts) if parts else np.zeros(0, SCRIPT_DTYPE)
