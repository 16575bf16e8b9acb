"""The exposure ledger: what is committed and what is reserved, by position, engine, instrument, currency and account.

*Reserved* is what open entry orders can still fill, *committed* what is held; both count each lot at the price at which
it was decided, as absolute notional in nanos. A fill of ``q`` lots of an entry therefore moves exactly ``q`` times the
price reserved per lot from one to the other, whatever it cost, and an exit frees its share of what is committed: no
exposure arises but by a decision, and what fitted under a cap when it was decided fits when it is filled.
The one exception is the venue's: where it trades what it had reported as cancelled, the lots take up again what their
end had given back.

A *currency* is what is bought and sold (:attr:`~chimera_platform.market.instruments.Instrument.asset`): gold, euro,
bitcoin, one company's stock.

:func:`add_reserved` and :func:`add_committed` are the only places that move either, at all five levels at once, so
that the totals cannot part ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.kernels import record_kernel
from chimera_platform.portfolio.positions import share_of_cost

CURRENCY_DTYPE = np.dtype(
    [
        ("committed_nanos", "<i8"),  # of all engines, in all instruments in which it is bought and sold
        ("reserved_nanos", "<i8"),
    ]
)


@record_kernel
def exposure_nanos(level: Any) -> int:
    """Return committed + reserved of a position, market (instrument), currency or account record."""
    return level.committed_nanos + level.reserved_nanos


@record_kernel
def engine_exposure_nanos(account: Any, engine: int) -> int:
    """Return committed + reserved of an engine in all instruments."""
    return account.engine_committed_nanos[engine] + account.engine_reserved_nanos[engine]


@record_kernel
def add_reserved(account: Any, market: Any, currency: Any, position: Any, engine: int, amount_nanos: int) -> None:
    """Reserve ``amount_nanos`` more (negative: give back) at all levels.

    Parameters
    ----------
    account : ACCOUNT_DTYPE record.
    market, currency : of the instrument; its MARKET_DTYPE record and the CURRENCY_DTYPE record of what it buys.
    position : POSITION_DTYPE record of (instrument, engine).
    """
    position.reserved_nanos += amount_nanos
    market.reserved_nanos += amount_nanos
    currency.reserved_nanos += amount_nanos
    account.engine_reserved_nanos[engine] += amount_nanos
    account.reserved_nanos += amount_nanos


@record_kernel
def add_committed(account: Any, market: Any, currency: Any, position: Any, engine: int, amount_nanos: int) -> None:
    """Commit ``amount_nanos`` more (negative: free) at all levels; parameters as of :func:`add_reserved`."""
    position.committed_nanos += amount_nanos
    market.committed_nanos += amount_nanos
    currency.committed_nanos += amount_nanos
    account.engine_committed_nanos[engine] += amount_nanos
    account.committed_nanos += amount_nanos


@record_kernel
def committed_by_fill(committed_nanos: int, held: int, side: int, lots: int, reserved_per_lot_nanos: int) -> int:
    """Return by how much a fill changes what a position has committed.

    Lots that close free their share ``floor(committed * closed / |held|)``; lots that open are committed at the price
    that was reserved for each.

    Parameters
    ----------
    committed_nanos, held : of the position before the fill; signed lots.
    side, lots, reserved_per_lot_nanos : of the fill, its order's price.
    """
    closed, freed = 0, 0
    if held * side < 0:
        closed = min(lots, abs(held))
        freed = share_of_cost(committed_nanos, closed, abs(held))
    return (lots - closed) * reserved_per_lot_nanos - freed
