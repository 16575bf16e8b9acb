"""Which state of an order may follow which, and on what: the one table that client code and documentation share."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.execution.records import OrderStatus
from chimera_platform.execution.reports import ReportKind


class OrderInput(IntEnum):
    """What moves an order: a venue's report, numbered as in :class:`ReportKind`, or a request of the client."""

    NEW = ReportKind.NEW
    TRADE = ReportKind.TRADE
    CANCELLED = ReportKind.CANCELLED
    REPLACED = ReportKind.REPLACED
    REJECTED = ReportKind.REJECTED
    EXPIRED = ReportKind.EXPIRED
    TRIGGERED = ReportKind.TRIGGERED
    CANCEL_REJECTED = ReportKind.CANCEL_REJECTED
    CANCEL = 9  # the client sends a cancel
    REPLACE = 10  # the client sends a replacement


_S, _I = OrderStatus, OrderInput
_ENDED = {_I.CANCELLED: (_S.CANCELLED,), _I.EXPIRED: (_S.EXPIRED,)}
_REJECTED = {_I.REJECTED: (_S.REJECTED,)}
_ASKED = {_I.CANCEL: (_S.PENDING_CANCEL,), _I.REPLACE: (_S.PENDING_REPLACE,)}
_TRADED = {_I.TRADE: (_S.PARTIALLY_FILLED, _S.FILLED)}
_BEFORE_THE_REQUEST = (_S.PENDING_NEW, _S.NEW, _S.PARTIALLY_FILLED)

NEXT_STATES: dict[OrderStatus, dict[OrderInput, tuple[OrderStatus, ...]]] = {
    _S.PENDING_NEW: {_I.NEW: (_S.NEW,), _I.TRIGGERED: (_S.NEW,), **_TRADED, **_ENDED, **_REJECTED, **_ASKED},
    _S.NEW: {_I.TRIGGERED: (_S.NEW,), **_TRADED, **_ENDED, **_REJECTED, **_ASKED},
    _S.PARTIALLY_FILLED: {_I.TRIGGERED: (_S.PARTIALLY_FILLED,), **_TRADED, **_ENDED, **_ASKED},
    _S.PENDING_CANCEL: {
        _I.NEW: (_S.PENDING_CANCEL,),
        _I.TRIGGERED: (_S.PENDING_CANCEL,),
        _I.TRADE: (_S.PENDING_CANCEL, _S.FILLED),
        _I.CANCEL_REJECTED: _BEFORE_THE_REQUEST,
        **_ENDED,
        **_REJECTED,
    },
    _S.PENDING_REPLACE: {
        _I.NEW: (_S.PENDING_REPLACE,),
        _I.TRIGGERED: (_S.PENDING_REPLACE,),
        _I.TRADE: (_S.PENDING_REPLACE, _S.FILLED),
        _I.REPLACED: (_S.NEW, _S.PARTIALLY_FILLED, _S.FILLED),
        _I.CANCEL_REJECTED: _BEFORE_THE_REQUEST,
        **_ENDED,
        **_REJECTED,
    },
    # fills that a venue reports after the end are booked all the same
    _S.CANCELLED: {_I.TRADE: (_S.CANCELLED, _S.FILLED)},
    _S.REJECTED: {_I.TRADE: (_S.REJECTED, _S.FILLED)},
    _S.EXPIRED: {_I.TRADE: (_S.EXPIRED, _S.FILLED)},
    _S.FILLED: {},
}
"""State → input → states that may follow; what does not stand here is no legal transition.

One that names several states goes to the first that the order's lots and acknowledgement allow: ``FILLED`` where all
lots are filled, ``PARTIALLY_FILLED`` where some are, ``NEW`` where the venue has accepted it.
"""


def transition_masks() -> np.ndarray[Any, Any]:
    """Return :data:`NEXT_STATES` for kernels: i8 (states + 1, inputs + 1), a bit for each next status."""
    masks = np.zeros((max(OrderStatus) + 1, max(OrderInput) + 1), np.int64)
    for status, inputs in NEXT_STATES.items():
        for each, following in inputs.items():
            masks[status, each] = sum(1 << then for then in following)
    masks.setflags(write=False)
    return masks
