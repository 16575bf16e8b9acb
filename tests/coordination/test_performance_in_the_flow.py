"""Invariant: what the coordinator knows of performance and executions, and its weights, follow from the journaled rows.

A simulated day through engines and coordinator; trades, scores and weights are worked out again from the rows alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.execution.quality import (
    EXECUTION_DTYPE,
    QUALITY_DTYPE,
    LatencyAttributionSettings,
    note_answer,
    note_execution,
    note_order_end,
    quality_record,
    quality_score,
    start_execution,
)
from chimera_platform.execution.records import ENGINE_COUNT, Engine, OrderStatus, RiskEventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.portfolio.performance_tracker import (
    PerformanceTrackingSettings,
    new_performances,
    note_trade,
    performance_tracking_record,
)
from chimera_platform.releases import Release
from chimera_platform.simulation.market.simulator import SimulatedMarket

ENDS = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED)
TRACKING = PerformanceTrackingSettings(half_life_trades=30.0, shrinkage_trades=20.0, max_step=0.02)
ATTRIBUTION = LatencyAttributionSettings(quality_half_life_orders=10.0, slippage_half_ticks=2.0)
PRIORS = {"hft": 0.9, "structure": 0.8, "order_flow": 0.7}
LAST = 1 << 62


@pytest.fixture(scope="module")
def ran() -> tuple[CoordinatorOutput, dict[str, Any]]:
    """Return the output of a day in one piece, and the coordinator's state after it."""
    market = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=5&days=1&rate=0.5", load_instruments())
    events = np.concatenate(list(market.batches(65_536)))
    path = DecisionPath(market.universe, Configuration(performance_tracking=TRACKING, latency_attribution=ATTRIBUTION))
    path.apply_release(Release("x", {}, PRIORS, None, 0.5, {}), 1)
    return path.run(events, 0), path.snapshot()["coordinator"]


def desk(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> Any:
    return ran[1]["desk"][0]


def test_performances_are_those_of_the_fills(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> None:
    output, parameters = ran[0], performance_tracking_record(TRACKING)[0]
    lot_notional = dict(
        zip(output.decisions["intent_no"], output.decisions["lot_notional_nanos"].tolist(), strict=True)
    )
    found = new_performances(ENGINE_COUNT)
    trades: dict[tuple[int, int], dict[str, int]] = {}
    for fill in output.fills:
        own = trades.setdefault(
            (int(fill["instrument_id"]), int(fill["engine"])), dict.fromkeys(("net", "now", "most"), 0)
        )
        own["net"] += int(fill["realised_nanos"]) - int(fill["fee_nanos"])
        lots, after = int(fill["size"]), abs(int(fill["position_after"]))
        if fill["is_exit"]:
            own["now"] -= own["now"] * lots // (after + lots)
        else:
            own["now"] += lots * lot_notional[fill["intent_no"]]
        own["most"] = max(own["most"], own["now"])
        if after == 0:
            note_trade(found[fill["engine"]], parameters, own["net"], own["most"], int(fill["ts_event"]))
            own.update(net=0, now=0, most=0)
    assert found["trades"].max() > 100
    assert desk(ran)["performances"].tobytes() == found.tobytes()


def test_weights_change_by_journaled_steps_within_their_bounds(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> None:
    rows = ran[0].risk_events[ran[0].risk_events["kind"] == RiskEventKind.WEIGHT]
    assert len(rows) > 50
    weights = {Engine[name.upper()]: prior for name, prior in PRIORS.items()}
    bounds = {
        e: (prior * (1 - TRACKING.weight_band), prior * (1 + TRACKING.weight_band)) for e, prior in weights.items()
    }
    for row in rows:
        engine = Engine(int(row["engine"]))
        assert row["threshold"] == weights[engine]
        weights[engine] = float(row["value"])
        assert 0 < abs(weights[engine] - row["threshold"]) <= TRACKING.max_step * (1 + 1e-12)
        assert bounds[engine][0] <= weights[engine] <= bounds[engine][1] * (1 + 1e-12)
    assert [desk(ran)["weights"]["weight"][e] for e in weights] == list(weights.values())
    assert ran[1]["account"]["engine_weight"][0].tolist() == desk(ran)["weights"]["weight"].tolist()
    assert desk(ran)["weights"]["weight"][Engine.HEDGE] == 1.0


def test_rebalancings_are_an_interval_of_event_time_apart(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> None:
    rows = ran[0].risk_events[ran[0].risk_events["kind"] == RiskEventKind.WEIGHT]
    intervals = np.unique(rows["ts_event"]) // int(TRACKING.rebalance_interval_seconds * 1e9)
    assert len(np.unique(intervals)) == len(intervals) == desk(ran)["weights"]["rebalancings"]


def test_every_decision_is_taken_under_the_weight_in_force(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> None:
    output = ran[0]
    rows = output.risk_events[output.risk_events["kind"] == RiskEventKind.WEIGHT]
    changed = 0
    for engine in (Engine.HFT, Engine.STRUCTURE, Engine.ORDER_FLOW):
        own = rows[rows["engine"] == engine]
        decided = output.decisions[output.decisions["engine"] == engine]
        path = np.concatenate([[PRIORS[engine.name.lower()]], own["value"]])
        expected = path[np.searchsorted(own["event_no"], decided["event_no"], side="right")]
        assert (decided["engine_weight"] == expected).all()
        changed += len(np.unique(decided["engine_weight"]))
    assert changed > 20


def test_engines_are_not_weighed_before_they_have_traded_enough(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> None:
    output = ran[0]
    rows = output.risk_events[output.risk_events["kind"] == RiskEventKind.WEIGHT]
    flat = output.fills[(output.fills["position_after"] == 0)]
    for engine in np.unique(rows["engine"]):
        ended = flat[flat["engine"] == engine]["ts_event"]
        assert rows[rows["engine"] == engine]["ts_event"][0] >= ended[TRACKING.min_trades_before_rebalance - 1]


def test_quality_is_that_of_the_order_rows(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> None:
    output, parameters = ran[0], quality_record(ATTRIBUTION)[0]
    found, executions = np.zeros(ENGINE_COUNT, QUALITY_DTYPE), {}
    fills: dict[int, list[Any]] = {}
    for fill in output.fills:
        fills.setdefault(int(fill["order_no"]), []).append(fill)
    crossings = []
    for row in output.orders:
        order_no, status, ts = int(row["order_no"]), int(row["status"]), int(row["ts_event"])
        side, engine = int(row["side"]), int(row["engine"])
        if status == OrderStatus.PENDING_NEW:
            own = executions[order_no] = np.zeros(1, EXECUTION_DTYPE)[0]
            start_execution(own, side, int(row["stop_price"]), int(row["bid_price"]), int(row["ask_price"]), ts)
            continue
        own = executions[order_no]
        if row["ts_venue"] != 0:
            note_answer(own, ts)
        while int(own["filled"]) < int(row["filled"]):
            fill = fills[order_no].pop(0)
            note_execution(own, side, int(fill["price"]), int(fill["size"]), int(fill["ts_event"]))
        if status in ENDS and note_order_end(found[engine], own, parameters, int(row["size"])):
            crossings.append((int(row["event_no"]), engine, int(found[engine]["is_low"]), quality_score(found[engine])))
    assert found["orders"].sum() > 200
    assert desk(ran)["qualities"].tobytes() == found.tobytes()
    said = output.risk_events[output.risk_events["kind"] == RiskEventKind.QUALITY]
    assert [tuple(row) for row in said[["event_no", "engine", "state", "value"]].tolist()] == crossings


def test_the_marks_show_the_weights_in_force(ran: tuple[CoordinatorOutput, dict[str, Any]]) -> None:
    output = ran[0]
    rows = output.risk_events[output.risk_events["kind"] == RiskEventKind.WEIGHT]
    for engine in (Engine.HFT, Engine.STRUCTURE, Engine.ORDER_FLOW):
        own = rows[rows["engine"] == engine]
        path = np.concatenate([[PRIORS[engine.name.lower()]], own["value"]])
        expected = path[np.searchsorted(own["event_no"], output.risk_marks["event_no"], side="right")]
        assert (output.risk_marks[f"{engine.name.lower()}_weight"] == expected).all()
    assert len(output.risk_marks) > 50
