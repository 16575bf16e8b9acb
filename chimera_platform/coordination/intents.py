"""The contract of intents between engines and coordinator, checked before anything is decided on them."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.records import Engine
from chimera_platform.kernels import kernel

CHECKED_FIELDS = (
    "event_no",
    "instrument_id",
    "engine",
    "side",
    "order_type",
    "size",
    "stop_distance",
    "target_distance",
    "max_hold_ns",
)
(_EVENT_NO, _INSTRUMENT_ID, _ENGINE, _SIDE, _ORDER_TYPE, _SIZE, _STOP_DISTANCE, _TARGET_DISTANCE, _MAX_HOLD_NS) = range(
    len(CHECKED_FIELDS)
)


_HEDGE = int(Engine.HEDGE)  # the coordinator's own: no engine may speak for it


@kernel
def _invalid_field(intent: Any, instruments: int) -> int:
    """Return the index in ``CHECKED_FIELDS`` of the first field that is out of its bounds, -1 where none is."""
    if intent.instrument_id < 0 or intent.instrument_id >= instruments:
        return _INSTRUMENT_ID
    if intent.engine >= _HEDGE:
        return _ENGINE
    if intent.side != 1 and intent.side != -1:
        return _SIDE
    if intent.order_type != 1 and intent.order_type != 2:
        return _ORDER_TYPE
    if intent.size < 0:
        return _SIZE
    if intent.stop_distance < 1:
        return _STOP_DISTANCE
    if intent.target_distance < 1:
        return _TARGET_DISTANCE
    return _MAX_HOLD_NS if intent.max_hold_ns < 1 else -1


@kernel
def find_invalid_intent(intents: Any, first_event_no: int, end_event_no: int, instruments: int) -> Any:
    """Return (row, index in ``CHECKED_FIELDS``) of the first intent that breaks the contract, (-1, -1) if none does.

    Parameters
    ----------
    intents : INTENT_DTYPE (n,), expected in the order of ``event_no``.
    first_event_no, end_event_no : the batch's events, the end excluded.
    instruments : number of instruments.
    """
    before = first_event_no
    for i in range(intents.shape[0]):
        event_no = intents[i].event_no
        if event_no < before or event_no >= end_event_no:
            return i, _EVENT_NO
        before = event_no
        field = _invalid_field(intents[i], instruments)
        if field >= 0:
            return i, field
    return -1, -1
