"""The simulated venue's statement of the account, from its own slots, and what it does when client and venue part.

Reports in the ring are on their way: the session has them and will deliver them, so the statement is of the time
before them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from chimera_platform.execution.records import OrderStatus
from chimera_platform.execution.reports import ReportKind
from chimera_platform.execution.venue_statement import EXECUTION_DTYPE, STATED_ORDER_DTYPE, VenueStatement
from chimera_platform.simulation.exchange.records import NEVER, REPORTS_MAX, VenueOrderState
from chimera_platform.simulation.exchange.state import Exchange

_IN_FLIGHT, _DONE = int(VenueOrderState.IN_FLIGHT), int(VenueOrderState.DONE)
_ENDS = (ReportKind.CANCELLED, ReportKind.REJECTED, ReportKind.EXPIRED)
_NO_EXECUTIONS = np.zeros(0, EXECUTION_DTYPE)


def reports_on_their_way(market: Any) -> np.ndarray[Any, Any]:
    """Return the reports (REPORT_DTYPE) of an instrument that the client has not got yet, oldest first."""
    ring = (int(market["reports_first"]) + np.arange(int(market["reports_count"]))) % REPORTS_MAX
    return np.asarray(market["reports"])[ring]


def simulated_statement(
    exchange: Exchange, known: Collection[int], executions: np.ndarray[Any, Any] = _NO_EXECUTIONS
) -> VenueStatement:
    """Return what the simulated venue states.

    Parameters
    ----------
    exchange : its state, between two events.
    known : numbers of the client's orders: trades of any other, once reported, would not be booked.
    executions : EXECUTION_DTYPE, reports of trades that were lost and are told again.
    """
    stated: list[np.ndarray[Any, Any]] = []
    positions = exchange.markets["position"].astype(np.int64)
    for i, market in enumerate(exchange.markets):
        waiting = reports_on_their_way(market)
        trades = waiting[(waiting["kind"] == ReportKind.TRADE) & np.isin(waiting["order_no"], list(known))]
        positions[i] -= int((trades["side"].astype(np.int64) * trades["lots"]).sum())
        stated += [_stated(i, order, waiting) for order in exchange.orders[i] if order["state"] != 0]
    orders = np.concatenate(stated) if stated else np.zeros(0, STATED_ORDER_DTYPE)
    return VenueStatement(orders, executions, positions, exchange.markets["next_exec_no"].astype(np.int64))


def _stated(i: int, order: Any, waiting: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the order of a slot as it was before the reports that are on their way."""
    own = waiting[waiting["order_no"] == order["order_no"]]
    row = np.zeros(1, STATED_ORDER_DTYPE)
    for name in ("order_no", "size", "price", "slot", "is_triggered", "side"):
        row[name] = order[name]
    row["instrument_id"] = i
    row["filled"] = int(order["filled"]) - int(own["lots"].sum())
    row["average_price"] = np.nan
    row["status"] = _status(order, own, int(row["filled"][0]))
    row["has_cancel"] = order["cancel_ts"] != NEVER or _has(own, (ReportKind.CANCELLED, ReportKind.CANCEL_REJECTED))
    row["has_replace"] = order["replace_ts"] != NEVER or _has(own, (ReportKind.REPLACED, ReportKind.CANCEL_REJECTED))
    row["is_triggered"] = order["is_triggered"] and not _has(own, (ReportKind.TRIGGERED,))
    return row


def _has(reports: np.ndarray[Any, Any], kinds: tuple[ReportKind, ...]) -> bool:
    return bool(np.isin(reports["kind"], kinds).any())


def _status(order: Any, own: np.ndarray[Any, Any], filled: int) -> OrderStatus:
    if order["state"] == _IN_FLIGHT or _has(own, (ReportKind.NEW, ReportKind.REJECTED)):
        return OrderStatus.PENDING_NEW
    if order["state"] != _DONE or _has(own, _ENDS):
        return OrderStatus.PARTIALLY_FILLED if filled > 0 else OrderStatus.NEW
    if order["filled"] >= order["size"]:  # its last trades may be on their way
        is_told = filled >= order["size"]
        return OrderStatus.FILLED if is_told else OrderStatus.PARTIALLY_FILLED if filled > 0 else OrderStatus.NEW
    return OrderStatus.CANCELLED


def withdraw_order(exchange: Exchange, i: int, order_no: int) -> bool:
    """End an order at once, without a report: the answer is the next statement. False where it is not open."""
    for order in exchange.orders[i]:
        if order["order_no"] == order_no and order["state"] not in (0, _DONE):
            order["state"] = _DONE
            order["cancel_ts"] = order["replace_ts"] = NEVER
            order["shown"] = order["matched"] = 0
            exchange.markets[i]["is_changed"] = 1
            return True
    return False


def close_slot(
    exchange: Exchange, i: int, slot: int, order_no: int, side: int, price: int, size: int, filled: int
) -> None:
    """Let a slot hold an order that has ended: one that the venue had lost, or an adjustment that it never had."""
    order = exchange.orders[i, slot]
    order["order_no"], order["side"], order["price"] = order_no, side, price
    order["size"], order["filled"] = size, filled
    order["state"] = _DONE
    order["cancel_ts"] = order["replace_ts"] = NEVER
    order["shown"] = order["matched"] = 0
    exchange.markets[i]["is_changed"] = 1


def forget_reports(exchange: Exchange, i: int, known: Collection[int]) -> None:
    """Take the reports of orders that the client does not know out of an instrument's ring.

    Answers to cancels stay: they may be of an order whose slot has the next one already.
    """
    market = exchange.markets[i]
    waiting = reports_on_their_way(market)
    kept = waiting[np.isin(waiting["order_no"], list(known)) | (waiting["kind"] == ReportKind.CANCEL_REJECTED)]
    if len(kept) == len(waiting):
        return
    ring = (int(market["reports_first"]) + np.arange(len(kept))) % REPORTS_MAX
    market["reports"][ring] = kept
    market["reports_count"] = len(kept)
