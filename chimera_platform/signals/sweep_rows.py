"""What is said about a burst, and about a confirmed sweep whose start is back."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel
from chimera_platform.signals.records import Detector, Stage
from chimera_platform.signals.sweep_burst import figures

_SWEEP, _FAILED = int(Detector.SWEEP), int(Stage.FAILED)


@kernel
def _strength(params: Any, levels: int, share: float) -> Any:
    ratio = max(levels / params.levels, share / params.depth_share)
    return ratio / (1.0 + ratio)


@kernel
def say_burst(params: Any, burst: Any, stage: int, out: Any, rows: int) -> Any:
    """Write a row about the burst."""
    levels, lots, beyond, share = figures(burst)
    start, extreme = burst.step[0].price, burst.step[burst.steps - 1].price
    row = out.row[rows]
    row.detection_no = burst.number
    row.ts_start = burst.step[0].ts
    row.price_low = min(start, extreme)
    row.price_high = max(start, extreme)
    row.size = lots
    row.strength = _strength(params, levels, share)
    row.evidence[0] = levels
    row.evidence[1] = share
    row.evidence[2] = beyond
    row.evidence[3] = 0.0
    row.detector = _SWEEP
    row.stage = stage
    row.side = burst.side
    burst.stage = stage
    return rows + 1


@kernel
def say_return(params: Any, sweep: Any, out: Any, rows: int) -> Any:
    """Write a row about a followed sweep that has failed."""
    row = out.row[rows]
    row.detection_no = sweep.number
    row.ts_start = sweep.start_ts
    row.price_low = min(sweep.start, sweep.extreme)
    row.price_high = max(sweep.start, sweep.extreme)
    row.size = sweep.lots
    row.strength = _strength(params, sweep.levels, sweep.share)
    row.evidence[0] = sweep.levels
    row.evidence[1] = sweep.share
    row.evidence[2] = sweep.beyond
    row.evidence[3] = sweep.beyond
    row.detector = _SWEEP
    row.stage = _FAILED
    row.side = sweep.side
    return rows + 1
