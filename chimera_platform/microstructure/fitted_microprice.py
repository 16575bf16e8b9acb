"""The fitted microprice (Stoikov 2018): what the mid is expected to become, read off a table of book states.

The state is (imbalance, spread): the touch's queue imbalance q_b / (q_b + q_a) in bins of equal width, and the spread
in steps of ticks, where all from the widest on share one row. The table holds g(imbalance, spread), in half ticks, so
that mid + g is the microprice; it is estimated elsewhere and comes with a release. Without one it is unfitted:
undefined.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import kernel

SPREAD_BINS = 8  # most rows of a table
IMBALANCE_BINS = 16  # most columns

MICROPRICE_DTYPE = np.dtype(
    [
        ("is_fitted", "<i8"),  # 1: the table below holds
        ("imbalance_bins", "<i8"),  # columns in use, 1 to IMBALANCE_BINS
        ("spreads_max", "<i8"),  # rows in use, 1 to SPREAD_BINS; the last one is for all wider spreads too
        ("spread_step", "<i8"),  # ticks that a row is wide: row k is a spread of k step + 1 to (k + 1) step ticks
        ("adjustment", "<f8", (SPREAD_BINS, IMBALANCE_BINS)),  # half ticks, microprice - mid
    ]
)


def new_microprice_table() -> np.ndarray[Any, Any]:
    """Return an unfitted table, shape (1,), dtype :data:`MICROPRICE_DTYPE`."""
    table = np.zeros(1, MICROPRICE_DTYPE)
    table["imbalance_bins"], table["spreads_max"] = IMBALANCE_BINS, SPREAD_BINS
    table["spread_step"] = 1
    table["adjustment"] = np.nan
    return table


@kernel
def fitted_adjustment(table: Any, bid: int, bid_size: int, ask: int, ask_size: int) -> Any:
    """Return microprice - mid in half ticks (Stoikov 2018, g of theorem 3.1 as estimated).

    NaN while the table is unfitted, a side is empty (size 0), or the quotes are locked or crossed.

    Parameters
    ----------
    table : record of :data:`MICROPRICE_DTYPE`.
    bid, ask : ticks.
    bid_size, ask_size : lots at the touch.
    """
    spread = ask - bid
    if table.is_fitted == 0 or bid_size <= 0 or ask_size <= 0 or spread <= 0:
        return np.nan
    row = min((spread - 1) // table.spread_step, table.spreads_max - 1)
    share = bid_size / (float(bid_size) + float(ask_size))
    column = min(np.int64(share * table.imbalance_bins), table.imbalance_bins - 1)
    return table.adjustment[row, column]
