"""What is said about an absorbed level, and about levels that stand near each other."""

from __future__ import annotations

import math
from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.signals.absorption_levels import LEVELS_MAX, displacement, expected_square, last_seen
from chimera_platform.signals.records import Detector, Stage

_ABSORPTION, _STACKED = int(Detector.ABSORPTION), int(Detector.STACKED_ABSORPTION)
_FORMING, _CONFIRMED = int(Stage.FORMING), int(Stage.CONFIRMED)
_MS = 1_000_000


@kernel
def say_level(params: Any, state: Any, level: Any, stage: int, out: Any, rows: int) -> Any:
    """Write a row about a level."""
    if level.stage == 0:
        level.number = state.detections
        state.detections += 1
    norms = state.norms
    lots, mean = level.lots, norms.lots / norms.weight
    moved, expected = displacement(level, norms), math.sqrt(expected_square(level.lots, norms))
    hold = 1.0 if stage == _CONFIRMED else (0.5 if stage == _FORMING else 0.0)
    calm = max(0.0, 1.0 - moved / expected) if expected > 0 else (1.0 if moved == 0 else 0.0)
    r = lots / (params.volume_multiple * mean) * hold * calm
    level.strength = r / (1.0 + r)
    level.stage = stage
    row = out.row[rows]
    row.detection_no = level.number
    row.ts_start = level.start_ts
    row.price_low = level.price
    row.price_high = level.price
    row.size = lots
    row.strength = level.strength
    row.evidence[0] = lots / mean
    row.evidence[1] = moved
    row.evidence[2] = expected
    row.evidence[3] = hold
    row.detector = _ABSORPTION
    row.stage = stage
    row.side = level.side
    return rows + 1


@kernel
def say_stack(params: Any, state: Any, k: int, spread: int, out: Any, rows: int) -> Any:
    """Write a row where the level ``k``, just confirmed, stands near others of its side."""
    new = state.level[k]
    reach = max(float(params.stack_ticks), params.stack_spreads * spread)
    low = high = new.price
    start, lots, levels, doubt = new.start_ts, new.lots, 1, 1.0 - new.strength
    for j in range(LEVELS_MAX):
        level = state.level[j]
        if j == k or level.side != new.side or level.stage != _CONFIRMED:
            continue
        near = abs(level.price - new.price) <= reach
        if near and new.confirmed_ts - last_seen(level) <= params.stack_ms * _MS:
            low, high = min(low, level.price), max(high, level.price)
            start = min(start, level.start_ts)
            lots += level.lots
            levels += 1
            doubt *= 1.0 - level.strength
    if levels < 2:
        return rows
    row = out.row[rows]
    row.detection_no = state.stacks
    row.ts_start = start
    row.price_low = low
    row.price_high = high
    row.size = lots
    row.strength = 1.0 - doubt
    row.evidence[0] = levels
    row.evidence[1] = 0.0
    row.evidence[2] = 0.0
    row.evidence[3] = 0.0
    row.detector = _STACKED
    row.stage = _CONFIRMED
    row.side = new.side
    state.stacks += 1
    return rows + 1
