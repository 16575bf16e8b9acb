"""A made-up market whose touch is a Markov chain with known transitions, so that its microprice can be played out."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BINS, SPREADS = 5, 2  # imbalance bins; spreads of one and two ticks


def transitions() -> tuple[Array, Array, Array, Array]:
    """Return (source, target, half ticks that the mid moves, probability), a row a kind of transition.

    A state is ``spread - 1`` times BINS plus the imbalance bin. The book leans towards its larger queue; after a move
    the new touch is thin on the side that the price left, so that moves partly come back. Every transition has its
    mirror image: bids for asks, and the other sign.
    """
    rows = []
    for spread in range(SPREADS):
        for column in range(BINS):
            state, lean = spread * BINS + column, (column + 0.5) / BINS
            for target in (column - 1, column + 1):
                inside = min(max(target, 0), BINS - 1)
                rows.append((state, spread * BINS + inside, 0, 0.4))
            for sign, weight in ((1, lean**2), (-1, (1 - lean) ** 2)):
                chance = 0.2 * weight / (lean**2 + (1 - lean) ** 2)
                behind = 1 if sign > 0 else BINS - 2
                rows.append((state, (1 - spread) * BINS + behind, sign, 0.75 * chance))
                rows.append((state, spread * BINS + behind, 2 * sign, 0.25 * chance))
    source, target, move, chance = (np.array(column) for column in zip(*rows, strict=True))
    return source, target, move, chance


def play(start: Array, steps: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the states and the moves of the mid of as many chains as ``start`` has states, shapes (steps + 1, n)."""
    source, target, move, chance = transitions()
    choices = [np.flatnonzero(source == state) for state in range(BINS * SPREADS)]
    widest = max(len(own) for own in choices)
    bounds = np.ones((len(choices), widest))
    rows = np.zeros((len(choices), widest), np.int64)
    for state, own in enumerate(choices):
        bounds[state, : len(own)] = np.cumsum(chance[own]) / chance[own].sum()
        rows[state, : len(own)] = own
    states, moves = np.zeros((steps + 1, len(start)), np.int64), np.zeros((steps + 1, len(start)), np.int64)
    states[0] = start
    for step in range(1, steps + 1):
        now = states[step - 1]
        drawn = (rng.random(len(start))[:, None] >= bounds[now]).sum(axis=1)
        kind = rows[now, np.minimum(drawn, widest - 1)]
        states[step], moves[step] = target[kind], move[kind]
    return states, moves


def touches(states: Array, moves: Array) -> tuple[Array, Array, Array, Array]:
    """Return (bid, bid lots, ask, ask lots) of one chain, shapes (n,); the mid begins near 2,000 half ticks."""
    spread, column = states // BINS + 1, states % BINS
    mid2 = 2_000 + spread[0] % 2 + np.cumsum(moves)
    return (mid2 - spread) // 2, 2 * column + 1, (mid2 + spread) // 2, 2 * BINS - 2 * column - 1
