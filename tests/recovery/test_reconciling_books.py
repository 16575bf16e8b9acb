"""Reconciling a working coordinator with its venue.

Invariant: with nothing lost a reconciliation changes no byte of the state; after anything was lost or done behind the
client's back, positions are the venue's, no order is open on one side only, and every accounting invariant holds,
then and to the end of the run; a second reconciliation has nothing to do.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.coordination.invariants import Violation
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.errors import ReconciliationError
from chimera_platform.execution.adjustments import AdjustmentKind, ReconciliationSettings
from chimera_platform.execution.order_state import has_ended
from chimera_platform.execution.records import Engine, OrderReason
from chimera_platform.execution.reports import ReportKind
from chimera_platform.execution.venue_statement import EXECUTION_DTYPE
from chimera_platform.simulation.exchange.records import NEVER, VenueOrderState
from chimera_platform.simulation.exchange.statement import reports_on_their_way, simulated_statement
from tests.reference.coordinator_streams import UNIVERSE, configurations, intents, market

WIDE = ReconciliationSettings(max_adjust_lots=10_000, max_adjust_notional=Decimal(1_000_000_000))
EVENTS = 200
STRANGER = 1_000_000
OPEN_AT_VENUE = (VenueOrderState.IN_FLIGHT, VenueOrderState.WAITING, VenueOrderState.WORKING)
Array = np.ndarray[Any, Any]


class Run:
    """A coordinator on a seeded market, event by event."""

    def __init__(self, seed: int, limits: ReconciliationSettings = WIDE) -> None:
        self.events = market(seed, EVENTS)
        self.intents = intents(seed, self.events)
        self.coordinator = Coordinator(UNIVERSE, configurations(seed).model_copy(update={"reconciliation": limits}))

    def go(self, first: int, end: int) -> CoordinatorOutput:
        wanted = self.intents[(self.intents["event_no"] >= first) & (self.intents["event_no"] < end)]
        return self.coordinator.run(self.events[first:end], first, wanted)

    def lose_reports(self, i: int) -> Array:
        """Lose what is on its way to the client; return the trades of it as executions."""
        state = self.coordinator.state
        waiting = reports_on_their_way(state.exchange_markets[i]).copy()
        state.exchange_markets[i]["reports_count"] = 0
        trades = waiting[waiting["kind"] == ReportKind.TRADE]
        executions = np.zeros(len(trades), EXECUTION_DTYPE)
        executions["instrument_id"], executions["report"] = i, trades
        return executions

    def lose_orders(self, i: int) -> None:
        """Let the venue forget its open orders of an instrument."""
        for order in self.coordinator.state.exchange_orders[i]:
            if order["state"] in OPEN_AT_VENUE:
                order["state"], order["order_no"], order["filled"] = VenueOrderState.NONE, 0, 0
        self.coordinator.state.exchange_markets[i]["is_changed"] = 1

    def place_stranger(self, i: int, slot: int) -> None:
        """Put a working order that the client has never sent into a slot that is free at both."""
        state, (e, role) = self.coordinator.state, divmod(slot, 2)
        order = state.exchange_orders[i, slot]
        if order["state"] in OPEN_AT_VENUE or state.orders[i, e, role]["is_open"]:
            return
        order["order_no"], order["state"], order["side"] = STRANGER + slot, VenueOrderState.WORKING, 1
        order["order_type"], order["time_in_force"] = 2, 1
        order["size"], order["filled"], order["price"] = 7, 0, state.exchange_markets[i]["bid"] - 50
        order["cancel_ts"] = order["replace_ts"] = order["expire_ts"] = order["next_slice_ts"] = NEVER
        state.exchange_markets[i]["is_changed"] = 1

    def assert_agreement(self) -> None:
        """Positions, open orders and accounts agree."""
        state = self.coordinator.state
        assert self.coordinator.violation() is Violation.NONE
        known = set(state.orders["order_no"][state.orders["status"] != 0].tolist())
        for i, exchange_market in enumerate(state.exchange_markets):
            trades = reports_on_their_way(exchange_market)
            trades = trades[trades["kind"] == ReportKind.TRADE]
            on_the_way = int((trades["side"].astype(int) * trades["lots"]).sum())
            assert state.positions["lots"][i].sum() == exchange_market["position"] - on_the_way
            at_venue = state.exchange_orders[i]
            working = set(at_venue["order_no"][np.isin(at_venue["state"], OPEN_AT_VENUE)].tolist())
            assert working <= known, "the venue works an order that the client does not know"
            heard = set(reports_on_their_way(exchange_market)["order_no"].tolist())
            for order in state.orders[i][state.orders[i]["status"] != 0]:
                assert has_ended(order) or int(order["order_no"]) in working | heard, "open at the client alone"


@given(seed=st.integers(0, 1 << 20))
@settings(max_examples=8, deadline=None)
def test_with_nothing_lost_a_reconciliation_after_any_event_changes_no_byte(seed: int) -> None:
    run = Run(seed, ReconciliationSettings(max_adjust_lots=0))
    for event_no in range(EVENTS):
        run.go(event_no, event_no + 1)
        before = run.coordinator.state_hash() if event_no % 20 == 0 else ""
        assert not any(len(rows) for rows in run.coordinator.reconcile(event_no + 1)), f"after event {event_no}"
        assert not before or run.coordinator.state_hash() == before


@given(
    seed=st.integers(0, 1 << 20),
    at=st.integers(20, EVENTS - 20),
    loses_reports=st.booleans(),
    is_listed=st.booleans(),
    loses_orders=st.booleans(),
    stranger=st.sampled_from([None, 0, 1, 3, 6]),
    shift=st.sampled_from([0, 0, -3, 4, 40]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_got_lost_the_books_are_the_venues_afterwards(
    seed: int, at: int, loses_reports: bool, is_listed: bool, loses_orders: bool, stranger: int | None, shift: int
) -> None:
    run = Run(seed)
    run.go(0, at)
    coordinator, state = run.coordinator, run.coordinator.state
    lost = [run.lose_reports(i) for i in range(2)] if loses_reports else []
    executions = np.concatenate(lost) if lost and is_listed else np.zeros(0, EXECUTION_DTYPE)
    if loses_orders:
        run.lose_orders(0)
    if stranger is not None:
        run.place_stranger(1, stranger)
    if state.exchange_markets[1]["ask"] != 0:
        state.exchange_markets[1]["position"] += shift
    output = coordinator.reconcile(at, lambda known: simulated_statement(state.exchange, known, executions))
    run.assert_agreement()
    assert all((rows["event_no"] == at).all() for rows in output)
    settled = coordinator.state_hash()
    assert not any(len(rows) for rows in coordinator.reconcile(at))
    assert coordinator.state_hash() == settled
    run.go(at, EVENTS)
    run.assert_agreement()


def a_run_with_a_position(limits: ReconciliationSettings) -> tuple[Run, int]:
    """Return a run up to an event at which one engine holds lots in instrument 0."""
    run = Run(0, limits)
    for event_no in range(EVENTS):
        run.go(event_no, event_no + 1)
        if (run.coordinator.state.positions["lots"][0] != 0).sum() == 1:
            return run, event_no + 1
    raise AssertionError("nothing was held")


def test_lots_that_nobody_ordered_are_booked_at_the_mid_and_closed_again() -> None:
    run, at = a_run_with_a_position(WIDE)
    state = run.coordinator.state
    state.exchange_markets[0]["position"] += np.sign(state.positions["lots"][0].sum()) * 3
    output = run.coordinator.reconcile(at)
    adjusted = output.risk_events[output.risk_events["state"] == AdjustmentKind.POSITION]
    assert abs(adjusted["value"]).tolist() == [3.0] and adjusted["engine"].tolist() == [Engine.HEDGE]
    fill = output.fills[-1]
    assert (fill["reason"], fill["engine"], fill["intent_no"]) == (OrderReason.ADJUSTMENT, Engine.HEDGE, -1)
    assert abs(state.positions["lots"][0, Engine.HEDGE]) == 3
    orders = run.go(at, EVENTS).orders
    closing = orders[(orders["engine"] == Engine.HEDGE) & (orders["reason"] == OrderReason.FLATTEN)]
    assert len(closing) > 0 and state.positions["lots"][0, Engine.HEDGE] == 0


def test_more_than_may_be_adjusted_halts() -> None:
    run, at = a_run_with_a_position(ReconciliationSettings(max_adjust_lots=2))
    run.coordinator.state.exchange_markets[0]["position"] += 3
    with pytest.raises(ReconciliationError, match=r"3 lots worth .* differ between client and venue"):
        run.coordinator.reconcile(at)
