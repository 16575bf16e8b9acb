"""Allocation: how much exposure each engine, instrument and the whole account may carry.

Exposure is *committed* (the entry cost of open positions) plus *reserved* (open entry orders' remainder at the
decision price), both as absolute notional in nanos. All caps are fractions of current equity:

    account cap = equity * max_leverage
    engine cap  = account cap * the engine's share (hft_share, …) * its weight in the release in force
    symbol cap  = account cap * symbol_share

The allocator reserves before the risk governor looks, as many lots as fit under every cap. Caps bind when an entry is
decided: a fill at another price than the decision's, or equity that falls later, may leave exposure above them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from chimera_platform.execution.orders import ENTRY, EXIT
from chimera_platform.execution.records import ENGINE_COUNT, DecisionReason, Engine
from chimera_platform.kernels import kernel
from chimera_platform.portfolio.account import MAX_NOTIONAL_NANOS
from chimera_platform.portfolio.positions import MAX_POSITION_LOTS
from chimera_platform.settings import Settings

APPROVED, POSITION_OPEN = int(DecisionReason.APPROVED), int(DecisionReason.POSITION_OPEN)
ENGINE_CAP, SYMBOL_CAP = int(DecisionReason.ENGINE_CAP), int(DecisionReason.SYMBOL_CAP)
ACCOUNT_CAP, SIZE_ZERO = int(DecisionReason.ACCOUNT_CAP), int(DecisionReason.SIZE_ZERO)


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


ALLOCATOR_DTYPE = np.dtype(
    [
        ("max_leverage", "<f8"),  # account cap: exposure over equity
        ("symbol_share", "<f8"),  # of the account cap
        ("engine_share", "<f8", (ENGINE_COUNT,)),  # of the account cap, by Engine
    ],
    align=True,
)


def allocator_record(settings: AllocatorSettings) -> np.ndarray[Any, Any]:
    """Return ``settings`` as ALLOCATOR_DTYPE, shape (1,): each engine's share under its number."""
    record = np.zeros(1, ALLOCATOR_DTYPE)
    record["max_leverage"], record["symbol_share"] = settings.max_leverage, settings.symbol_share
    for engine in Engine:
        record["engine_share"][0, engine] = getattr(settings, f"{engine.name.lower()}_share")
    return record


@kernel
def cap_nanos(equity_nanos: int, fraction: float) -> int:
    """Return ``equity * fraction`` as nanos, within [0, :data:`MAX_NOTIONAL_NANOS`]."""
    cap = float(equity_nanos) * fraction
    if cap >= float(MAX_NOTIONAL_NANOS):
        return MAX_NOTIONAL_NANOS
    return int(max(cap, 0.0))


@kernel
def engine_cap_nanos(account: Any, settings: Any, engine: int) -> int:
    """Return the exposure that ``engine`` may carry now."""
    equity = account.cash_nanos + account.value_nanos
    return cap_nanos(equity, settings.max_leverage * settings.engine_share[engine] * account.engine_weight[engine])


@kernel
def lot_notional_nanos(price_ticks: int, tick_value_nanos: int) -> int:
    """Return the absolute notional of one lot, at least 1; above all caps where it would not be exact."""
    if abs(price_ticks) > MAX_NOTIONAL_NANOS // tick_value_nanos:
        return MAX_NOTIONAL_NANOS + 1
    return max(abs(price_ticks) * tick_value_nanos, 1)


@kernel
def is_engaged(position: Any, entry: Any, leave: Any) -> bool:
    """Return whether an engine has a position or a working order (entry, exit) in an instrument."""
    return position.lots != 0 or entry.is_open == 1 or leave.is_open == 1


@kernel
def allocate(state: Any, settings: Any, i: int, e: int, lots_wanted: int, lot_notional: int) -> Any:
    """Return (lots that fit under every cap, APPROVED or the first cap that leaves less than a lot)."""
    account = state.account[0]
    equity = account.cash_nanos + account.value_nanos
    if is_engaged(state.positions[i, e], state.orders[i, e, ENTRY], state.orders[i, e, EXIT]):
        return 0, POSITION_OPEN
    engine_room = engine_cap_nanos(account, settings, e) - account.engine_exposure_nanos[e]
    if engine_room < lot_notional:
        return 0, ENGINE_CAP
    symbol_room = cap_nanos(equity, settings.max_leverage * settings.symbol_share) - state.markets[i].exposure_nanos
    if symbol_room < lot_notional:
        return 0, SYMBOL_CAP
    account_room = cap_nanos(equity, settings.max_leverage) - account.exposure_nanos
    if account_room < lot_notional:
        return 0, ACCOUNT_CAP
    room = min(engine_room, symbol_room, account_room) // lot_notional
    lots = min(lots_wanted, room, MAX_POSITION_LOTS)
    return (lots, APPROVED) if lots >= 1 else (0, SIZE_ZERO)
