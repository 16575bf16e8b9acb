"""What a position's exit plan asks for now: the whole or a part to be closed, or the stop to be moved.

With p the profit in lots times ticks of closing all ``h`` lots at the touch, the stop is reached where
``p <= -stop_distance * h`` and the target where ``p >= target_distance * h``. A stop that has been raised, to entry
and cost or behind the best price, is a price: it only ever moves in the position's favour, whatever later fills of the
entry do to the average.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.exit_settings import PARTIALS_MAX
from chimera_platform.execution.records import OrderReason
from chimera_platform.kernels import kernel

_STOP, _TARGET, _TIME = int(OrderReason.STOP), int(OrderReason.TARGET), int(OrderReason.TIME)
_TRAILING, _BREAK_EVEN = int(OrderReason.TRAILING), int(OrderReason.BREAK_EVEN)
_PARTIAL_TARGET = int(OrderReason.PARTIAL_TARGET)
_PPM = 1_000_000


@kernel
def next_exit(plan: Any, lots: int, profit: int, closing_price: int, ts: int) -> Any:
    """Follow the market and return (OrderReason, lots to close); (0, 0) for nothing to do.

    Asked twice at the same price and time it answers the same. The exit of a part is due until the lots held say that
    it was done: what an order left unfilled is asked for again while the price is there.

    Parameters
    ----------
    plan : record with the fields of EXIT_PLAN_DTYPE.
    lots : held, signed; not 0.
    profit : of closing all at ``closing_price``, against the average entry price, lots times ticks.
    closing_price : ticks, the touch that a closing market order meets.
    ts : ns UTC.
    """
    held = abs(lots)
    if plan.exit_reason != 0:
        return plan.exit_reason, held
    side = 1 if lots > 0 else -1
    if plan.raised_reason != 0 and side * (closing_price - plan.raised_price) <= 0:
        return plan.raised_reason, held
    if profit <= -plan.stop_distance * held:
        return _STOP, held
    if profit >= plan.target_distance * held:
        return _TARGET, held
    if ts >= plan.exit_ts:
        return _TIME, held
    if plan.is_trailing == 1 or profit >= min(plan.trail_after, plan.break_even_after) * held:
        _raise_stop(plan, lots, profit, closing_price)
    if profit >= plan.partial_distance[0] * held:
        due = _partial_lots(plan, held, profit)
        if due > 0:
            return _PARTIAL_TARGET, due
    return 0, 0


@kernel
def _raise_stop(plan: Any, lots: int, profit: int, closing_price: int) -> None:
    """Move the stop in the position's favour where it has earned that; the new one is behind ``closing_price``."""
    held, side = abs(lots), 1 if lots > 0 else -1
    if profit >= plan.break_even_after * held:
        at_raised = profit - lots * (closing_price - plan.raised_price)
        if plan.raised_reason == 0 or at_raised < plan.break_even_cost * held:
            entered = side * (lots * closing_price - profit)  # lots * ticks
            entry = -((-entered) // held) if side > 0 else entered // held  # the average, rounded in its favour
            _raise_to(plan, side, entry + side * plan.break_even_cost, _BREAK_EVEN)
    if plan.is_trailing == 0 and profit >= plan.trail_after * held:
        plan.is_trailing = 1
        plan.best_price = closing_price
    if plan.is_trailing == 1:
        if side * (closing_price - plan.best_price) > 0:
            plan.best_price = closing_price
        stop = plan.best_price - side * plan.trail_distance
        if profit - lots * (closing_price - stop) > -plan.stop_distance * held:
            _raise_to(plan, side, stop, _TRAILING)


@kernel
def _raise_to(plan: Any, side: int, price: int, reason: int) -> None:
    if plan.raised_reason == 0 or side * (price - plan.raised_price) > 0:
        plan.raised_price = price
        plan.raised_reason = reason


@kernel
def _partial_lots(plan: Any, held: int, profit: int) -> int:
    """Return how many lots the parts that are due still have to close: less than all, as shares sum to less than 1."""
    due = 0
    for k in range(PARTIALS_MAX):
        if profit >= plan.partial_distance[k] * held:
            gone = plan.entry_lots * plan.partial_ppm[k] // _PPM
            due = max(due, gone - max(plan.entry_lots - held, 0))
    return due


@kernel
def stop_price(plan: Any, lots: int, cost_ticks: int) -> int:
    """Return the closing price (ticks) at which the stop is reached now.

    Parameters
    ----------
    lots : held, signed; not 0.
    cost_ticks : signed entry cost of what is held, lots times ticks.
    """
    held = abs(lots)
    if lots > 0:
        price = cost_ticks // held - plan.stop_distance
        return max(price, plan.raised_price) if plan.raised_reason != 0 else price
    price = -(cost_ticks // held) + plan.stop_distance
    return min(price, plan.raised_price) if plan.raised_reason != 0 else price
