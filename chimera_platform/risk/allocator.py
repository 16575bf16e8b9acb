"""Allocation: how much exposure each engine, instrument, currency and the whole account may carry.

Exposure is *committed* (what is held) plus *reserved* (what open entry orders can still fill), see
:mod:`chimera_platform.portfolio.exposure`. All caps are fractions of current equity:

    account cap  = equity * max_leverage
    engine cap   = account cap * the engine's share (hft_share, …) * its weight in force
    symbol cap   = account cap * symbol_share, or the symbol's own in symbol_shares
    currency cap = account cap * currency_share, or the currency's own in currency_shares

A currency is what an instrument buys and sells, so that two gold markets share one cap, however many there are.

:func:`fill_caps` writes exposure and caps into the row of a decision, :func:`allocate` reads that row alone: the same
row gives the same lots again. The allocator reserves before the risk governor looks, as many lots as fit under every
cap. Fills carry their decision's price, so no fill takes exposure above a cap; equity that falls after a decision, or
a weight that is lowered, may leave exposure above one, and then nothing more is allocated under it.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from chimera_platform.execution.records import ENGINE_COUNT, DecisionReason, Engine
from chimera_platform.kernels import record_kernel
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import MAX_NOTIONAL_NANOS
from chimera_platform.portfolio.exposure import engine_exposure_nanos, exposure_nanos
from chimera_platform.portfolio.positions import MAX_POSITION_LOTS
from chimera_platform.settings import Settings

APPROVED, POSITION_OPEN = int(DecisionReason.APPROVED), int(DecisionReason.POSITION_OPEN)
ENGINE_CAP, SYMBOL_CAP = int(DecisionReason.ENGINE_CAP), int(DecisionReason.SYMBOL_CAP)
CURRENCY_CAP, ACCOUNT_CAP = int(DecisionReason.CURRENCY_CAP), int(DecisionReason.ACCOUNT_CAP)
MAX_POSITION, SIZE_ZERO = int(DecisionReason.MAX_POSITION), int(DecisionReason.SIZE_ZERO)

_Share = Annotated[float, Field(ge=0.0, le=1.0)]


class AllocatorSettings(Settings):
    """Caps on exposure, as fractions of equity."""

    max_leverage: float = Field(4.0, gt=0.0, le=100.0, description="account cap: exposure over equity")
    hft_share: float = Field(0.4, ge=0.0, le=1.0, description="share of the account cap open to the HFT engine")
    structure_share: float = Field(
        0.3, ge=0.0, le=1.0, description="share of the account cap open to the structure engine"
    )
    order_flow_share: float = Field(
        0.3, ge=0.0, le=1.0, description="share of the account cap open to the order-flow engine"
    )
    hedge_share: float = Field(0.3, ge=0.0, le=1.0, description="share of the account cap open to hedges")
    symbol_share: float = Field(0.5, gt=0.0, le=1.0, description="share of the account cap open to one instrument")
    symbol_shares: dict[str, _Share] = Field(
        {}, description="in place of symbol_share for the instruments of that symbol; 0: nothing may be entered"
    )
    currency_share: float = Field(
        0.75,
        gt=0.0,
        le=1.0,
        description="share of the account cap open to one currency or asset, in all instruments that buy and sell it",
    )
    currency_shares: dict[str, _Share] = Field(
        {}, description="in place of currency_share for the currency or asset of that name; 0: nothing may be entered"
    )


ALLOCATOR_DTYPE = np.dtype(
    [
        ("max_leverage", "<f8"),  # account cap: exposure over equity
        ("engine_share", "<f8", (ENGINE_COUNT,)),  # of the account cap, by Engine
    ],
    align=True,
)

SHARES_DTYPE = np.dtype(
    [
        ("currency_index", "<i8"),  # of what the instrument buys: row of the currencies
        ("symbol_share", "<f8"),  # of the account cap, open to the instrument
        ("currency_share", "<f8"),  # of the account cap, open to what it buys
    ]
)


def allocator_record(settings: AllocatorSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as ALLOCATOR_DTYPE, shape (1,): each engine's share under its number."""
    record = np.zeros(1, ALLOCATOR_DTYPE)
    record["max_leverage"] = settings.max_leverage
    for engine in Engine:
        record["engine_share"][0, engine] = getattr(settings, f"{engine.name.lower()}_share")
    return record


def share_records(settings: AllocatorSettings, universe: Universe) -> np.ndarray[Any, Any]:
    """Return what each instrument of ``universe`` may take of the account cap: SHARES_DTYPE (instruments,).

    Shares of symbols and currencies that the universe does not have are for other runs, and say nothing here.
    """
    records = np.zeros(len(universe), SHARES_DTYPE)
    records["currency_index"] = universe.asset_index
    for record, instrument in zip(records, universe.instruments, strict=True):
        record["symbol_share"] = settings.symbol_shares.get(instrument.symbol, settings.symbol_share)
        record["currency_share"] = settings.currency_shares.get(instrument.asset, settings.currency_share)
    return records


@record_kernel
def cap_nanos(equity_nanos: int, fraction: float) -> int:
    """Return ``equity * fraction`` as nanos, within [0, :data:`MAX_NOTIONAL_NANOS`]."""
    cap = float(equity_nanos) * fraction
    if cap >= float(MAX_NOTIONAL_NANOS):
        return MAX_NOTIONAL_NANOS
    return int(max(cap, 0.0))


@record_kernel
def lot_notional_nanos(price_ticks: int, tick_value_nanos: int) -> int:
    """Return the absolute notional of one lot, at least 1; above all caps where it would not be exact."""
    if abs(price_ticks) > MAX_NOTIONAL_NANOS // tick_value_nanos:
        return MAX_NOTIONAL_NANOS + 1
    return max(abs(price_ticks) * tick_value_nanos, 1)


@record_kernel
def is_engaged(position: Any, entry: Any, leave: Any) -> bool:
    """Return whether an engine has a position or a working order (entry, exit) in an instrument."""
    return position.lots != 0 or entry.is_open == 1 or leave.is_open == 1


@record_kernel
def fill_caps(row: Any, account: Any, market: Any, currency: Any, settings: Any, share: Any) -> None:
    """Write equity, the engine's weight, and at each level the exposure and its cap into a decision.

    Parameters
    ----------
    row : DECISION_DTYPE record; its ``engine`` is set.
    account, market, currency : as of :func:`~chimera_platform.portfolio.exposure.add_reserved`, before anything is
        reserved for this decision.
    settings, share : ALLOCATOR_DTYPE record; SHARES_DTYPE record of the instrument.
    """
    engine = row.engine
    equity = account.cash_nanos + account.value_nanos
    leverage, weight = settings.max_leverage, account.engine_weight[engine]
    row.equity_nanos = equity
    row.engine_weight = weight
    row.engine_exposure_nanos = engine_exposure_nanos(account, engine)
    row.engine_cap_nanos = cap_nanos(equity, leverage * settings.engine_share[engine] * weight)
    row.symbol_exposure_nanos = exposure_nanos(market)
    row.symbol_cap_nanos = cap_nanos(equity, leverage * share.symbol_share)
    row.currency_exposure_nanos = exposure_nanos(currency)
    row.currency_cap_nanos = cap_nanos(equity, leverage * share.currency_share)
    row.account_exposure_nanos = exposure_nanos(account)
    row.account_cap_nanos = cap_nanos(equity, leverage)


@record_kernel
def _lots_under(cap: int, exposure: int, lot_notional: int) -> int:
    """Return the whole lots that fit between exposure and cap."""
    return max(cap - exposure, 0) // lot_notional


@record_kernel
def allocate(row: Any, lots_wanted: int) -> Any:
    """Return how many of ``lots_wanted`` fit under every cap, and the gate that says so.

    Parameters
    ----------
    row : DECISION_DTYPE record with what :func:`fill_caps` writes, ``lot_notional_nanos`` and ``is_engaged``.

    Returns
    -------
    lots : 0 to ``lots_wanted``.
    gate : APPROVED where all of them fit. Where fewer do, the cap that leaves least; where none, the first gate in
        DecisionReason's order that leaves less than a lot; SIZE_ZERO where none was wanted.
    """
    if row.is_engaged == 1:
        return 0, POSITION_OPEN
    lot = row.lot_notional_nanos
    engine = _lots_under(row.engine_cap_nanos, row.engine_exposure_nanos, lot)
    if engine < 1:
        return 0, ENGINE_CAP
    symbol = _lots_under(row.symbol_cap_nanos, row.symbol_exposure_nanos, lot)
    if symbol < 1:
        return 0, SYMBOL_CAP
    currency = _lots_under(row.currency_cap_nanos, row.currency_exposure_nanos, lot)
    if currency < 1:
        return 0, CURRENCY_CAP
    account = _lots_under(row.account_cap_nanos, row.account_exposure_nanos, lot)
    if account < 1:
        return 0, ACCOUNT_CAP
    if lots_wanted < 1:
        return 0, SIZE_ZERO
    lots, gate = lots_wanted, APPROVED
    if engine < lots:
        lots, gate = engine, ENGINE_CAP
    if symbol < lots:
        lots, gate = symbol, SYMBOL_CAP
    if currency < lots:
        lots, gate = currency, CURRENCY_CAP
    if account < lots:
        lots, gate = account, ACCOUNT_CAP
    if lots > MAX_POSITION_LOTS:
        lots, gate = MAX_POSITION_LOTS, MAX_POSITION
    return lots, gate
