"""Keeping in step, after each change of an order or a position, what is held and what that risks."""

from __future__ import annotations

from typing import Any

from chimera_platform.execution.order_state import open_lots
from chimera_platform.execution.orders import ENTRY
from chimera_platform.execution.records import ENGINE_COUNT
from chimera_platform.kernels import kernel
from chimera_platform.risk.portfolio_risk import exposure_nanos, set_exposure, worse_exposure


@kernel
def net_lots(positions: Any, i: int) -> int:
    """Return the signed lots of an instrument that all engines hold together."""
    lots = 0
    for e in range(ENGINE_COUNT):
        lots += positions[i, e].lots
    return lots


@kernel
def lots_at_stake(positions: Any, orders: Any, i: int) -> Any:
    """Return the signed lots of an instrument with (all buying, all selling) open entries filled."""
    most = least = net_lots(positions, i)
    for e in range(ENGINE_COUNT):
        entry = orders[i, e, ENTRY]
        if entry.is_open == 1:
            if entry.side > 0:
                most += open_lots(entry)
            else:
                least -= open_lots(entry)
    return most, least


@kernel
def lots_in_all(positions: Any, orders: Any, i: int) -> int:
    """Return the lots of an instrument that are held and on order, of each engine without its sign."""
    lots = 0
    for e in range(ENGINE_COUNT):
        lots += abs(positions[i, e].lots)
        if orders[i, e, ENTRY].is_open == 1:
            lots += open_lots(orders[i, e, ENTRY])
    return lots


@kernel
def follow_exposure(state: Any, parameters: Any, i: int, e: int, ts: int) -> None:
    """Carry along what depends on the positions and entries of instrument ``i``, of which engine ``e``'s changed."""
    account, desk, position = state.account[0], state.desk[0], state.positions[i, e]
    is_engaged = 1 if position.lots != 0 or state.orders[i, e, ENTRY].is_open == 1 else 0
    account.open_positions += is_engaged - position.is_engaged
    position.is_engaged = is_engaged
    expose(state, parameters, i)
    wake(desk, parameters.settings[0].coordination, ts)


@kernel
def expose(state: Any, parameters: Any, i: int) -> None:
    """Set an instrument's exposure to what is held at its present mid, with the entries filled that risk more."""
    market, portfolio, settings = state.exchange_markets[i], state.desk[0].portfolio, parameters.settings[0].covariance
    mid2, tick_value = market.bid + market.ask, parameters.instruments[i].tick_value_nanos
    lots = lots_at_stake(state.positions, state.orders, i)
    most, least = exposure_nanos(lots[0], mid2, tick_value), exposure_nanos(lots[1], mid2, tick_value)
    exposure = worse_exposure(state.market_risk, state.moments, portfolio, settings, i, most, least)
    set_exposure(state.market_risk, state.moments, portfolio, settings, i, exposure)


@kernel
def wake(desk: Any, settings: Any, ts: int) -> None:
    """Let the clock tick at the next whole interval."""
    interval = settings.clock_interval_ns
    desk.next_look_ts = min(desk.next_look_ts, (ts // interval + 1) * interval)
