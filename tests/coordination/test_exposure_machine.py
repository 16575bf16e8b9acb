"""Whatever comes in whatever order: exposure is what was decided, fits under its caps, and goes when it is over.

Invariants, after every single event:

- the books are in order (:func:`~chimera_platform.coordination.invariants.check_invariants`);
- exposure of an engine, symbol, currency or the account grows by approved decisions of that event alone, at most by
  what they reserved, and is then within the caps that they were held to (where a venue trades what it had reported as
  cancelled, the lots take up again what their end had given back, at the same price);
- what is allocated follows from the decision's row alone;
- what is committed is what the rows of decisions and fills say;
- where no order is open nothing is reserved, where nothing is held nothing is committed;
- with the kill switch thrown nothing is approved, and in the end all is flat;
- a coordinator that is restored from a snapshot is the same to the last byte, and what was lost in between, or is the
  venue's alone, is in its books once they are held against the venue's.
"""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chimera_platform.coordination.invariants import Violation
from chimera_platform.coordinator import Coordinator
from chimera_platform.execution.orders import ENTRY, ROLE_COUNT
from chimera_platform.execution.records import (
    SIGNAL_ENGINES,
    Engine,
    OrderStatus,
    RiskEventKind,
)
from chimera_platform.execution.reports import REPORT_DTYPE, ReportKind
from chimera_platform.market.events import EventKind, StatusCode
from tests.reference.coordinator_streams import MILLISECOND
from tests.reference.watched_coordinator import ASSET, FORGED, LEVELS, SECTIONS, SYMBOLS, UNIVERSE, WatchedCoordinator

ENDED = (OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED)

symbols = st.sampled_from(SYMBOLS)
waits = st.sampled_from((0, 1, 4, 30, 200, 3_000))  # ms
lots = st.sampled_from((12, 60, 3, 1, 12, 60, 3, 0))
quotes = st.tuples(
    st.integers(-3, 3), st.sampled_from((1, 2, 3, 4, 2, 0)), lots, lots
)  # move of the mid, spread, bid and ask size
intent_rows = st.fixed_dictionaries(
    {
        "side": st.sampled_from((-1, 1)),
        "size": st.integers(0, 60),
        "offset": st.integers(-2, 2),
        "time_to_live_ns": st.sampled_from((None, 0, 20 * MILLISECOND, 10**15)),  # None: a market order
        "stop_distance": st.integers(1, 8),
        "target_distance": st.integers(1, 8),
        "max_hold_ns": st.sampled_from((50 * MILLISECOND, 10**15)),
    }
)
wishes = st.dictionaries(st.sampled_from(SIGNAL_ENGINES), intent_rows, min_size=1)
weights = st.dictionaries(
    st.sampled_from([e.name.lower() for e in SIGNAL_ENGINES]), st.sampled_from((0.0, 0.3, 1.0, 2.0))
)


class ExposureMachine(WatchedCoordinator, RuleBasedStateMachine):
    """What may happen to a coordinator, in any order, and what must hold whatever has."""

    # ---- what happens ------------------------------------------------------------------------------------------

    @initialize()
    def markets_open(self) -> None:
        for i in SYMBOLS:
            self.quote(i, (0, 2, 60, 60), 1)

    @rule(i=symbols, quote=quotes, wait=waits)
    def the_market_moves(self, i: int, quote: Any, wait: int) -> None:
        self.quote(i, quote, wait)

    @rule(i=symbols, quote=quotes, wait=waits, wanted=wishes)
    def engines_want_to_trade(self, i: int, quote: Any, wait: int, wanted: dict[Engine, dict[str, Any]]) -> None:
        self.quote(i, quote, wait, wanted)

    @rule(i=symbols, size=st.integers(1, 60), side=st.sampled_from((-1, 1)), wanted=wishes)
    def engines_want_to_trade_in_a_good_market(self, i: int, size: int, side: int, wanted: Any) -> None:
        self.quote(i, (side, 1, size, size), 30, wanted)

    @rule(i=symbols, code=st.sampled_from((StatusCode.HALT, StatusCode.RESUME)), wait=waits)
    def the_market_halts_or_resumes(self, i: int, code: StatusCode, wait: int) -> None:
        self.happen(i, wait, {}, kind=EventKind.STATUS, price=code)

    @rule(given=weights)
    def a_release_changes_the_weights(self, given: dict[str, float]) -> None:
        self.release_no += 1
        self.coordinator.apply_release(SimpleNamespace(weights=given), self.release_no)

    @precondition(lambda self: self.event_no > 15)
    @rule()
    def the_kill_switch_is_thrown(self) -> None:
        self.coordinator.close_down()
        self.is_killed = True

    @precondition(lambda self: self.is_killed)
    @rule()
    def a_person_takes_the_kill_switch_back(self) -> None:
        self.coordinator.close_down(is_closing=False)
        self.is_killed = False

    @rule()
    def the_process_dies_and_is_restored(self) -> None:
        snapshot = pickle.loads(pickle.dumps(self.coordinator.snapshot()))
        other = Coordinator(UNIVERSE, SECTIONS)
        other.restore(snapshot)
        assert other.state_hash() == self.coordinator.state_hash()
        for name in other.state._fields:
            if name != "books" and not name.startswith("exchange"):  # those are packed to what is in use
                assert getattr(other.state, name).tobytes() == getattr(self.coordinator.state, name).tobytes(), name
        self.coordinator = other

    @rule(i=symbols, is_cut_off=st.booleans(), strange_lots=st.sampled_from((0, 0, 0, -3, 2)))
    def the_books_are_held_against_the_venues(self, i: int, is_cut_off: bool, strange_lots: int) -> None:
        """After a restart, where reports have been lost, or where the venue has lots that no order explains."""
        self.the_process_dies_and_is_restored()
        state, before = self.coordinator.state, self.coordinator.state_hash()
        market = state.exchange_markets[i]
        is_settled = not is_cut_off and strange_lots == 0 and not state.exchange_markets["reports_count"].any()
        if is_cut_off:
            market["reports_count"] = 0
        market["position"] += strange_lots
        exposure = self.exposure()
        output = self.coordinator.reconcile(self.event_no)
        self.follow(output)
        if is_settled:
            assert self.coordinator.state_hash() == before
            assert not any(len(table) for table in output)
        assert strange_lots == 0 or (output.risk_events["kind"] == RiskEventKind.ADJUSTMENT).any()
        assert state.positions["lots"][i].sum() + self.lots_on_the_way(i) == market["position"]
        if strange_lots == 0:
            for level in LEVELS:
                assert (self.exposure()[level] <= exposure[level]).all(), level

    @precondition(lambda self: self.heard)
    @rule(data=st.data())
    def a_report_comes_twice(self, data: st.DataObject) -> None:
        self.hear_at_once(*data.draw(st.sampled_from(self.heard)))

    @precondition(lambda self: self.heard)
    @rule(data=st.data(), order_no=st.sampled_from((None, -1, 10**9)), side=st.sampled_from((-1, 1)))
    def a_report_of_no_order_or_of_another_side_comes(self, data: st.DataObject, order_no: Any, side: int) -> None:
        i, report = data.draw(st.sampled_from(self.heard))
        forged = report.copy()
        forged["exec_no"] += FORGED
        if order_no is None:
            forged["side"] = -report["side"]
        else:
            forged["order_no"], forged["side"] = order_no, side
        self.hear_at_once(i, forged)
        was_counted = self.coordinator.state.account["refused_reports"][0] > 0
        assert was_counted or report["kind"] == ReportKind.CANCEL_REJECTED, "it may be late for an order that was"

    @rule(i=symbols, delay=st.integers(1, 500))
    def reports_are_held_up(self, i: int, delay: int) -> None:
        market = self.coordinator.state.exchange_markets[i]
        for k in self.waiting(i):
            market["reports"][k]["ts_received"] += delay * MILLISECOND
            market["last_received_ts"] = max(market["last_received_ts"], market["reports"][k]["ts_received"])

    @rule(i=symbols, data=st.data())
    def a_report_overtakes_another(self, i: int, data: st.DataObject) -> None:
        if len(waiting := self.waiting(i)) > 1:
            a, b = data.draw(st.lists(st.sampled_from(waiting), min_size=2, max_size=2, unique=True))
            reports = self.coordinator.state.exchange_markets["reports"][i]
            first, second = reports[a].copy(), reports[b].copy()
            reports[a], reports[b] = second, first
            reports["ts_received"][a], reports["ts_received"][b] = first["ts_received"], second["ts_received"]
            self.is_disturbed = True

    @rule(i=symbols, e=st.sampled_from(SIGNAL_ENGINES), data=st.data())
    def the_venue_trades_after_it_has_reported_the_end(self, i: int, e: Engine, data: st.DataObject) -> None:
        state, slot = self.coordinator.state, e * ROLE_COUNT + ENTRY
        order, at_venue, market = state.orders[i, e, ENTRY], state.exchange_orders[i, slot], state.exchange_markets[i]
        if order["is_open"] or order["status"] not in ENDED or at_venue["order_no"] != order["order_no"]:
            return
        size, filled = data.draw(st.integers(1, int(order["size"] - order["filled"]))), int(order["filled"])
        trade = np.zeros(1, REPORT_DTYPE)[0]
        for name in ("order_no", "side", "size"):
            trade[name] = order[name]
        trade["slot"], trade["kind"], trade["exec_no"], trade["lots"] = slot, ReportKind.TRADE, FORGED, size
        trade["filled"], trade["price"], trade["liquidity"] = filled + size, self.mids[i], 2
        at_venue["filled"] += size
        market["position"] += int(order["side"]) * size
        taken_up = size * int(order["reserved_per_lot_nanos"])
        self.hear_at_once(
            i,
            trade,
            {
                "engine": (e, taken_up),
                "symbol": (i, taken_up),
                "currency": (ASSET[i], taken_up),
                "account": (0, taken_up),
            },
        )
        assert order["filled"] == filled + size

    def teardown(self) -> None:
        """End it: with the kill switch thrown and markets that trade, everything becomes flat."""
        self.the_kill_switch_is_thrown()
        for i in SYMBOLS:
            self.happen(i, 1_000, {}, kind=EventKind.STATUS, price=StatusCode.RESUME)
        for _ in range(40):
            if not self.is_busy():
                break
            for i in SYMBOLS:
                self.quote(i, (0, 1, 60, 60), 500)
        assert not self.is_busy()
        for level in self.exposure().values():
            assert not level.any()

    @invariant()
    def the_books_are_in_order(self) -> None:
        if self.is_disturbed:
            self.coordinator.state.account["refused_reports"] = 0
        assert self.coordinator.violation() is Violation.NONE

    @invariant()
    def committed_is_what_the_rows_say(self) -> None:
        committed = self.coordinator.state.positions["committed_nanos"]
        for i in SYMBOLS:
            assert committed[i].tolist() == [self.held[i, e][1] for e in Engine]

    @invariant()
    def what_has_ended_holds_nothing(self) -> None:
        state = self.coordinator.state
        if not state.orders["is_open"].any():
            for records in (state.positions, state.markets, state.currencies, state.account):
                assert not records["reserved_nanos"].any()
        if not state.positions["lots"].any():
            for records in (state.positions, state.markets, state.currencies, state.account):
                assert not records["committed_nanos"].any()


TestExposureMachine = ExposureMachine.TestCase
TestExposureMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
