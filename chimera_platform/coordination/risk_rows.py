"""Rows of what has changed in how much risk is taken, and of how much there is."""

from __future__ import annotations

from typing import Any

from chimera_platform.coordination.desk import VALUES
from chimera_platform.execution.quality import overall_quality
from chimera_platform.execution.records import Engine
from chimera_platform.kernels import kernel
from chimera_platform.risk.portfolio_risk import portfolio_risk

ALL_ENGINES = -1
NO_INSTRUMENT = -1
_HFT, _STRUCTURE, _ORDER_FLOW = int(Engine.HFT), int(Engine.STRUCTURE), int(Engine.ORDER_FLOW)


@kernel
def append_risk_event(
    state: Any,
    output: Any,
    kind: int,
    new_state: int,
    engine: int,
    instrument: int,
    value: float,
    threshold: float,
    event_no: int,
    ts: int,
) -> None:
    """Append a change; what ``new_state``, ``value`` and ``threshold`` mean stands with each RiskEventKind.

    Parameters
    ----------
    engine, instrument : whom it is about; ALL_ENGINES, NO_INSTRUMENT.
    """
    account = state.account[0]
    row = output.risk_events[output.counts[4]]
    output.counts[4] += 1
    row.risk_event_no = account.next_risk_event_no
    account.next_risk_event_no += 1
    row.event_no = event_no
    row.ts_event = ts
    row.value = value
    row.threshold = threshold
    row.instrument_id = instrument
    row.release_no = account.release_no
    row.kind = kind
    row.state = new_state
    row.engine = engine


@kernel
def append_risk_mark(
    state: Any, parameters: Any, estimates: Any, output: Any, equity_nanos: int, event_no: int, ts: int
) -> None:
    """Append what is held and what it risks; the estimates have been brought up to date before."""
    account, desk, values = state.account[0], state.desk[0], estimates.work[VALUES]
    figures, stress = desk.value_at_risk, desk.stress
    gross, net = 0.0, 0.0
    for k in range(desk.portfolio.held_count):
        value = values[state.market_risk[k].held]
        gross += abs(value)
        net += value
    row = output.risk_marks[output.counts[5]]
    output.counts[5] += 1
    row.risk_mark_no = account.next_risk_mark_no
    account.next_risk_mark_no += 1
    row.event_no = event_no
    row.ts_event = ts
    row.equity_nanos = equity_nanos
    row.drawdown_nanos = account.peak_equity_nanos - equity_nanos
    row.day_profit_nanos = equity_nanos - desk.breaker.day_start_nanos
    row.gross_nanos = int(gross * 1e9)
    row.net_nanos = int(net * 1e9)
    row.portfolio_risk = portfolio_risk(desk.portfolio, parameters.settings[0].covariance, equity_nanos)
    row.var_historical = figures.var_historical
    row.var_cornish_fisher = figures.var_cornish_fisher
    row.var_filtered = figures.var_filtered
    row.es_historical = figures.es_historical
    row.es_cornish_fisher = figures.es_cornish_fisher
    row.es_filtered = figures.es_filtered
    row.stress_spread = stress.spread
    row.stress_gap_up = stress.gap_up
    row.stress_gap_down = stress.gap_down
    row.stress_correlation = stress.correlation
    row.hedge_score = desk.hedge.score
    row.quality = overall_quality(desk.qualities)
    row.hft_weight = account.engine_weight[_HFT]
    row.structure_weight = account.engine_weight[_STRUCTURE]
    row.order_flow_weight = account.engine_weight[_ORDER_FLOW]
    row.release_no = account.release_no
    row.breaker = desk.breaker.state
