"""What reconciliation is given, and the steps that it plans."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from chimera_platform.settings import Settings

Array = np.ndarray[Any, Any]


class ReconciliationSettings(Settings):
    """How much may be set right without a person where nothing explains it."""

    max_adjust_lots: int = Field(
        10, ge=0, le=1_000_000_000, description="most lots of an instrument that are adjusted at the mid"
    )
    max_adjust_notional: Decimal = Field(
        Decimal(50_000), ge=0, le=1_000_000_000, description="most that they may be worth, in the account's currency"
    )


class AdjustmentKind(IntEnum):
    """How a difference is resolved; the ``state`` of a RiskEventKind.ADJUSTMENT row."""

    FILL = 1  # a trade that had not been reported
    END = 2  # an order that is no longer open
    ANSWER = 3  # an acceptance, a trigger, or the answer to a request
    WITHDRAWAL = 4  # an order at the venue that the client does not want
    POSITION = 5  # lots that no order explains


class ClientBooks(NamedTuple):
    """What the client knows; not changed."""

    orders: Array  # ORDER_DTYPE (instruments, engines, roles)
    lots: Array  # int64 (instruments, engines), signed
    bid: Array  # int64 (instruments,), ticks; 0 while the market has not been tradable
    ask: Array
    tick_value_nanos: Array  # int64 (instruments,)


@dataclass(frozen=True)
class Adjustment:
    """One step towards the venue's statement; the steps are done in their order.

    Attributes
    ----------
    order_no : the order concerned; -1 for POSITION, whose order gets its number when it is booked.
    lots : of a FILL or POSITION with the sign of the side; 0 otherwise.
    price : ticks of a FILL or POSITION; 0 otherwise.
    report : REPORT_DTYPE (1,) to be taken in, of FILL, END and ANSWER.
    """

    kind: AdjustmentKind
    instrument_id: int
    engine: int
    role: int
    order_no: int
    lots: int = 0
    price: int = 0
    report: Array | None = None
