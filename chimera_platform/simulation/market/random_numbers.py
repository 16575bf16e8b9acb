"""The simulator's random numbers: xoshiro256** whose state is data, so a stream is resumed by copying it.

Source: Blackman & Vigna 2021, "Scrambled linear pseudorandom number generators"; seeding by splitmix64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

_MASK = (1 << 64) - 1
_FIVE, _NINE = np.uint64(5), np.uint64(9)
_UNIT = 1.0 / (1 << 53)
_TWO_PI = 2.0 * math.pi


def seeded_random(seed: int) -> np.ndarray[Any, Any]:
    """Return the generator's state for ``seed`` (0 <= seed < 2**64): u8 array of shape (4,)."""
    words, z = [], seed
    for _ in range(4):
        z = (z + 0x9E3779B97F4A7C15) & _MASK
        x = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        words.append(x ^ (x >> 31))
    return np.array(words, np.uint64)


@kernel
def _rotate(x: Any, k: Any) -> Any:
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@kernel
def next_word(random: Any) -> Any:
    """Return the next 64 random bits and step the state."""
    result = _rotate(random[1] * _FIVE, 7) * _NINE
    shifted = random[1] << np.uint64(17)
    random[2] ^= random[0]
    random[3] ^= random[1]
    random[1] ^= random[2]
    random[0] ^= random[3]
    random[2] ^= shifted
    random[3] = _rotate(random[3], 45)
    return result


@kernel
def uniform(random: Any) -> Any:
    """Return a float uniform in [0, 1)."""
    return float(next_word(random) >> np.uint64(11)) * _UNIT


@kernel
def normal(random: Any) -> Any:
    """Return a standard normal float (Box & Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(random)))
    return radius * math.cos(_TWO_PI * uniform(random))


@kernel
def exponential(random: Any, mean: Any) -> Any:
    """Return an exponential float of the given mean."""
    return -mean * math.log(1.0 - uniform(random))


@kernel
def below(random: Any, bound: Any) -> Any:
    """Return an integer uniform in [0, bound)."""
    return int(uniform(random) * bound)


@kernel
def power_law(random: Any, tail: Any, largest: Any) -> Any:
    """Return an integer in [1, largest], P(value >= n) = n ** -tail: a Pareto variable cut to whole numbers."""
    return int(min((1.0 - uniform(random)) ** (-1.0 / tail), float(largest)))
