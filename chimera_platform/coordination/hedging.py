"""The hedge controller's orders: what it sees of the markets, and its entries and exits on the common path."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.entries import handle_intent, refresh_market
from chimera_platform.coordination.exits import close_position
from chimera_platform.coordination.exposing import net_lots
from chimera_platform.coordination.risk_rows import ALL_ENGINES, NO_INSTRUMENT, append_risk_event
from chimera_platform.execution.order_state import open_lots
from chimera_platform.execution.orders import ENTRY, EXIT
from chimera_platform.execution.records import Engine, OrderReason, RiskEventKind
from chimera_platform.kernels import kernel
from chimera_platform.risk.gates.market import exceeds_ppm
from chimera_platform.risk.hedge_controller import fill_hedge_intent, fill_hedge_market, plan_hedge

HEDGE, HEDGE_CLOSED = int(Engine.HEDGE), int(OrderReason.HEDGE_CLOSED)
_HEDGE_EVENT = int(RiskEventKind.HEDGE)
UNKNOWN_REGIME = -1


@kernel
def fill_hedge_markets(state: Any, parameters: Any, estimates: Any, ts: int) -> bool:
    """Write what the controller has to know of each instrument; return whether anything is held at all."""
    risk, found = parameters.settings[0].risk, False
    for i in range(state.markets.shape[0]):
        market, position = state.exchange_markets[i], state.positions[i, HEDGE]
        entry, leave, instrument = (
            state.orders[i, HEDGE, ENTRY],
            state.orders[i, HEDGE, EXIT],
            parameters.instruments[i],
        )
        working = 0
        if entry.is_open == 1:
            working += entry.side * open_lots(entry)
        if leave.is_open == 1:
            working += leave.side * open_lots(leave)
        can_exit = market.is_tradable == 1 and market.is_complete == 1
        is_fresh = ts - state.markets[i].quoted_ts <= risk.max_data_age_ns
        is_tight = not exceeds_ppm(market.ask - market.bid, market.bid + market.ask, risk.max_spread_ppm)
        net = net_lots(state.positions, i) - position.lots
        found = found or net != 0 or position.lots != 0 or working != 0
        fill_hedge_market(
            estimates.hedge_markets[i],
            net,
            position.lots,
            working,
            market.bid,
            market.ask,
            instrument.tick_value_nanos,
            instrument.taker_fee_per_lot_nanos,
            instrument.taker_fee_ppm,
            can_exit and is_fresh and is_tight,
            can_exit,
        )
    return found


@kernel
def follow_hedges(
    state: Any, parameters: Any, estimates: Any, output: Any, equity_nanos: int, event_no: int, ts: int
) -> None:
    """Send the one hedge order that is due, if any."""
    account, desk, settings = state.account[0], state.desk[0], parameters.settings[0]
    hedge, was_wanted = desk.hedge, desk.hedge.is_wanted
    if not fill_hedge_markets(state, parameters, estimates, ts) and was_wanted == 0:
        hedge.score = hedge.net_risk = hedge.book_risk = hedge.hedge_risk = 0.0
        return
    peak = max(account.peak_equity_nanos, 1)
    i, lots = plan_hedge(
        hedge,
        settings.hedge_controller,
        estimates.hedge_markets,
        estimates.hedge_work,
        estimates.betas,
        state.market_risk,
        state.moments,
        desk.portfolio,
        settings.covariance,
        equity_nanos,
        float(account.peak_equity_nanos - equity_nanos) / float(peak),
        ts,
    )
    if hedge.is_wanted != was_wanted:
        threshold = settings.hedge_controller.hedge_threshold_score
        append_risk_event(
            state, output, _HEDGE_EVENT, hedge.is_wanted, ALL_ENGINES, NO_INSTRUMENT, hedge.score, threshold, event_no,
            ts,
        )  # fmt: skip
    if i >= 0:
        send_hedge(state, parameters, output, i, lots, event_no, ts)


@kernel
def send_hedge(state: Any, parameters: Any, output: Any, i: int, lots: int, event_no: int, ts: int) -> None:
    """Take a hedge back by an exit, or extend it by an intent that goes through every gate that holds for hedges."""
    position, market = state.positions[i, HEDGE], state.markets[i]
    if position.lots * lots < 0:
        refresh_market(market, state.exchange_markets[i])
        close_position(state, parameters, output, i, HEDGE, HEDGE_CLOSED, abs(lots), event_no, ts)
        return
    intent = output.intents[output.counts[6]]
    output.counts[6] += 1
    bid, ask, release_no = state.exchange_markets[i].bid, state.exchange_markets[i].ask, state.account[0].release_no
    fill_hedge_intent(intent, i, lots, bid, ask, UNKNOWN_REGIME, release_no, event_no, ts, 0)
    handle_intent(state, parameters, output, intent, event_no, ts, 0)
