"""The fitted microprice's table: which cell a book reads, and when there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chimera_platform.microstructure.fitted_microprice import (
    IMBALANCE_BINS,
    SPREAD_BINS,
    fitted_adjustment,
    new_microprice_table,
)


def table(imbalance_bins: int = 4, spreads_max: int = 3) -> Any:
    """Return a fitted table whose cell says where it is: 100 · row + column."""
    found = new_microprice_table()
    found["is_fitted"], found["imbalance_bins"], found["spreads_max"] = 1, imbalance_bins, spreads_max
    rows, columns = np.arange(SPREAD_BINS)[:, None], np.arange(IMBALANCE_BINS)[None, :]
    found["adjustment"] = 100 * rows + columns
    return found[0]


@pytest.mark.parametrize(
    ("bid_size", "ask_size", "column"), [(1, 10**15, 0), (24, 76, 0), (25, 75, 1), (50, 50, 2), (10**15, 1, 3)]
)
def test_the_queue_imbalance_chooses_the_column(bid_size: int, ask_size: int, column: int) -> None:
    assert fitted_adjustment(table(), 100, bid_size, 101, ask_size) == column


@pytest.mark.parametrize(("spread", "row"), [(1, 0), (2, 1), (3, 2), (4, 2), (2**40, 2)])
def test_the_spread_chooses_the_row_and_wider_ones_share_the_last(spread: int, row: int) -> None:
    assert fitted_adjustment(table(), 100, 1, 100 + spread, 1) == 100 * row + 2


def test_a_table_may_use_every_cell() -> None:
    whole = table(IMBALANCE_BINS, SPREAD_BINS)
    assert fitted_adjustment(whole, 0, 10**18, SPREAD_BINS, 1) == 100 * (SPREAD_BINS - 1) + IMBALANCE_BINS - 1


@pytest.mark.parametrize("book", [(100, 0, 101, 1), (100, 1, 101, 0), (100, 1, 100, 1), (101, 1, 100, 1)])
def test_one_sided_locked_and_crossed_books_have_no_fitted_microprice(book: tuple[int, int, int, int]) -> None:
    assert math.isnan(fitted_adjustment(table(), *book))


def test_an_unfitted_table_says_nothing() -> None:
    assert math.isnan(fitted_adjustment(new_microprice_table()[0], 100, 1, 101, 1))
