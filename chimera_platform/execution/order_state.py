"""The client's side of an order: what it knows from what it has sent and what venues have reported.

Reports may come twice, late, in another order than they were written, or for no order at all. Each gets an
:class:`Outcome`; only ``APPLIED`` and ``LATE_FILL`` change the order, so that doing it again changes nothing.

*Fills* are known by the lots that they cover: a trade of ``lots`` that leaves ``filled`` lots filled covers the
interval [filled - lots, filled) of the order. An interval beyond all that was reported is new, and leaves a *gap* where
it does not begin at the last one's end; one inside a gap closes it; one that is known is a duplicate; one that is
partly known contradicts what was said before. A venue's cumulative quantity in any other report opens a gap as well:
what it counts and the client has not seen is still to come. A fill is booked whatever state the order is in, up to its
size: a venue that trades after its own cancel has traded.

*Answers* (``REPLACED``, ``CANCEL_REJECTED``) belong to the one request that is on its way; the client has only one at
a time, so that an answer names its request. All other reports move the state forward at most once.

After the order state change matrices of the FIX protocol (FIX 4.4 with errata, volume 4, appendix D).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.execution.order_states import OrderInput, transition_masks
from chimera_platform.execution.quality import EXECUTION_DTYPE
from chimera_platform.execution.records import OrderStatus, OrderType
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import record_kernel

GAPS_MAX = 8
NO_EXEC = -1

PENDING_NEW, NEW = int(OrderStatus.PENDING_NEW), int(OrderStatus.NEW)
PARTIALLY_FILLED, FILLED = int(OrderStatus.PARTIALLY_FILLED), int(OrderStatus.FILLED)
PENDING_CANCEL, CANCELLED = int(OrderStatus.PENDING_CANCEL), int(OrderStatus.CANCELLED)
REJECTED, EXPIRED = int(OrderStatus.REJECTED), int(OrderStatus.EXPIRED)
PENDING_REPLACE = int(OrderStatus.PENDING_REPLACE)
_STOP, _STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
_R_NEW, _R_TRADE, _R_CANCELLED = int(ReportKind.NEW), int(ReportKind.TRADE), int(ReportKind.CANCELLED)
_R_REPLACED, _R_REJECTED, _R_EXPIRED = int(ReportKind.REPLACED), int(ReportKind.REJECTED), int(ReportKind.EXPIRED)
_R_TRIGGERED, _R_CANCEL_REJECTED = int(ReportKind.TRIGGERED), int(ReportKind.CANCEL_REJECTED)
_CANCEL, _REPLACE = int(OrderInput.CANCEL), int(OrderInput.REPLACE)
_MASKS = transition_masks()


class Outcome(IntEnum):
    """What became of a report."""

    APPLIED = 1
    LATE_FILL = 2  # booked, though the order had been reported as ended
    DUPLICATE = 3  # said before
    LATE = 4  # older than what is known, or about an order that has ended
    UNSOLICITED = 5  # of no order of the client, or an answer to nothing that was asked
    ILLEGAL = 6  # contradicts what was said before, or what was ordered


class Request(IntEnum):
    """What the client has asked for and has no answer to."""

    NONE = 0
    CANCEL = 1
    REPLACE = 2


APPLIED, LATE_FILL, DUPLICATE = int(Outcome.APPLIED), int(Outcome.LATE_FILL), int(Outcome.DUPLICATE)
LATE, UNSOLICITED, ILLEGAL = int(Outcome.LATE), int(Outcome.UNSOLICITED), int(Outcome.ILLEGAL)
_NONE, _ASKED_CANCEL, _ASKED_REPLACE = int(Request.NONE), int(Request.CANCEL), int(Request.REPLACE)

ORDER_DTYPE = np.dtype(
    [
        ("order_no", "<i8"),
        ("intent_no", "<i8"),
        ("ts_sent", "<i8"),  # ns UTC
        ("price", "<i8"),  # ticks; limit, 0 for none
        ("stop_price", "<i8"),  # ticks; 0 for none
        ("size", "<i8"),  # lots ordered
        ("display_size", "<i8"),  # lots shown at a time; 0: all
        ("filled", "<i8"),  # lots whose fills are known
        ("reported", "<i8"),  # lots filled by the venue's own count, as far as any report told
        ("replace_price", "<i8"),  # ticks asked for
        ("replace_size", "<i8"),  # lots asked for
        ("last_exec_no", "<i8"),  # of the last report that changed the state; NO_EXEC
        ("answer_exec_no", "<i8"),  # of the last answer to a request; NO_EXEC
        ("reserved_per_lot_nanos", "<i8"),  # notional of a lot at the decision price; 0 for an exit
        ("decision_bid", "<i8"),  # ticks
        ("decision_ask", "<i8"),  # ticks
        ("gap_start", "<i8", (GAPS_MAX,)),  # lots reported as filled by others' count: [start, end)
        ("gap_end", "<i8", (GAPS_MAX,)),
        ("execution", EXECUTION_DTYPE),  # how it goes
        ("reason", "<u2"),  # OrderReason it was sent for
        ("cancel_reason", "<u2"),  # OrderReason of the cancel
        ("order_type", "u1"),
        ("time_in_force", "u1"),
        ("status", "u1"),  # OrderStatus; 0 before the first order
        ("is_open", "u1"),  # 1: it can still fill, or fills of it are missing
        ("is_acknowledged", "u1"),  # 1: the venue has accepted it
        ("is_triggered", "u1"),  # 1: a stop that is in the book
        ("request", "u1"),  # Request on its way
        ("gaps", "u1"),  # in use
        ("is_exit", "u1"),
        ("side", "i1"),
    ]
)


@record_kernel
def is_applied(outcome: int) -> bool:
    """Return whether a report of this :class:`Outcome` has changed its order."""
    return outcome in (APPLIED, LATE_FILL)


@record_kernel
def has_ended(order: Any) -> bool:
    """Return whether the order is in a state in which its venue does nothing more with it."""
    status = order.status
    return status in (FILLED, CANCELLED, REJECTED, EXPIRED)


@record_kernel
def open_lots(order: Any) -> int:
    """Return the lots that the order can still fill, or that a venue counts as filled and has not reported yet."""
    if has_ended(order):
        return order.reported - order.filled
    return order.size - order.filled


@record_kernel
def start_order(order: Any) -> None:
    """Put a slot whose terms (numbers, side, size, prices, type) have been written into the state: just sent."""
    order.filled = 0
    order.reported = 0
    order.replace_price = 0
    order.replace_size = 0
    order.last_exec_no = NO_EXEC
    order.answer_exec_no = NO_EXEC
    order.status = PENDING_NEW
    order.is_open = 1
    order.is_acknowledged = 0
    order.is_triggered = 0
    order.request = _NONE
    order.gaps = 0


@record_kernel
def _live_status(order: Any) -> int:
    """Return the state of an order that has not been reported as ended."""
    if order.filled == order.size:
        return FILLED
    if order.request == _ASKED_CANCEL:
        return PENDING_CANCEL
    if order.request == _ASKED_REPLACE:
        return PENDING_REPLACE
    if order.filled > 0:
        return PARTIALLY_FILLED
    return NEW if order.is_acknowledged == 1 else PENDING_NEW


@record_kernel
def _is_allowed(order: Any, input_code: int) -> bool:
    """Return whether the table knows any transition from the order's state on this input."""
    return _MASKS[order.status, input_code] != 0


@record_kernel
def _enter(order: Any, status: int) -> None:
    order.status = status
    order.is_open = 1 if open_lots(order) > 0 else 0


@record_kernel
def can_request(order: Any, input_code: int) -> bool:
    """Return whether the client may send a cancel or replacement now (:class:`OrderInput` CANCEL, REPLACE)."""
    return order.is_open == 1 and order.request == _NONE and _is_allowed(order, input_code)


@record_kernel
def note_cancel(order: Any) -> bool:
    """Note that a cancel is being sent; False, and nothing done, where none may be sent now."""
    if not can_request(order, _CANCEL):
        return False
    order.request = _ASKED_CANCEL
    _enter(order, _live_status(order))
    return True


@record_kernel
def note_replace(order: Any, price: int, size: int) -> bool:
    """Note that a replacement is being sent; False, and nothing done, where none may be sent, or not of this size."""
    if not can_request(order, _REPLACE) or size <= order.filled:
        return False
    order.request = _ASKED_REPLACE
    order.replace_price = price
    order.replace_size = size
    _enter(order, _live_status(order))
    return True


@record_kernel
def _add_gap(order: Any, start: int, end: int) -> None:
    if end > start:
        order.gap_start[order.gaps] = start
        order.gap_end[order.gaps] = end
        order.gaps += 1


@record_kernel
def _close_gap(order: Any, k: int, start: int, end: int) -> bool:
    """Take [start, end) out of gap ``k``, which holds it; False where there is no room for what that leaves."""
    low, high = order.gap_start[k], order.gap_end[k]
    rest = (1 if start > low else 0) + (1 if end < high else 0)
    if order.gaps - 1 + rest > GAPS_MAX:
        return False
    order.gaps -= 1
    order.gap_start[k] = order.gap_start[order.gaps]
    order.gap_end[k] = order.gap_end[order.gaps]
    _add_gap(order, low, start)
    _add_gap(order, end, high)
    return True


@record_kernel
def _count_lots(order: Any, start: int, end: int) -> int:
    """Enter a trade that covers [start, end) into what is known; return APPLIED, DUPLICATE or ILLEGAL."""
    if start >= order.reported:
        if start > order.reported and order.gaps == GAPS_MAX:
            return ILLEGAL
        _add_gap(order, order.reported, start)
        order.reported = end
        return APPLIED
    if end > order.reported:
        return ILLEGAL
    for k in range(order.gaps):
        if order.gap_start[k] < end and start < order.gap_end[k]:
            inside = order.gap_start[k] <= start and end <= order.gap_end[k]
            return APPLIED if inside and _close_gap(order, k, start, end) else ILLEGAL
    return DUPLICATE


@record_kernel
def _terms_in_force(order: Any, report: Any) -> Any:
    """Return size and price under which a report was written: those asked for where it shows that they are in force."""
    if order.request == _ASKED_REPLACE and report.size == order.replace_size and report.size != order.size:
        return order.replace_size, order.replace_price
    return order.size, order.price


@record_kernel
def _apply_trade(order: Any, report: Any) -> int:
    """Book a trade's lots."""
    size, price = _terms_in_force(order, report)
    if report.lots <= 0 or report.filled < report.lots or max(order.reported, report.filled) > size:
        return ILLEGAL  # terms below what the venue has counted were never in force
    outcome = _count_lots(order, report.filled - report.lots, report.filled)
    if outcome != APPLIED:
        return outcome
    was_ended = has_ended(order)
    order.size = size
    order.price = price
    order.filled += report.lots
    order.is_acknowledged = 1
    order.last_exec_no = report.exec_no
    if was_ended:
        _enter(order, FILLED if order.filled == order.size else order.status)
        return LATE_FILL
    _enter(order, _live_status(order))
    return APPLIED


@record_kernel
def _refusal(order: Any, report: Any) -> int:
    """Return why a report other than of a trade changes nothing, APPLIED where it does."""
    kind = report.kind
    if report.exec_no == order.last_exec_no or report.exec_no == order.answer_exec_no:
        return DUPLICATE
    if kind in (_R_REPLACED, _R_CANCEL_REJECTED):
        if report.exec_no < order.answer_exec_no or has_ended(order):
            return LATE
        asked = order.request == _ASKED_REPLACE or (kind == _R_CANCEL_REJECTED and order.request == _ASKED_CANCEL)
        if not asked:
            return UNSOLICITED
        if kind == _R_REPLACED and (report.size < order.reported or report.size < 1):
            return ILLEGAL
    elif has_ended(order) or (kind == _R_NEW and order.is_acknowledged == 1):
        return LATE
    elif kind == _R_TRIGGERED:
        if order.order_type != _STOP and order.order_type != _STOP_LIMIT:
            return ILLEGAL
        if order.is_triggered == 1:
            return LATE
    elif kind == _R_REJECTED and max(order.reported, report.filled) > 0:
        return ILLEGAL
    return APPLIED if _is_allowed(order, kind) else ILLEGAL


@record_kernel
def _apply_state(order: Any, report: Any) -> int:
    """Apply a report other than of a trade."""
    kind = report.kind
    refusal = _refusal(order, report)
    if refusal != APPLIED:
        return refusal
    size, price = _terms_in_force(order, report)
    if kind == _R_REPLACED:
        size, price = report.size, report.price
    if report.filled < 0 or max(order.reported, report.filled) > size:
        return ILLEGAL
    if report.filled > order.reported and order.gaps == GAPS_MAX:
        return ILLEGAL
    _add_gap(order, order.reported, report.filled)
    order.reported = max(order.reported, report.filled)
    if kind in (_R_REPLACED, _R_CANCEL_REJECTED):
        order.answer_exec_no = report.exec_no
        order.request = _NONE
    else:
        order.last_exec_no = report.exec_no
    order.size = size
    order.price = price
    if kind == _R_TRIGGERED:
        order.is_triggered = 1
    if kind in (_R_NEW, _R_TRIGGERED, _R_REPLACED):
        order.is_acknowledged = 1
    status = _live_status(order)
    if kind == _R_CANCELLED:
        status = CANCELLED
    elif kind == _R_EXPIRED:
        status = EXPIRED
    elif kind == _R_REJECTED:
        status = REJECTED
    if kind in (_R_CANCELLED, _R_EXPIRED, _R_REJECTED):
        order.request = _NONE
    _enter(order, status)
    return APPLIED


@record_kernel
def apply_report(order: Any, report: Any) -> int:
    """Let a venue's report change ``order``.

    Parameters
    ----------
    order : ORDER_DTYPE record.
    report : REPORT_DTYPE record.

    Returns
    -------
    int
        :class:`Outcome`; whatever is not :func:`is_applied` has changed nothing. The lots of a ``TRADE`` that was
        applied are to be booked, also where the order had ended (``LATE_FILL``).
    """
    if order.status == 0 or report.order_no != order.order_no:
        return UNSOLICITED
    if report.side != order.side or report.kind < _R_NEW or report.kind > _R_CANCEL_REJECTED:
        return ILLEGAL
    if report.kind == _R_TRADE:
        return _apply_trade(order, report)
    return _apply_state(order, report)
