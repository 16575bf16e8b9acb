"""The plan by which a position is left, made when its entry is sent.

:mod:`chimera_platform.execution.exit_due` follows it at every event while the position is held. Distances are whole
ticks from the average entry price, so all that is asked there are comparisons of integers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.execution.exit_settings import PARTIALS_MAX, TargetSourceCode
from chimera_platform.kernels import kernel
from chimera_platform.microstructure.feature_names import Feature

DISTANCE_LIMIT = 1 << 31  # ticks: keeps distance * lots inside int64; as a threshold of profit it is never reached
HOLD_LIMIT_NS = 1 << 60  # 36 years: keeps ts + duration inside int64

EXIT_PLAN_FIELDS = [
    ("stop_distance", "<i8"),  # ticks from the average entry price
    ("target_distance", "<i8"),  # ticks from the average entry price
    ("max_hold_ns", "<i8"),
    ("exit_ts", "<i8"),  # ns UTC of the time exit; set by the first fill
    ("exit_reason", "<i8"),  # OrderReason once the exit of all was decided, until the position is closed
    ("entry_lots", "<i8"),  # lots that the entry has filled
    ("trail_distance", "<i8"),  # ticks from the best closing price to the trailing stop
    (
        "trail_after",
        "<i8",
    ),  # ticks of profit a lot from which the stop trails; -DISTANCE_LIMIT: at once
    ("break_even_after", "<i8"),  # ticks of profit a lot from which the stop is at entry and cost
    ("break_even_cost", "<i8"),  # ticks a lot: the fees of entry and exit, rounded up
    ("partial_distance", "<i8", (PARTIALS_MAX,)),  # ticks of profit a lot at which a part leaves
    ("partial_ppm", "<i8", (PARTIALS_MAX,)),  # of the entered lots, that have left by then
    ("best_price", "<i8"),  # ticks: most favourable closing price since the stop trails
    ("raised_price", "<i8"),  # ticks: closing price at which the raised stop is reached
    ("raised_reason", "<i8"),  # OrderReason of the raised stop; 0: it stands where it stood at entry
    ("is_trailing", "<i8"),  # 1: the stop follows the best price
]
EXIT_PLAN_DTYPE = np.dtype(EXIT_PLAN_FIELDS)

_RATIO, _MODEL = int(TargetSourceCode.RATIO), int(TargetSourceCode.MODEL)
_REALISED_VOL_60S = int(Feature.REALISED_VOL_60S)
_MINUTE_NS, _PPM = 60_000_000_000, 1_000_000


@kernel
def planned_hold_ns(settings: Any, max_hold_ns: int) -> int:
    """Return how long a position may be held, ns: the intent's time, or the settings' where that is shorter."""
    longest = settings.max_hold_ns if settings.max_hold_ns > 0 else HOLD_LIMIT_NS
    return min(max_hold_ns, longest, HOLD_LIMIT_NS)


@kernel
def planned_stop(settings: Any, stop_distance: int, minute_volatility: float, max_hold_ns: int, price: int) -> int:
    """Return the stop's distance in whole ticks, at least one.

    Parameters
    ----------
    settings : record of EXIT_SETTINGS_DTYPE.
    stop_distance : ticks, where structure puts it: the intent's.
    minute_volatility : standard deviation of the mid over a minute, ticks; NaN where unknown, it bounds nothing then.
    max_hold_ns : how long the intent lets the position be held.
    price : ticks, of the entry.

    Notes
    -----
    The bound by price goes before those by volatility, the cap before the floor. What settings multiply is exact to
    their millionth.
    """
    stop = stop_distance
    if not math.isnan(minute_volatility):
        horizon = settings.volatility_horizon_ns
        if horizon == 0:
            horizon = planned_hold_ns(settings, max_hold_ns)
        volatility = minute_volatility * math.sqrt(horizon / _MINUTE_NS)
        if settings.stop_volatility_floor > 0.0:
            stop = max(stop, _whole_ticks(settings.stop_volatility_floor * volatility))
        if settings.stop_volatility_cap > 0.0:
            stop = min(stop, _whole_ticks(settings.stop_volatility_cap * volatility))
    if settings.max_stop_fraction > 0.0:
        stop = min(stop, _millionths(settings.max_stop_fraction) * abs(price) // _PPM)
    return min(max(stop, 1), DISTANCE_LIMIT)


@kernel
def planned_target(settings: Any, stop_distance: int, target_distance: int, predicted_move: float) -> int:
    """Return the target's distance in whole ticks, at least one.

    Parameters
    ----------
    settings : record of EXIT_SETTINGS_DTYPE.
    stop_distance : ticks, as planned.
    target_distance : ticks, the intent's.
    predicted_move : ticks in the intent's direction that the release's target model expects; NaN: none.
    """
    target = target_distance
    if settings.target_source == _RATIO and settings.take_profit_ratio > 0.0:
        target = _multiple(settings.take_profit_ratio, stop_distance)
    elif settings.target_source == _MODEL and not math.isnan(predicted_move):
        least = _multiple(settings.model_target_min, stop_distance)
        most = _multiple(settings.model_target_max, stop_distance)
        target = min(max(_whole_ticks(predicted_move), least), most)
    return min(max(target, 1), DISTANCE_LIMIT)


@kernel
def start_plan(
    plan: Any,
    settings: Any,
    stop_distance: int,
    target_distance: int,
    predicted_move: float,
    minute_volatility: float,
    max_hold_ns: int,
    price: int,
    cost_ticks: int,
) -> None:
    """Write the plan of a position whose entry is being sent; nothing is held yet.

    Parameters
    ----------
    plan : record with the fields of EXIT_PLAN_DTYPE.
    settings : record of EXIT_SETTINGS_DTYPE.
    stop_distance, target_distance, predicted_move, max_hold_ns : the intent's.
    minute_volatility, price : see :func:`planned_stop`.
    cost_ticks : fees of entry and exit, ticks a lot, rounded up; see :func:`cost_in_ticks`.
    """
    stop = planned_stop(settings, stop_distance, minute_volatility, max_hold_ns, price)
    target = planned_target(settings, stop, target_distance, predicted_move)
    start_plain_plan(plan, stop, target, planned_hold_ns(settings, max_hold_ns))
    plan.break_even_cost = max(cost_ticks, 0)
    if settings.trail_distance > 0.0:
        plan.trail_distance = _multiple(settings.trail_distance, stop)
        plan.trail_after = _multiple(settings.trail_after, stop) if settings.trail_after > 0.0 else -DISTANCE_LIMIT
    if settings.break_even_after > 0.0:
        # not before a stop at entry and cost, rounded up to a whole tick, stands behind the market
        plan.break_even_after = max(_multiple(settings.break_even_after, stop), plan.break_even_cost + 1)
    for k in range(PARTIALS_MAX):
        if settings.partial_ppm[k] > 0:
            plan.partial_distance[k] = _multiple(settings.partial_at[k], target)
            plan.partial_ppm[k] = settings.partial_ppm[k]


@kernel
def start_plain_plan(plan: Any, stop_distance: int, target_distance: int, max_hold_ns: int) -> None:
    """Write a plan of nothing but stop, target and time, as given: that of a hedge."""
    plan.stop_distance = min(stop_distance, DISTANCE_LIMIT)
    plan.target_distance = min(target_distance, DISTANCE_LIMIT)
    plan.max_hold_ns = min(max_hold_ns, HOLD_LIMIT_NS)
    plan.exit_ts = 0
    plan.exit_reason = 0
    plan.entry_lots = 0
    plan.trail_distance = 0
    plan.trail_after = DISTANCE_LIMIT
    plan.break_even_after = DISTANCE_LIMIT
    plan.break_even_cost = 0
    for k in range(PARTIALS_MAX):
        plan.partial_distance[k] = DISTANCE_LIMIT
        plan.partial_ppm[k] = 0
    plan.best_price = 0
    plan.raised_price = 0
    plan.raised_reason = 0
    plan.is_trailing = 0


@kernel
def start_intent_plan(plan: Any, settings: Any, intent: Any, price: int, cost_ticks: int) -> None:
    """Do :func:`start_plan` for an INTENT_DTYPE record that is entered at ``price`` (ticks).

    All that the plan rests on is in the journaled intent and its decision's price.
    """
    start_plan(
        plan,
        settings,
        intent.stop_distance,
        intent.target_distance,
        intent.predicted_move,
        minute_volatility_of(intent),
        intent.max_hold_ns,
        price,
        cost_ticks,
    )


@kernel
def minute_volatility_of(intent: Any) -> float:
    """Return the standard deviation of the mid over a minute that an intent was written under, ticks; NaN: unknown."""
    return intent.features[_REALISED_VOL_60S] * 0.5 * (intent.bid_price + intent.ask_price)


@kernel
def cost_in_ticks(fee_nanos: int, lots: int, tick_value_nanos: int) -> int:
    """Return the fees of entering and leaving ``lots``, twice ``fee_nanos``, in ticks a lot, rounded up."""
    return max(0, -((-2 * fee_nanos) // (lots * tick_value_nanos)))


@kernel
def note_entry_fill(plan: Any, lots: int, held_before: int, ts: int) -> None:
    """Take in a fill of the entry: ``lots`` more, where ``held_before`` were held; the first one starts the time."""
    if held_before == 0:
        plan.exit_ts = ts + plan.max_hold_ns
    plan.entry_lots += lots


@kernel
def _whole_ticks(ticks: float) -> int:
    """Return a distance in whole ticks, rounded up, within 1…DISTANCE_LIMIT."""
    if ticks >= DISTANCE_LIMIT:
        return DISTANCE_LIMIT
    return max(1, math.ceil(ticks))


@kernel
def _millionths(ratio: float) -> int:
    """Return a setting in millionths, so that 1.1 times 10 ticks is 11 ticks and not a bit more."""
    return math.floor(ratio * _PPM + 0.5)


@kernel
def _multiple(ratio: float, ticks: int) -> int:
    """Return ``ratio`` times a distance of at most DISTANCE_LIMIT in whole ticks, rounded up, within the same."""
    return min(max(-((-_millionths(ratio) * ticks) // _PPM), 1), DISTANCE_LIMIT)
