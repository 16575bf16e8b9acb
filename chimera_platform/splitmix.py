"""Counter-based random numbers for kernels: SplitMix64 (Steele, Lea and Flood 2014), the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
_UNIT = 2.0**-53


@kernel
def mix64(state: Any) -> Any:
    """Return 64 well-mixed bits of ``state`` (u8)."""
    z = (state ^ (state >> _S30)) * _MIX_A
    z = (z ^ (z >> _S27)) * _MIX_B
    return z ^ (z >> _S31)


@kernel
def uniform(seed: int, counter: int) -> float:
    """Return the number in [0, 1) that stands at ``counter`` in the sequence of ``seed``; both i8, not negative."""
    return float(mix64(np.uint64(seed) + GAMMA * (np.uint64(counter) + np.uint64(1))) >> _S11) * _UNIT
