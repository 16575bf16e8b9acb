"""What the venue's rejects lead to: smaller sizes, then a pause of the engine, then of all; and back, with time.

Rejects are counted per engine and for the account, each count halving every ``reject_half_life_ns``:

    step 1  sizes shrink by ``reject_scale``   the engine's count >= half of ``reject_escalation_threshold``
    step 2  the engine pauses                  the engine's count >= the threshold
    step 3  all pause                          the account's count >= twice the threshold

A step is left when the count has fallen below ``reject_recovery`` of what led to it, a pause not before
``reject_pause_ns`` have gone by since the last reject at or above that. A count changes only by a reject; its decay is
worked out when it is asked for, so nothing depends on how often that is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.records import ENGINE_COUNT, OrderReason
from chimera_platform.kernels import record_kernel

NORMAL, SMALLER, PAUSED, ALL_PAUSED = 0, 1, 2, 3

ACCOUNT = ENGINE_COUNT
"""Row of the account's own count, after those of the engines."""

REJECTS_DTYPE = np.dtype(
    [
        ("score", "<f8"),  # decayed rejects, as of ts
        ("ts", "<i8"),  # ns UTC of the last reject
        ("paused_until", "<i8"),  # ns UTC: a pause is not left before
        ("step", "u1"),  # 0 normal, 1 smaller sizes, 2 paused; as of the last reject or refresh
    ],
    align=True,
)

_WOULD_TAKE, _STOP_REACHED = int(OrderReason.WOULD_TAKE), int(OrderReason.STOP_REACHED)
_TOO_LATE = int(OrderReason.TOO_LATE)


def new_rejects() -> np.ndarray[Any, Any]:
    """Return the state before the first reject, (ENGINE_COUNT + 1,) REJECTS_DTYPE: by engine, then the account."""
    return np.zeros(ENGINE_COUNT + 1, REJECTS_DTYPE)


@record_kernel
def is_fault(reason: int) -> bool:
    """Return whether a reject with this OrderReason counts.

    Not where the market was faster, as it is with every order now and then: a post-only order that would have taken, a
    stop that had been passed, a cancel that came too late.
    """
    return reason not in (_WOULD_TAKE, _STOP_REACHED, _TOO_LATE)


@record_kernel
def reject_score(rejects: Any, adaptive: Any, who: int, ts: int) -> float:
    """Return the decayed rejects of an engine or of :data:`ACCOUNT` at ``ts``."""
    return _decayed(rejects[who], adaptive, ts)


@record_kernel
def note_reject(rejects: Any, adaptive: Any, engine: int, ts: int) -> int:
    """Count a reject of ``engine`` at ``ts``; return whose step has changed since the last reject or refresh.

    Returns
    -------
    Bit e is set for engine e, bit :data:`ACCOUNT` for the account; ``rejects[who].step`` is the step now.
    """
    threshold = adaptive.reject_escalation_threshold
    changed = _count(rejects[engine], adaptive, 0.5 * threshold, threshold, ts) << engine
    return changed | _count(rejects[ACCOUNT], adaptive, np.inf, 2.0 * threshold, ts) << ACCOUNT


@record_kernel
def refresh_rejects(rejects: Any, adaptive: Any, ts: int) -> int:
    """Take the steps down that time has brought; return whose step has changed, as :func:`note_reject`.

    For the coordinator's clock, as a record of it: decisions ask :func:`reject_step_now`.
    """
    changed = 0
    for who in range(ENGINE_COUNT + 1):
        step = _step_now(rejects, adaptive, who, ts)
        if step != rejects[who].step:
            rejects[who].step = step
            changed |= 1 << who
    return changed


@record_kernel
def reject_step_now(rejects: Any, adaptive: Any, engine: int, ts: int) -> int:
    """Return the step in force for ``engine`` at ``ts``: 0 normal, 1 smaller sizes, 2 it pauses, 3 all pause."""
    if rejects[ACCOUNT].step != NORMAL and _step_now(rejects, adaptive, ACCOUNT, ts) != NORMAL:
        return ALL_PAUSED
    return _step_now(rejects, adaptive, engine, ts)


@record_kernel
def _decayed(own: Any, adaptive: Any, ts: int) -> float:
    return own.score * 2.0 ** (-float(max(ts - own.ts, 0)) / float(adaptive.reject_half_life_ns))


@record_kernel
def _step_now(rejects: Any, adaptive: Any, who: int, ts: int) -> int:
    """Return the step at ``ts``, without a reject since."""
    if rejects[who].step == NORMAL:
        return NORMAL
    threshold = adaptive.reject_escalation_threshold
    if who == ACCOUNT:
        return _lowered(rejects[who], adaptive, np.inf, 2.0 * threshold, ts)
    return _lowered(rejects[who], adaptive, 0.5 * threshold, threshold, ts)


@record_kernel
def _lowered(own: Any, adaptive: Any, smaller_at: float, paused_at: float, ts: int) -> int:
    """Return the step that time alone leaves: down where the count is below the share of what led up."""
    score, recovery = _decayed(own, adaptive, ts), adaptive.reject_recovery
    step = own.step
    if step == PAUSED and ts >= own.paused_until and score < recovery * paused_at:
        step = SMALLER
    if step == SMALLER and score < recovery * smaller_at:
        step = NORMAL
    return step


@record_kernel
def _count(own: Any, adaptive: Any, smaller_at: float, paused_at: float, ts: int) -> int:
    """Add a reject to one count; return 1 where its step is another than it was, else 0."""
    before = own.step
    step = _lowered(own, adaptive, smaller_at, paused_at, ts)
    own.score = _decayed(own, adaptive, ts) + 1.0
    own.ts = max(own.ts, ts)
    if own.score >= paused_at:
        step = PAUSED
        own.paused_until = ts + adaptive.reject_pause_ns
    elif own.score >= smaller_at and step == NORMAL:
        step = SMALLER
    own.step = step
    return 1 if step != before else 0
