"""Estimating the fitted microprice (Stoikov 2018, "The micro-price: a high-frequency estimator of future prices").

The touch is a Markov chain over x = (imbalance bin, spread row), looked at whenever it changes. From the transitions,

    Q[x, y] = P(next state y, the mid does not move | x)
    T[x, y] = P(next state y, the mid moves | x)
    r[x]    = E[move of the mid; half ticks | x]              (the paper's R K: its sizes of a move need no list here)
    G1      = (I - Q)^-1 r      expected first move;   B = (I - Q)^-1 T     state after it
    G*      = sum of B^n G1, n = 0, 1, …                      (the paper's limit of the i-th microprice; theorem 3.1)

Each transition is counted a second time mirrored: bid and ask, and the sign of the move, change places. So G1 is
antisymmetric in the imbalance, G1(I) = -G1(1 - I), B^n G1 goes to zero and the sum exists; without this, a day's trend
would make it grow for ever. The number of imbalance bins is odd: a balanced book is one state and its own mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from chimera_platform.errors import DataError
from chimera_platform.kernels import kernel
from chimera_platform.microstructure.fitted_microprice import (
    IMBALANCE_BINS,
    SPREAD_BINS,
    fitted_adjustment,
    new_microprice_table,
)
from chimera_platform.settings import Settings

Array = np.ndarray[Any, Any]
_ROUNDS_MAX = 100_000  # terms of the sum, at most


class MicropriceSettings(Settings):
    """How the fitted microprice is estimated."""

    imbalance_bins: int = Field(default=13, ge=3, le=IMBALANCE_BINS, description="columns of the table, odd")
    spreads_max: int = Field(default=SPREAD_BINS, ge=1, le=SPREAD_BINS, description="rows of the table, at most")
    wide_share: float = Field(default=0.1, gt=0.0, lt=1.0, description="of the states that the last row holds, about")
    visits_min: int = Field(default=300, ge=1, le=1_000_000, description="of every state, mirrored ones included")
    tolerance: float = Field(default=1e-9, gt=0.0, le=1e-3, description="at which the sum ends, half ticks")

    @model_validator(mode="after")
    def _has_a_middle(self) -> MicropriceSettings:
        if self.imbalance_bins % 2 == 0:
            raise ValueError(f"imbalance_bins {self.imbalance_bins} must be odd: a balanced book is a state of its own")
        return self


@dataclass(frozen=True)
class MicropriceFit:
    """A fitted table and how it came about.

    Attributes
    ----------
    table : shape (1,), ``MICROPRICE_DTYPE``.
    first : expected first move of the mid, half ticks, shape (rows, columns).
    visits : transitions out of each state, mirrored ones included, shape (rows, columns).
    rounds : terms of the sum until it stood still.
    """

    table: Array
    first: Array
    visits: Array
    rounds: int

    @property
    def adjustment(self) -> Array:
        """The part of the table in use: microprice - mid in half ticks, shape (rows, columns)."""
        table = self.table[0]
        return np.asarray(table["adjustment"][: table["spreads_max"], : table["imbalance_bins"]])


def fit_microprice(
    bid: Array,
    bid_size: Array,
    ask: Array,
    ask_size: Array,
    is_start: Array | None = None,
    settings: MicropriceSettings | None = None,
) -> MicropriceFit:
    """Estimate the table from the touch of one instrument, one row a completed (LAST) book state in time order.

    Parameters
    ----------
    bid, ask : ticks, shape (n,); bid_size, ask_size : lots. One-sided, locked and crossed rows break the chain.
    is_start : whether the row does not follow the one before (a new session, lost messages), shape (n,); None: only
        the first does not.

    Raises
    ------
    DataError : a state was seen too rarely, or the mid never moves from it, even in a table of one row.
    """
    chosen = settings if settings is not None else MicropriceSettings()
    chain = _chain(bid, bid_size, ask, ask_size, is_start, chosen)
    if not chain.is_followed.any():
        raise DataError(
            f"fitted microprice: {len(chain.spread)} states of the touch, none after another: nothing to fit"
        )
    for rows in range(min(chosen.spreads_max, int(chain.spread.max())), 0, -1):  # fewer rows have more visits each
        step = _spread_step(chain.spread, rows, chosen)
        state = np.minimum((chain.spread - 1) // step, rows - 1) * chosen.imbalance_bins + chain.column
        mirror = state - chain.column + (chosen.imbalance_bins - 1 - chain.column)
        counts = _transitions(state, mirror, chain, rows * chosen.imbalance_bins)
        if counts.visits.min() >= chosen.visits_min or rows == 1:
            break
    return _solve(counts, rows, step, chosen)


def adjustments(table: Array, bid: Array, bid_size: Array, ask: Array, ask_size: Array) -> Array:
    """Return microprice - mid in half ticks of many touches, shape (n,); NaN as :func:`fitted_adjustment`.

    Parameters
    ----------
    table : shape (1,), ``MICROPRICE_DTYPE``.
    bid, ask : ticks, shape (n,); bid_size, ask_size : lots.
    """
    quotes = np.stack([np.asarray(a, np.int64) for a in (bid, bid_size, ask, ask_size)], axis=1)
    out = np.empty(len(quotes))
    _write_adjustments(table, quotes, out)
    return out


@kernel
def _write_adjustments(table: Any, quotes: Any, out: Any) -> None:
    for i in range(quotes.shape[0]):
        out[i] = fitted_adjustment(table[0], quotes[i, 0], quotes[i, 1], quotes[i, 2], quotes[i, 3])


@dataclass(frozen=True)
class _Chain:
    """States of the touch and, for each but the last, whether the next row continues the chain."""

    column: Array
    spread: Array  # ticks
    mid2: Array  # half ticks
    is_followed: Array


@dataclass(frozen=True)
class _Counts:
    stay: Array  # (states, states): transitions without a move of the mid
    move: Array  # (states, states): with one
    moved: Array  # (states,): half ticks, summed
    visits: Array  # (states,)


def _chain(bid: Array, bid_size: Array, ask: Array, ask_size: Array, is_start: Array | None, chosen: Any) -> _Chain:
    """Return the chain: rows with a proper touch that differs from the one before."""
    start = np.zeros(len(bid), bool) if is_start is None else np.asarray(is_start, bool).copy()
    is_proper = (bid_size > 0) & (ask_size > 0) & (ask > bid)
    start[1:] |= ~is_proper[:-1]
    quotes = np.stack([np.asarray(a, np.int64) for a in (bid, bid_size, ask, ask_size)])[:, is_proper]
    start = start[is_proper]
    is_new = np.ones(quotes.shape[1], bool)
    is_new[1:] = (np.diff(quotes, axis=1) != 0).any(axis=0) | start[1:]
    (bid, bid_size, ask, ask_size), start = quotes[:, is_new], start[is_new]
    share = bid_size / (bid_size.astype(float) + ask_size)
    column = np.minimum((share * chosen.imbalance_bins).astype(np.int64), chosen.imbalance_bins - 1)
    return _Chain(column, ask - bid, bid + ask, ~start[1:])


def _spread_step(spread: Array, rows: int, chosen: MicropriceSettings) -> int:
    """Return the ticks that a row is wide: the fewest with which the usual spreads fit into the rows."""
    return max(1, int(np.ceil(np.quantile(spread, 1.0 - chosen.wide_share) / rows)))


def _transitions(state: Array, mirror: Array, chain: _Chain, states: int) -> _Counts:
    """Count every transition and its mirror image."""
    follows = chain.is_followed
    moved = np.diff(chain.mid2)[follows]
    source = np.concatenate([state[:-1][follows], mirror[:-1][follows]])
    target = np.concatenate([state[1:][follows], mirror[1:][follows]])
    moves = np.concatenate([moved, -moved])
    cell, shape = source * states + target, (states, states)
    stays = moves == 0
    return _Counts(
        stay=np.bincount(cell[stays], minlength=states * states).reshape(shape).astype(float),
        move=np.bincount(cell[~stays], minlength=states * states).reshape(shape).astype(float),
        moved=np.bincount(source, weights=moves.astype(float), minlength=states),
        visits=np.bincount(source, minlength=states),
    )


def _solve(counts: _Counts, rows: int, step: int, chosen: MicropriceSettings) -> MicropriceFit:
    """Return the table that the counts give."""
    rare = int(counts.visits.argmin())
    row, column = divmod(rare, chosen.imbalance_bins)
    where = f"imbalance bin {column} of {chosen.imbalance_bins}, spread row {row} of {rows}"
    if counts.visits[rare] < chosen.visits_min:
        raise DataError(
            f"fitted microprice: {where} was left {counts.visits[rare]} times; expected {chosen.visits_min} or more: "
            f"fit on more data"
        )
    per_visit = 1.0 / counts.visits[:, None]
    left = np.eye(len(counts.visits)) - counts.stay * per_visit
    if np.linalg.matrix_rank(left) < len(left):
        raise DataError("fitted microprice: there are states from which the mid never moves: fit on more data")
    first = np.linalg.solve(left, counts.moved * per_visit[:, 0])
    after = np.linalg.solve(left, counts.move * per_visit)
    total, term, rounds = first.copy(), first, 1
    while np.abs(term).max() > chosen.tolerance:
        if rounds == _ROUNDS_MAX:
            raise DataError(f"fitted microprice: the sum does not stand still after {rounds} terms: fit on more data")
        term = after @ term
        total += term
        rounds += 1
    shape = (rows, chosen.imbalance_bins)
    grid = total.reshape(shape)
    table = new_microprice_table()
    table["is_fitted"], table["spreads_max"], table["spread_step"] = 1, rows, step
    table["imbalance_bins"] = chosen.imbalance_bins
    table["adjustment"][0, :rows, : chosen.imbalance_bins] = (grid - grid[:, ::-1]) / 2.0  # rounding's asymmetry
    return MicropriceFit(table, first.reshape(shape), counts.visits.reshape(shape), rounds)
