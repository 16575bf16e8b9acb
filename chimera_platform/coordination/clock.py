"""What the coordinator does as time goes by, in this order: day and losses, pauses, samples of the markets, the
figures of risk, weights, hedges, a mark of it all.

A tick comes before the venue and the books see the event at which it falls.
"""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.exposing import wake
from chimera_platform.coordination.hedging import follow_hedges
from chimera_platform.coordination.losses import follow_losses
from chimera_platform.coordination.measuring import measure_risk, sample_markets
from chimera_platform.coordination.receiving import append_reject_steps
from chimera_platform.coordination.risk_rows import (
    ALL_ENGINES,
    NO_INSTRUMENT,
    append_risk_event,
    append_risk_mark,
)
from chimera_platform.execution.records import ENGINE_COUNT, RiskEventKind
from chimera_platform.kernels import kernel
from chimera_platform.risk.circuit_breaker import needs_look
from chimera_platform.risk.latency_pause import NORMAL as LATENCY_NORMAL
from chimera_platform.risk.latency_pause import NS_IN_MS, refresh_latency
from chimera_platform.risk.rebalancing import is_rebalance_due, rebalance
from chimera_platform.risk.reject_escalation import refresh_rejects

_LATENCY, _WEIGHT = int(RiskEventKind.LATENCY), int(RiskEventKind.WEIGHT)

ROWS_PER_TICK = ENGINE_COUNT + 8
"""Most rows of one table that a tick can bring: steps and weights by engine, breaker, day, latency, hedge."""


@kernel
def is_anything_paused(desk: Any) -> bool:
    """Return whether anything pauses or is made smaller after rejects or slow acknowledgements."""
    found = desk.latency.state != LATENCY_NORMAL
    for who in range(ENGINE_COUNT + 1):
        found = found or desk.rejects[who].step != 0
    return found


@kernel
def follow_pauses(state: Any, parameters: Any, output: Any, event_no: int, ts: int) -> None:
    """Let pauses end that are over."""
    desk, adaptive = state.desk[0], parameters.settings[0].risk_adaptive
    changed = refresh_rejects(desk.rejects, adaptive, ts)
    if changed != 0:
        append_reject_steps(state, parameters, output, changed, event_no, ts)
    latency = desk.latency
    if refresh_latency(latency, ts):
        last, threshold = float(latency.last_ns) / NS_IN_MS, adaptive.latency_threshold_ms
        append_risk_event(
            state, output, _LATENCY, latency.state, ALL_ENGINES, NO_INSTRUMENT, last, threshold, event_no, ts
        )


@kernel
def follow_weights(state: Any, parameters: Any, output: Any, event_no: int, ts: int) -> None:
    """Rebalance the engines' weights; once none moves any more, wait for the next trade."""
    account, desk = state.account[0], state.desk[0]
    weights = desk.weights
    changed = rebalance(weights, desk.performances, parameters.settings[0].performance_tracking, ts)
    for e in range(ENGINE_COUNT):
        if changed >> e & 1:
            account.engine_weight[e] = weights.weight[e]
            append_risk_event(
                state, output, _WEIGHT, 0, e, NO_INSTRUMENT, weights.weight[e], weights.previous[e], event_no, ts
            )
    if changed == 0:
        desk.is_rebalancing = 0


@kernel
def tick(state: Any, parameters: Any, estimates: Any, output: Any, event_no: int, ts: int) -> None:
    """Do what is due at ``ts`` (ns UTC) and set the time of the next tick."""
    account, desk, settings = state.account[0], state.desk[0], parameters.settings[0]
    equity = account.cash_nanos + account.value_nanos
    breaker_before = desk.breaker.state
    if needs_look(desk.breaker, equity, ts):
        follow_losses(state, parameters, output, event_no, ts)
    if is_anything_paused(desk):
        follow_pauses(state, parameters, output, event_no, ts)
    if ts >= desk.portfolio.next_sample_ts:
        sample_markets(state, parameters, estimates, ts)
    if desk.is_holding_changed == 1:
        measure_risk(state, parameters, estimates, equity)
    if desk.is_rebalancing == 1 and is_rebalance_due(desk.weights, ts):
        follow_weights(state, parameters, output, event_no, ts)
    is_exposed = desk.portfolio.held_count > 0
    is_hedged = desk.hedge.is_wanted == 1 or desk.hedge.hedge_risk > 0.0
    if is_hedged or (is_exposed and settings.hedge_controller.enable_cross_engine_hedging == 1):
        follow_hedges(state, parameters, estimates, output, equity, event_no, ts)
    is_marked = is_exposed and ts >= desk.next_risk_mark_ts
    if is_marked or desk.breaker.state != breaker_before:
        append_risk_mark(state, parameters, estimates, output, equity, event_no, ts)
        desk.next_risk_mark_ts = ts + settings.account.mark_interval_ns
    desk.next_look_ts = min(desk.portfolio.next_sample_ts, desk.breaker.day_end_ts)
    if is_exposed or is_hedged or is_anything_paused(desk) or desk.is_rebalancing == 1:
        wake(desk, settings.coordination, ts)
