"""Execution reports as a table for people and other programs: real prices and sizes, names for codes."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa

from chimera_platform.execution.records import Liquidity, OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.market.instruments import Instrument


def _names(codes: np.ndarray[Any, Any], members: type[IntEnum]) -> pa.Array:
    """Return the members' names in lower case; null for 0."""
    return pa.array([members(code).name.lower() if code else None for code in codes.tolist()], pa.string())


def report_table(reports: np.ndarray[Any, Any], instrument: Instrument) -> pa.RecordBatch:
    """Return reports (REPORT_DTYPE) as rows.

    ``id, exec_no, ts_venue_ns, ts_received_ns, kind, side, price, size, filled, order_size, bid, ask, liquidity,
    reason``: ``price`` is null where there is none (a market order); ``size`` that of the trade, 0 otherwise.
    """
    price = instrument.ticks_to_price(reports["price"])
    columns = {
        "id": reports["order_no"],
        "exec_no": reports["exec_no"],
        "ts_venue_ns": reports["ts_venue"],
        "ts_received_ns": reports["ts_received"],
        "kind": _names(reports["kind"], ReportKind),
        "side": pa.array(["buy" if side > 0 else "sell" for side in reports["side"].tolist()], pa.string()),
        "price": pa.array(price.astype(float), mask=(reports["price"] == 0) & (reports["lots"] == 0)),
        "size": instrument.lots_to_size(reports["lots"]).astype(float),
        "filled": instrument.lots_to_size(reports["filled"]).astype(float),
        "order_size": instrument.lots_to_size(reports["size"]).astype(float),
        "bid": instrument.ticks_to_price(reports["bid_price"]).astype(float),
        "ask": instrument.ticks_to_price(reports["ask_price"]).astype(float),
        "liquidity": _names(reports["liquidity"], Liquidity),
        "reason": _names(reports["reason"], OrderReason),
    }
    return pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items()})
