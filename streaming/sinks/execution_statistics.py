"""How the run's orders are executed, counted as they end; latencies are event time, as the client knew it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.execution.records import OrderStatus
from streaming.sinks.latency import LatencyHistogram

Records = np.ndarray[Any, Any]
_REQUESTS = (OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)
_ENDS = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED)


class ExecutionStatistics:
    """Counts orders and fills, and the times of sending → first answer → first fill of each order."""

    def __init__(self) -> None:
        self._acknowledged, self._filled = LatencyHistogram(), LatencyHistogram()
        self._sent: dict[int, int] = {}  # order_no → when it was sent, without an answer
        self._answered: dict[int, int] = {}  # order_no → when it was answered, without a fill
        self._ended = dict.fromkeys(_ENDS, 0)
        self._orders = self._lots = self._fills = 0
        self._slippage_half_tick_lots = 0
        self._quality = math.nan

    def add(self, orders: Records, fills: Records, risk_marks: Records) -> None:
        """Take in a batch's rows: ORDER_EVENT_DTYPE, FILL_DTYPE and RISK_MARK_DTYPE, in row-number order."""
        for row in orders:
            self._add_order_event(int(row["order_no"]), int(row["status"]), int(row["ts_event"]), int(row["ts_venue"]))
        self._fills += len(fills)
        self._lots += int(fills["size"].sum())
        beyond = 2 * fills["price"] - fills["decision_bid"] - fills["decision_ask"]
        self._slippage_half_tick_lots += int((fills["side"] * beyond * fills["size"]).sum())
        if len(risk_marks):
            self._quality = float(risk_marks["quality"][-1])

    def _add_order_event(self, order_no: int, status: int, ts: int, ts_venue: int) -> None:
        if status == OrderStatus.PENDING_NEW:
            self._orders += 1
            self._sent[order_no] = ts
        elif order_no in self._sent and (ts_venue != 0 or status not in _REQUESTS):
            self._acknowledged.add(ts - self._sent.pop(order_no))
            self._answered[order_no] = ts
        if order_no in self._answered and status in (OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED):
            self._filled.add(ts - self._answered.pop(order_no))
        if status in self._ended:
            self._ended[OrderStatus(status)] += 1
            self._sent.pop(order_no, None)
            self._answered.pop(order_no, None)

    def line(self) -> dict[str, Any]:
        """Return what there is to say, as plain JSON; None where nothing was measured.

        ``slippage_ticks`` is against the mid at the decision, positive: worse; ``quality`` as last marked.
        """
        return {
            "orders": self._orders,
            **{status.name.lower(): count for status, count in self._ended.items()},
            "fills": self._fills,
            "lots": self._lots,
            "slippage_ticks": round(self._slippage_half_tick_lots / self._lots / 2, 4) if self._lots else None,
            "send_to_ack_ms": _milliseconds(self._acknowledged),
            "ack_to_fill_ms": _milliseconds(self._filled),
            "quality": None if math.isnan(self._quality) else round(self._quality, 4),
        }


def _milliseconds(histogram: LatencyHistogram) -> dict[str, float] | None:
    if histogram.count == 0:
        return None
    return {f"p{p}": round(histogram.percentile_ns(p) / 1e6, 3) for p in (50, 99)}
