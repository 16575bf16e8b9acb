"""Latencies of messages to and from the simulated venue."""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import record_kernel
from chimera_platform.splitmix import uniform


@record_kernel
def draw_latency(quantiles_ns: Any, count: int, seed: int, counter: int) -> int:
    """Return the latency (ns) of the message that stands at ``counter`` in the sequence of ``seed``.

    Parameters
    ----------
    quantiles_ns : i8 array, ascending; its first ``count`` elements are equally spaced quantiles, from the smallest
        to the largest.
    count : quantiles in use, at least 1; 1 is a constant latency, and nothing is drawn.

    Notes
    -----
    Inverse transform sampling (Devroye 1986, II.2) with the distribution function linear between two quantiles.
    """
    if count <= 1:
        return quantiles_ns[0]
    rank = uniform(seed, counter) * (count - 1)
    below = min(int(rank), count - 2)
    low = quantiles_ns[below]
    return low + int((quantiles_ns[below + 1] - low) * (rank - below))
