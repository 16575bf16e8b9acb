"""Pause when the venue acknowledges slowly: entries stop, are tried again, and go on or stop for longer.

A *spike* is an acknowledgement later than ``latency_threshold_ms`` after its order was sent.

    normal  → paused : ``latency_spikes_to_pause`` of the last ``latency_spike_window`` acknowledgements are spikes;
                       for ``latency_pause_ns``
    paused  → trying : by time alone; entries are sent again
    trying  → normal : the first acknowledgement is in time; the spikes are forgotten, the next pause is a short one
    trying  → paused : it is a spike; for twice as long as before, ``latency_pause_max_ns`` at most

Acknowledgements of orders sent before (exits pass at any time) that arrive during the pause change nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel


class LatencyState(IntEnum):
    """Whether entries are sent, as far as the venue's acknowledgements are concerned."""

    NORMAL = 0
    PAUSED = 1
    TRYING = 2  # sent again; the next acknowledgement decides


NORMAL, PAUSED, TRYING = int(LatencyState.NORMAL), int(LatencyState.PAUSED), int(LatencyState.TRYING)
NS_IN_MS = 1e6

LATENCY_DTYPE = np.dtype(
    [
        ("last_ns", "<i8"),  # of the last order acknowledged: sending to acknowledgement; 0 before the first
        ("paused_until", "<i8"),  # ns UTC, where the state is PAUSED
        ("pause_ns", "<i8"),  # length of the last pause; 0: none since things were normal
        ("spikes", "<i8"),  # the last acknowledgements, the latest in bit 0; 1: a spike
        ("state", "u1"),  # LatencyState as of the last acknowledgement or refresh
    ],
    align=True,
)


def new_latency() -> np.ndarray[Any, Any]:
    """Return the state before the first acknowledgement, (1,) LATENCY_DTYPE."""
    return np.zeros(1, LATENCY_DTYPE)


@record_kernel
def is_latency_paused(latency: Any, ts: int) -> bool:
    """Return whether entries pause at ``ts``."""
    return latency.state == PAUSED and ts < latency.paused_until


@record_kernel
def refresh_latency(latency: Any, ts: int) -> bool:
    """Turn a pause that is over into TRYING; return whether it was. For the coordinator's clock, as a record of it."""
    if latency.state == PAUSED and ts >= latency.paused_until:
        latency.state = TRYING
        return True
    return False


@record_kernel
def note_ack(latency: Any, adaptive: Any, send_to_ack_ns: int, ts: int) -> bool:
    """Take in that an order was acknowledged at ``ts``, ``send_to_ack_ns`` after it was sent; return whether the
    state has changed since the last acknowledgement or refresh.

    ``adaptive`` is the record of :class:`~chimera_platform.risk.risk_settings.RiskAdaptiveSettings`.
    """
    state, paused_until = latency.state, latency.paused_until
    refresh_latency(latency, ts)
    latency.last_ns = send_to_ack_ns
    is_spike = float(send_to_ack_ns) > adaptive.latency_threshold_ms * NS_IN_MS
    if latency.state == TRYING:
        if is_spike:
            _pause(latency, min(2 * latency.pause_ns, adaptive.latency_pause_max_ns), ts)
        else:
            latency.state = NORMAL
            latency.pause_ns = 0
    elif latency.state == NORMAL:
        window = (1 << adaptive.latency_spike_window) - 1
        latency.spikes = ((latency.spikes << 1) | (1 if is_spike else 0)) & window
        if _count(latency.spikes) >= adaptive.latency_spikes_to_pause:
            _pause(latency, adaptive.latency_pause_ns, ts)
    return latency.state != state or latency.paused_until != paused_until


@record_kernel
def _pause(latency: Any, pause_ns: int, ts: int) -> None:
    latency.state = PAUSED
    latency.pause_ns = pause_ns
    latency.paused_until = ts + pause_ns
    latency.spikes = 0


@record_kernel
def _count(bits: int) -> int:
    """Return how many bits are set."""
    count = 0
    while bits != 0:
        bits &= bits - 1
        count += 1
    return count
