"""Exits in the whole decision path: no order closes more than is held, parts leave a rest, raised stops are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.execution.records import Engine, OrderReason, OrderStatus
from chimera_platform.learning.target_inputs import TARGET_INPUT_COUNT, TARGET_INPUT_NAMES
from chimera_platform.learning.trees import NODE_DTYPE, Trees
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest.fused import FusedPath
from chimera_platform.simulation.backtest.sweep import HeldEvents, hold

R = OrderReason
RAISED = {
    "break_even_after": 0.5,
    "trail_after": 0.7,
    "trail_distance": 0.4,
    "first_partial_share": 0.3,
    "second_partial_share": 0.4,
    "max_hold_ns": 600_000_000_000,
}


@pytest.fixture(scope="module")
def held() -> HeldEvents:
    source = open_feed("sim://?symbols=XAUUSD,XAGUSD&seed=7&days=1", load_instruments()).source
    return hold(source, 150_000)


def run(held: HeldEvents, exits: dict[str, Any], release: Release | None = None) -> CoordinatorOutput:
    parameters: dict[str, Any] = {"exits": exits}
    path = FusedPath(held.universe, with_parameters(Configuration(), parameters))
    if release is not None:
        path.apply_release(release, 1)
    return path.run(held.events, 0)


@pytest.fixture(scope="module")
def raised(held: HeldEvents) -> CoordinatorOutput:
    return run(held, RAISED)


def by_position(fills: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    for instrument in np.unique(fills["instrument_id"]):
        for engine in np.unique(fills["engine"]):
            if engine != Engine.HEDGE:
                yield fills[(fills["instrument_id"] == instrument) & (fills["engine"] == engine)]


def test_every_way_out_is_taken(raised: CoordinatorOutput) -> None:
    reasons = set(np.unique(raised.fills["reason"]).tolist())
    assert reasons >= {R.STOP, R.TARGET, R.TIME, R.TRAILING, R.BREAK_EVEN, R.PARTIAL_TARGET}


def test_an_exit_only_ever_makes_a_position_smaller_and_a_part_leaves_a_rest(raised: CoordinatorOutput) -> None:
    for fills in by_position(raised.fills):
        before = np.concatenate([[0], fills["position_after"][:-1]])
        exits = fills["is_exit"] == 1
        assert (np.abs(fills["position_after"])[exits] < np.abs(before)[exits]).all()
        assert (fills["position_after"] * before >= 0).all()
        assert (fills["position_after"][fills["reason"] == R.PARTIAL_TARGET] != 0).all()


def test_a_part_leaves_in_profit_at_the_touch_and_a_break_even_stop_is_not_set_in_the_way_of_the_market(
    raised: CoordinatorOutput,
) -> None:
    fills = raised.fills
    parts = fills[fills["reason"] == R.PARTIAL_TARGET]
    assert len(parts) > 20
    assert (parts["realised_nanos"] > 0).mean() > 0.9  # the touch can move while the order is under way
    even = fills[fills["reason"] == R.BREAK_EVEN]
    stops = fills[fills["reason"] == R.STOP]
    assert even["realised_nanos"].mean() > stops["realised_nanos"].mean()


def test_a_part_is_one_order_at_a_time_and_not_more_than_its_share(raised: CoordinatorOutput) -> None:
    sent = raised.orders[
        (raised.orders["status"] == OrderStatus.PENDING_NEW) & (raised.orders["reason"] == R.PARTIAL_TARGET)
    ]
    entered: dict[int, int] = {}
    for fill in raised.fills[raised.fills["is_exit"] == 0]:
        entered[int(fill["intent_no"])] = entered.get(int(fill["intent_no"]), 0) + int(fill["size"])
    closed: dict[int, int] = {}
    for fill in raised.fills[raised.fills["reason"] == R.PARTIAL_TARGET]:
        closed[int(fill["intent_no"])] = closed.get(int(fill["intent_no"]), 0) + int(fill["size"])
    assert closed and all(lots <= 0.7 * entered[number] for number, lots in closed.items())
    assert len(sent) >= len(closed)


def test_without_options_there_are_the_former_ways_out_only(held: HeldEvents) -> None:
    reasons = set(np.unique(run(held, {}).fills["reason"]).tolist())
    assert not reasons & {R.TRAILING, R.BREAK_EVEN, R.PARTIAL_TARGET}


def stops_ahead(stops: float) -> Release:
    """Return a release whose target model says of every intent that the market goes ``stops`` stops far."""
    leaf = np.zeros(1, NODE_DTYPE)
    leaf["value"], leaf["feature"] = stops, -1
    trees = Trees(leaf, np.zeros(1, np.int64), 0.0, TARGET_INPUT_COUNT, TARGET_INPUT_NAMES)
    return Release("1" * 32, {}, {}, None, 0.0, {}, target_trees=trees)


def test_a_models_target_is_that_of_the_ratio_that_it_predicts(held: HeldEvents) -> None:
    model = run(held, {"target_source": "model"}, stops_ahead(3.0))
    ratio = run(held, {"target_source": "ratio", "take_profit_ratio": 3.0}, stops_ahead(3.0))
    assert model.fills.tobytes() == ratio.fills.tobytes()
    assert (model.intents["predicted_move"] == 3.0 * model.intents["stop_distance"]).all()
    assert len(model.fills) > 100


def test_a_prediction_that_is_not_asked_for_changes_no_fill(held: HeldEvents) -> None:
    assert run(held, {}, stops_ahead(3.0)).fills.tobytes() == run(held, {}).fills.tobytes()


def test_a_model_target_without_a_model_is_the_engines(held: HeldEvents) -> None:
    assert run(held, {"target_source": "model"}).fills.tobytes() == run(held, {}).fills.tobytes()
