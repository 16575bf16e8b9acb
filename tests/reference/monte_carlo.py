"""Resampled paths in Python's own integers and lists, one draw after another."""

from __future__ import annotations

import math

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15


def mix(state: int) -> int:
    """SplitMix64's output function as published."""
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Draws:
    """The sequence of one path."""

    def __init__(self, seed: int, path: int) -> None:
        self.state = mix((seed + GAMMA * (path + 1)) & MASK)

    def bits(self) -> int:
        self.state = (self.state + GAMMA) & MASK
        return mix(self.state)

    def below(self, count: int) -> int:
        return ((self.bits() >> 32) * count) >> 32

    def unit(self) -> float:
        return ((self.bits() >> 11) + 1) * 2.0**-53


def stream_seed(seed: int, stream: int) -> int:
    return mix((seed + GAMMA * stream) & MASK)


def block_path(profits: list[float], seed: int, path: int, block_length: float) -> list[float]:
    """Return the profits of one path of the stationary bootstrap."""
    draws, count = Draws(seed, path), len(profits)
    position = draws.below(count) - 1
    drawn = []
    for _ in range(count):
        bits = draws.bits()
        if bits % 2**32 < 2**32 / block_length:
            position = ((bits >> 32) * count) >> 32
        else:
            position = (position + 1) % count
        drawn.append(profits[position])
    return drawn


def deepest_falls(profits: list[float]) -> list[float]:
    """Return the deepest fall below the peak after each profit, from before the first one on."""
    curve = [math.fsum(profits[:k]) for k in range(len(profits) + 1)]
    return [max(max(curve[:i]) - curve[i - 1] for i in range(1, k + 2)) for k in range(len(curve))]


def arrangement(holds: list[float], slots: float, draws: Draws) -> list[tuple[int, float]]:
    """Return (trade, start) of hard rods laid out at random on [0, slots), in the order of time."""
    order = list(range(len(holds)))
    for k in range(len(holds) - 1, 0, -1):
        j = draws.below(k + 1)
        order[k], order[j] = order[j], order[k]
    exponentials = [-math.log(draws.unit()) for _ in range(len(holds) + 1)]
    free = max(slots - sum(holds), 0.0)
    placed = []
    for k, trade in enumerate(order):
        gaps = sum(exponentials[: k + 1]) / sum(exponentials) * free
        placed.append((trade, gaps + sum(holds[t] for t in order[:k])))
    return placed
