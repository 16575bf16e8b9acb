"""How well orders are executed: a score in [0, 1] of each one that has ended, and each engine's score of late.

With the fill ratio ``r = filled / size`` an order's score is

    (w_ack f(ack) + r (w_slippage f(slippage) + w_fill f(fill) + w_ratio)) / (w_ack + w_slippage + w_fill + w_ratio)

    f(x) = h / (h + x)    half at x = h, the ``…_half`` setting, 1 at 0

- *ack*: from sending to the venue's first answer of any kind, ms;
- *fill*: from that answer to the last fill, ms;
- *slippage*: mean price of the fills beyond the touch that the order met when it was sent (a stop order: beyond its
  stop price), ticks; better prices count as 0.

So the score falls with slippage and with either latency and rises with the fill ratio; what was not filled has nothing
to say for itself but its answer. An order without an answer scores 0. ``marts.order_quality`` has the same definition.

An engine's score is the exponentially weighted mean over its orders (weights divided by their sum). It is *low* from
below ``quality_score_threshold`` until at least ``quality_recovery_margin`` above it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.kernels import record_kernel
from chimera_platform.settings import Settings, record_dtype, to_record

NS_PER_MS = 1e6


class LatencyAttributionSettings(Settings):
    """What a well executed order is, and when an engine's executions are called bad."""

    enable_execution_analytics: bool = Field(True, description="whether orders are scored in the flow")
    quality_score_threshold: float = Field(
        0.6, ge=0.0, le=1.0, description="score below which an engine's executions are low"
    )
    export_stats_interval_seconds: float = Field(
        60.0,
        ge=1.0,
        le=86_400.0,
        description="time between the telemetry's execution statistics, seconds",
    )
    quality_recovery_margin: float = Field(
        0.05, ge=0.0, le=1.0, description="how far above the threshold, at most up to 1, a low score must come back"
    )
    quality_half_life_orders: float = Field(
        50.0, ge=1.0, le=1e6, description="orders after which an order counts half in its engine's score"
    )
    quality_min_orders: int = Field(20, ge=1, le=1_000_000, description="ended orders before a score is judged")
    slippage_weight: float = Field(0.4, ge=0.0, le=1.0, description="weight of the slippage in an order's score")
    acknowledgement_weight: float = Field(
        0.2, gt=0.0, le=1.0, description="weight of the time to the acknowledgement in an order's score"
    )
    fill_weight: float = Field(0.1, ge=0.0, le=1.0, description="weight of the time to the fill in an order's score")
    fill_ratio_weight: float = Field(0.3, ge=0.0, le=1.0, description="weight of the fill ratio in an order's score")
    slippage_half_ticks: float = Field(
        5.0, gt=0.0, le=1e6, description="slippage at which its part of the score is one half, ticks"
    )
    acknowledgement_half_ms: float = Field(
        50.0, gt=0.0, le=1e6, description="time from sending to acknowledgement at which its part is one half, ms"
    )
    fill_half_ms: float = Field(
        1_000.0, gt=0.0, le=1e9, description="time from acknowledgement to last fill at which its part is one half, ms"
    )


_PARAMETERS = record_dtype(LatencyAttributionSettings)
QUALITY_SETTINGS_DTYPE = np.dtype(
    [*((name, _PARAMETERS[name]) for name in _PARAMETERS.names or ()), ("decay", "<f8")],  # per order
    align=True,
)


def quality_record(settings: LatencyAttributionSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as QUALITY_SETTINGS_DTYPE, shape (1,)."""
    record = np.zeros(1, QUALITY_SETTINGS_DTYPE)
    plain = to_record(settings)
    for name in plain.dtype.names or ():
        record[name] = plain[name]
    record["decay"] = 0.5 ** (1.0 / settings.quality_half_life_orders)
    return record


EXECUTION_DTYPE = np.dtype(
    [
        ("sent_ts", "<i8"),  # ns UTC
        ("answer_ts", "<i8"),  # ns UTC of the venue's first answer; 0: none yet
        ("fill_ts", "<i8"),  # ns UTC of the last fill
        ("arrival_price", "<i8"),  # ticks: the touch that the order met when sent, or its stop price; 0: none
        (
            "slippage_tick_lots",
            "<i8",
        ),  # of the fills: (price beyond the arrival price) * lots; negative: better
        ("filled", "<i8"),  # lots
    ],
    align=True,
)
"""What is known of the execution of one working order."""

QUALITY_DTYPE = np.dtype(
    [
        ("orders", "<i8"),  # ended
        ("filled_orders", "<i8"),  # ended with any fill
        ("weight_sum", "<f8"),
        ("score_sum", "<f8"),  # weighted
        ("last_score", "<f8"),  # of the last order
        ("is_low", "<i8"),  # 1: the score is below the threshold, and has not come back yet
    ],
    align=True,
)


@record_kernel
def start_execution(execution: Any, side: int, stop_price: int, bid: int, ask: int, ts: int) -> None:
    """Begin with an order as it is sent; ``stop_price``, ``bid`` and ``ask`` in ticks, 0 where there is none."""
    execution.sent_ts = ts
    execution.answer_ts = 0
    execution.fill_ts = 0
    if stop_price != 0:
        execution.arrival_price = stop_price
    else:
        execution.arrival_price = ask if side > 0 else bid
    execution.slippage_tick_lots = 0
    execution.filled = 0


@record_kernel
def note_answer(execution: Any, ts: int) -> None:
    """Take in that the venue has answered at ``ts`` (ns UTC); only the first answer counts."""
    if execution.answer_ts == 0:
        execution.answer_ts = ts


@record_kernel
def note_execution(execution: Any, side: int, price: int, lots: int, ts: int) -> None:
    """Take in a fill of ``lots`` at ``price`` (ticks) that became known at ``ts``; it is an answer, too."""
    note_answer(execution, ts)
    execution.fill_ts = ts
    execution.filled += lots
    if execution.arrival_price != 0:
        execution.slippage_tick_lots += side * (price - execution.arrival_price) * lots


@record_kernel
def fade(value: float, half: float) -> float:
    """Return ``half / (half + value)``, 1 where ``value`` is not above 0."""
    return half / (half + max(value, 0.0))


@record_kernel
def score_of(settings: Any, fill_ratio: float, slippage_ticks: float, ack_ms: float, fill_ms: float) -> float:
    """Return the score of an order that has been answered, in [0, 1].

    Parameters
    ----------
    settings : QUALITY_SETTINGS_DTYPE record.
    fill_ratio : filled over ordered lots, [0, 1].
    slippage_ticks : mean price beyond the arrival price.
    ack_ms, fill_ms : sending to first answer, first answer to last fill.
    """
    filled = (
        settings.slippage_weight * fade(slippage_ticks, settings.slippage_half_ticks)
        + settings.fill_weight * fade(fill_ms, settings.fill_half_ms)
        + settings.fill_ratio_weight
    )
    answered = settings.acknowledgement_weight * fade(ack_ms, settings.acknowledgement_half_ms)
    weight = settings.slippage_weight + settings.fill_weight + settings.fill_ratio_weight
    return (answered + fill_ratio * filled) / (settings.acknowledgement_weight + weight)


@record_kernel
def order_score(execution: Any, settings: Any, size: int) -> float:
    """Return the score of an order of ``size`` lots that has ended, in [0, 1]."""
    if execution.answer_ts == 0:
        return 0.0
    lots = execution.filled
    ack_ms = float(execution.answer_ts - execution.sent_ts) / NS_PER_MS
    if lots == 0:
        return score_of(settings, 0.0, 0.0, ack_ms, 0.0)
    slippage = float(execution.slippage_tick_lots) / float(lots)
    fill_ms = float(execution.fill_ts - execution.answer_ts) / NS_PER_MS
    return score_of(settings, min(float(lots) / float(max(size, 1)), 1.0), slippage, ack_ms, fill_ms)


@record_kernel
def quality_score(quality: Any) -> float:
    """Return an engine's weighted score, in [0, 1]; NaN before its first order."""
    if quality.orders == 0:
        return math.nan
    return quality.score_sum / quality.weight_sum


@record_kernel
def overall_quality(qualities: Any) -> float:
    """Return the score of all engines together, each with the weight of its orders; NaN before the first order."""
    score, weight = 0.0, 0.0
    for e in range(qualities.shape[0]):
        score += qualities[e].score_sum
        weight += qualities[e].weight_sum
    return score / weight


@record_kernel
def note_order_end(quality: Any, execution: Any, settings: Any, size: int) -> bool:
    """Score an order that has ended and return whether its engine's executions have become low, or good again.

    Parameters
    ----------
    quality : QUALITY_DTYPE record of the engine.
    execution : EXECUTION_DTYPE record of the order.
    settings : QUALITY_SETTINGS_DTYPE record; with ``enable_execution_analytics`` off nothing is counted.
    size : lots ordered.
    """
    if settings.enable_execution_analytics == 0:
        return False
    score = order_score(execution, settings, size)
    quality.orders += 1
    if execution.filled > 0:
        quality.filled_orders += 1
    quality.weight_sum = settings.decay * quality.weight_sum + 1.0
    quality.score_sum = settings.decay * quality.score_sum + score
    quality.last_score = score
    if quality.orders < settings.quality_min_orders:
        return False
    now = quality.score_sum / quality.weight_sum
    threshold, was_low = settings.quality_score_threshold, quality.is_low == 1
    is_low = now < min(threshold + settings.quality_recovery_margin, 1.0) if was_low else now < threshold
    quality.is_low = 1 if is_low else 0
    return is_low != was_low
