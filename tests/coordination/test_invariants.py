"""The check of the invariants finds what it is there for: each falsification of a sound state is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chimera_platform.coordination.invariants import Violation
from chimera_platform.coordinator import Coordinator
from chimera_platform.execution.orders import ENTRY, EXIT
from chimera_platform.execution.records import Engine, OrderStatus
from tests.reference.coordinator_streams import UNIVERSE, configurations
from tests.reference.market_script import BUY, MarketScript

Falsification = Callable[[Any], None]


def sound() -> Coordinator:
    """A position of instrument 0 whose entry is still open for half of it, with an exit on its way."""
    coordinator = Coordinator(UNIVERSE, configurations(0))
    script = MarketScript().quote(0, 1000, 1002, 5).intent(BUY, 10, limit=1002, stop_distance=5)
    script.quote(900, 1000, 1003, 5).quote(901, 990, 1003, 5)
    script.run(coordinator)
    return coordinator


def test_a_sound_state_with_everything_open_violates_nothing() -> None:
    coordinator = sound()
    assert coordinator.state.positions["lots"][0, 0] == 5
    assert coordinator.state.orders["is_open"][0, 0].tolist() == [1, 1]
    assert coordinator.state.positions["reserved_nanos"][0, 0] > 0
    assert coordinator.violation() is Violation.NONE


def change(table: str, field: str, index: tuple[int, ...], by: int = 1) -> Falsification:
    def falsify(state: Any) -> None:
        getattr(state, table)[field][index] += by

    return falsify


def put(table: str, field: str, index: tuple[int, ...], value: int) -> Falsification:
    def falsify(state: Any) -> None:
        getattr(state, table)[field][index] = value

    return falsify


@pytest.mark.parametrize(
    ("falsify", "violation"),
    [
        (change("positions", "committed_nanos", (0, 0)), Violation.COMMITTED),
        (change("positions", "reserved_nanos", (0, 0)), Violation.RESERVED),
        (change("positions", "reserved_nanos", (1, 1)), Violation.RESERVED),
        (change("account", "engine_committed_nanos", (0, 1)), Violation.ENGINE_EXPOSURE),
        (change("account", "engine_reserved_nanos", (0, Engine.ORDER_FLOW)), Violation.ENGINE_EXPOSURE),
        (change("account", "engine_reserved_nanos", (0, Engine.HEDGE)), Violation.ENGINE_EXPOSURE),
        (change("positions", "committed_nanos", (0, Engine.ORDER_FLOW)), Violation.COMMITTED),
        (change("markets", "committed_nanos", (1,)), Violation.SYMBOL_EXPOSURE),
        (change("markets", "reserved_nanos", (1,)), Violation.SYMBOL_EXPOSURE),
        (change("currencies", "committed_nanos", (0,)), Violation.CURRENCY_EXPOSURE),
        (change("currencies", "reserved_nanos", (0,)), Violation.CURRENCY_EXPOSURE),
        (change("account", "committed_nanos", (0,)), Violation.ACCOUNT_EXPOSURE),
        (change("account", "reserved_nanos", (0,)), Violation.ACCOUNT_EXPOSURE),
        (change("account", "cash_nanos", (0,), by=-1), Violation.CASH),
        (change("account", "value_nanos", (0,)), Violation.VALUE),
        (change("account", "realised_nanos", (0,)), Violation.VALUE),
        (change("account", "fees_nanos", (0,)), Violation.VALUE),
        (change("positions", "value_nanos", (1, 0)), Violation.FLAT_COST),
        (change("account", "peak_equity_nanos", (0,), by=-(10**14)), Violation.PEAK),
        (put("orders", "is_open", (0, 0, ENTRY), 0), Violation.ORDER_STATE),
        (put("orders", "filled", (0, 0, ENTRY), 11), Violation.ORDER_STATE),
        (put("orders", "status", (0, 0, EXIT), OrderStatus.PARTIALLY_FILLED), Violation.ORDER_STATE),
        (put("orders", "status", (0, 0, EXIT), OrderStatus.FILLED), Violation.ORDER_STATE),
        (change("orders", "size", (0, 0, EXIT)), Violation.EXIT_SIZE),
        (put("orders", "side", (0, 0, EXIT), BUY), Violation.EXIT_SIZE),
    ],
)
def test_each_falsified_figure_is_found(falsify: Falsification, violation: Violation) -> None:
    coordinator = sound()
    falsify(coordinator.state)
    assert coordinator.violation() is violation


def test_what_is_reserved_cannot_stand_for_what_is_committed() -> None:
    coordinator = sound()
    for table in ("positions", "markets", "currencies", "account"):
        record = getattr(coordinator.state, table)[(0, 0) if table == "positions" else 0]
        record["committed_nanos"] += 1
        record["reserved_nanos"] -= 1
    assert coordinator.violation() is Violation.COMMITTED


def test_a_reservation_that_outlives_its_order_is_found() -> None:
    coordinator = sound()
    entry = coordinator.state.orders[0, 0, ENTRY]
    entry["status"], entry["is_open"] = OrderStatus.CANCELLED, 0
    assert coordinator.violation() is Violation.RESERVED
