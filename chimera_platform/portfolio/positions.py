"""Positions at average cost, in exact integer nanos.

With P the signed lots, C the signed cost, v the value of a tick on a lot, a fill of ``q`` lots at ``p`` ticks on
side s changes cash by ``-s q p v``. What extends the position adds ``s q p v`` to C; what reduces it takes the share
``floor(C q / |P|)`` out of C and realises ``-s q p v`` minus that share. Hence after every fill, to the nano,

    cash + sum(C) = starting cash + realised - fees
    equity = cash + sum(value) = starting cash + realised + sum(value - C) - fees.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.execution.exit_plan import EXIT_PLAN_FIELDS
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.account import MAX_NOTIONAL_NANOS

MAX_POSITION_LOTS = (1 << 31) - 1
"""Most lots in one position: keeps the product of two lot counts inside int64."""


NEVER_TRADED = -(1 << 61)
"""Time of the last intent before there was one, ns: any time less this stays inside int64."""


class Fault(IntEnum):
    """Why the coordinator cannot go on."""

    NONE = 0
    NOTIONAL = 1  # a fill or a position is worth more than MAX_NOTIONAL_NANOS
    POSITION = 2  # a position has more than MAX_POSITION_LOTS
    INSTRUMENT = 3  # an event of an instrument that is not in the universe


FAULT_NOTIONAL, FAULT_POSITION = int(Fault.NOTIONAL), int(Fault.POSITION)
FAULT_INSTRUMENT = int(Fault.INSTRUMENT)
_NOTIONAL_LIMIT = float(MAX_NOTIONAL_NANOS)

POSITION_DTYPE = np.dtype(
    [
        ("lots", "<i8"),  # signed
        ("cost_nanos", "<i8"),  # signed entry cost of what is open
        ("value_nanos", "<i8"),  # signed value at the last known mid
        ("realised_nanos", "<i8"),  # since the start of the run, before fees
        ("fees_nanos", "<i8"),  # since the start of the run
        ("committed_nanos", "<i8"),  # lots held, each at the price at which it was decided; absolute
        ("reserved_nanos", "<i8"),  # of the open entry order: lots it can still fill, at the same price
        ("intent_no", "<i8"),  # the intent that is being carried out
        ("next_mark_ts", "<i8"),  # ns UTC
        ("flat_net_nanos", "<i8"),  # realised less fees when the position was last flat
        ("most_committed_nanos", "<i8"),  # since then
        ("bought_ts", "<i8"),  # ns UTC of the last approved intent to buy; NEVER_TRADED before
        ("sold_ts", "<i8"),  # ns UTC of the last approved intent to sell
        ("is_engaged", "<i8"),  # 1: counted among the account's open positions: held, or an entry works
        *EXIT_PLAN_FIELDS,
    ]
)


@kernel
def fee_nanos(notional_nanos: int, lots: int, per_lot_nanos: int, ppm: int) -> int:
    """Return ``lots * per_lot + floor(notional * ppm / 1e6)`` without overflow; negative is a rebate."""
    millions = notional_nanos // 1_000_000
    return lots * per_lot_nanos + millions * ppm + (notional_nanos - millions * 1_000_000) * ppm // 1_000_000


@kernel
def share_of_cost(cost_nanos: int, lots: int, of_lots: int) -> int:
    """Return ``floor(cost * lots / of_lots)`` for ``0 <= lots <= of_lots <= MAX_POSITION_LOTS``, without overflow."""
    per_lot = cost_nanos // of_lots
    return per_lot * lots + (cost_nanos - per_lot * of_lots) * lots // of_lots


@kernel
def is_notional_exact(lots: int, price_ticks: int, tick_value_nanos: int) -> bool:
    """Return whether ``lots * price * tick value`` stays within :data:`MAX_NOTIONAL_NANOS`."""
    return abs(float(lots) * float(price_ticks) * float(tick_value_nanos)) <= _NOTIONAL_LIMIT


@kernel
def trade(account: Any, position: Any, side: int, lots: int, price: int, tick_value_nanos: int, fee: int) -> int:
    """Book a fill into ``position`` and ``account`` and return the profit realised by it, before fees (nanos)."""
    held = position.lots
    if not is_notional_exact(abs(held) + lots, price, tick_value_nanos):
        account.fault = FAULT_NOTIONAL
    if abs(held) + lots > MAX_POSITION_LOTS:
        account.fault = FAULT_POSITION
    closed = 0
    if held * side < 0:
        closed = min(lots, abs(held))
    realised = 0
    if closed > 0:
        share = share_of_cost(position.cost_nanos, closed, abs(held))
        realised = -side * closed * price * tick_value_nanos - share
        position.cost_nanos -= share
    position.cost_nanos += side * (lots - closed) * price * tick_value_nanos
    position.lots = held + side * lots
    position.realised_nanos += realised
    position.fees_nanos += fee
    account.realised_nanos += realised
    account.fees_nanos += fee
    account.cash_nanos -= side * lots * price * tick_value_nanos + fee
    return realised


@kernel
def revalue(account: Any, position: Any, bid: int, ask: int, tick_value_nanos: int) -> None:
    """Value ``position`` at the mid, ``floor(lots * (bid + ask) * tick value / 2)``, and carry the account along."""
    if not is_notional_exact(position.lots, bid + ask, tick_value_nanos):
        account.fault = FAULT_NOTIONAL
    value = position.lots * (bid + ask) * tick_value_nanos // 2
    account.value_nanos += value - position.value_nanos
    position.value_nanos = value


@kernel
def note_equity(account: Any) -> None:
    """Carry peak equity and drawdown along, once all positions of an instrument are valued at one mid."""
    equity = account.cash_nanos + account.value_nanos
    account.peak_equity_nanos = max(account.peak_equity_nanos, equity)
    account.max_drawdown_nanos = max(account.max_drawdown_nanos, account.peak_equity_nanos - equity)
