"""The exposure ledger: what is committed and reserved, by position, engine, instrument and account.

*Committed* is the absolute entry cost of a position; *reserved* is the remainder of an open entry order at its
decision price. These two kernels are the only places that move either, so the four totals cannot part ways.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.kernels import kernel


@kernel
def add_reserved(account: Any, market: Any, position: Any, engine: int, amount_nanos: int) -> None:
    """Reserve ``amount_nanos`` more (negative: give back)."""
    position.reserved_nanos += amount_nanos
    market.exposure_nanos += amount_nanos
    account.engine_exposure_nanos[engine] += amount_nanos
    account.exposure_nanos += amount_nanos


@kernel
def add_committed(account: Any, market: Any, position: Any, engine: int, amount_nanos: int) -> None:
    """Commit ``amount_nanos`` more (negative: free)."""
    position.committed_nanos += amount_nanos
    market.exposure_nanos += amount_nanos
    account.engine_exposure_nanos[engine] += amount_nanos
    account.exposure_nanos += amount_nanos
