"""Invariants: exposure is what orders and positions say, money adds up, and neither depends on how a run is cut."""

from __future__ import annotations

import pickle
from collections import Counter
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.coordination.invariants import Violation
from chimera_platform.coordination.loop import ROWS_PER_EVENT
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.errors import CapacityError, ConfigurationError, ReleaseError
from chimera_platform.execution.records import (
    INTENT_DTYPE,
    SIGNAL_ENGINES,
    DecisionReason,
    Engine,
    OrderReason,
    OrderStatus,
)
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.account import AccountSettings
from tests.reference.accounting import NaiveAccount
from tests.reference.coordinator import NaiveCoordinator
from tests.reference.coordinator_streams import (
    UNIVERSE,
    CoordinatorSections,
    configurations,
    instrument,
    intents,
    market,
    plain_risk,
)

NO_INTENTS = np.zeros(0, INTENT_DTYPE)
REACHED = {
    DecisionReason.APPROVED,
    DecisionReason.SHUTDOWN,
    DecisionReason.MARKET_NOT_TRADABLE,
    DecisionReason.MODEL_SCORE,
    DecisionReason.SPREAD,
    DecisionReason.DRAWDOWN,
    DecisionReason.ORDER_RATE,
    DecisionReason.POSITION_OPEN,
    DecisionReason.ENGINE_CAP,
    DecisionReason.SYMBOL_CAP,
    DecisionReason.CURRENCY_CAP,
    DecisionReason.SIZE_ZERO,
}
"""What can refuse under the plain configurations, where all that is traded is gold, so that its cap goes before the
account's; the other gates have scenarios of their own."""
TABLES = ("decisions", "orders", "fills", "marks")
seeds = st.integers(0, 1 << 30)


def in_batches(coordinator: Coordinator, events: Any, wanted: Any, size: int) -> CoordinatorOutput:
    parts = []
    for first in range(0, len(events), size):
        batch = events[first : first + size]
        mine = wanted[(wanted["event_no"] >= first) & (wanted["event_no"] < first + len(batch))]
        parts.append(coordinator.run(batch, first, mine))
    return CoordinatorOutput(*(np.concatenate(tables) for tables in zip(*parts, strict=True)))


def as_bytes(output: CoordinatorOutput) -> list[bytes]:
    return [table.tobytes() for table in output]


def a_run(seed: int, count: int = 400) -> tuple[Coordinator, Any, Any]:
    events = market(seed, count)
    return Coordinator(UNIVERSE, configurations(seed)), events, intents(seed, events)


@given(seed=seeds, closes_at=st.integers(0, 300))
@settings(max_examples=40, deadline=None)
def test_every_accounting_invariant_holds_after_every_single_event(seed: int, closes_at: int) -> None:
    coordinator, events, wanted = a_run(seed, 200)
    for event_no in range(len(events)):
        if event_no == closes_at:
            coordinator.close_down()
        coordinator.run(events[event_no : event_no + 1], event_no, wanted[wanted["event_no"] == event_no])
        assert coordinator.violation() is Violation.NONE, f"after event {event_no}"


weights = st.sampled_from((0.0, 0.1, 1.0, 3.0))


@given(
    seed=seeds,
    given_weights=st.tuples(weights, weights, weights),
    released_at=st.integers(1, 199),
    closed_at=st.integers(200, 399),
)
@settings(max_examples=40, deadline=None)
def test_the_loop_writes_the_same_rows_as_its_naive_definition(
    seed: int, given_weights: tuple[float, float, float], released_at: int, closed_at: int
) -> None:
    coordinator, events, wanted = a_run(seed)
    naive = NaiveCoordinator(UNIVERSE, configurations(seed))
    outputs = []
    for first, end in ((0, released_at), (released_at, closed_at), (closed_at, len(events))):
        mine = wanted[(wanted["event_no"] >= first) & (wanted["event_no"] < end)]
        outputs.append(coordinator.run(events[first:end], first, mine))
        naive.run(events[first:end], mine, first)
        if end == released_at:
            naive.weights, naive.release_no = (
                {**naive.weights, **dict(zip(SIGNAL_ENGINES, given_weights, strict=True))},
                7,
            )
            by_name = {engine.name.lower(): naive.weights[engine] for engine in SIGNAL_ENGINES}
            coordinator.apply_release(SimpleNamespace(weights=by_name), 7)
        elif end == closed_at:
            coordinator.close_down()
            naive.closing = True
    for table in TABLES:
        kernel_rows, naive_rows = np.concatenate([getattr(o, table) for o in outputs]), naive.rows[table]
        assert len(kernel_rows) == len(naive_rows), table
        for number, (row, expected) in enumerate(zip(kernel_rows, naive_rows, strict=True)):
            unlike = {name: (row[name], expected[name]) for name in expected if row[name] != expected[name]}
            assert not unlike, f"{table} row {number}"


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_cash_positions_and_profit_follow_from_the_fills_alone(seed: int) -> None:
    coordinator, events, wanted = a_run(seed)
    output = coordinator.run(events, 0, wanted)
    account = NaiveAccount(configurations(seed).account.starting_equity_nanos, UNIVERSE.records)
    for fill in output.fills:
        assert account.book(fill) == fill["realised_nanos"]
    state = coordinator.state
    assert state.account["cash_nanos"][0] == account.cash
    for (i, e), holding in account.holdings.items():
        row = state.positions[i, e]
        booked = (row["lots"], row["cost_nanos"], row["realised_nanos"], row["fees_nanos"])
        assert booked == (holding.lots, holding.cost, holding.realised, holding.fees)
    money = state.account[0]
    unrealised = money["value_nanos"] - sum(holding.cost for holding in account.holdings.values())
    gain = money["realised_nanos"] + unrealised - money["fees_nanos"]
    assert money["cash_nanos"] + money["value_nanos"] == money["starting_nanos"] + gain


@pytest.mark.parametrize("seed", [10, 11, 12])
def test_batches_of_1_7_and_4096_give_the_same_bytes_and_the_same_state(seed: int) -> None:
    events = market(seed, 5_000)
    wanted = intents(seed, events)
    seen = []
    for size in (1, 7, 4_096):
        coordinator = Coordinator(UNIVERSE, configurations(seed))
        output = in_batches(coordinator, events, wanted, size)
        seen.append((as_bytes(output), coordinator.state_hash()))
    assert seen[0] == seen[1] == seen[2]
    assert len(output.fills) > 30
    assert len(output.decisions) == len(output.intents) == len(wanted)


@given(seed=seeds, cut=st.integers(1, 399))
@settings(max_examples=20, deadline=None)
def test_a_restored_coordinator_goes_on_as_if_nothing_had_happened(seed: int, cut: int) -> None:
    coordinator, events, wanted = a_run(seed)
    is_before = wanted["event_no"] < cut
    coordinator.run(events[:cut], 0, wanted[is_before])
    snapshot = pickle.loads(pickle.dumps(coordinator.snapshot()))
    other = Coordinator(UNIVERSE, configurations(seed))
    other.run(events[: cut // 2], 0, NO_INTENTS)
    other.restore(snapshot)
    assert other.state_hash() == coordinator.state_hash()
    rest = [c.run(events[cut:], cut, wanted[~is_before]) for c in (coordinator, other)]
    assert as_bytes(rest[0]) == as_bytes(rest[1])
    assert other.state_hash() == coordinator.state_hash()


def test_the_random_markets_reach_every_plain_reason_to_refuse_and_every_end_of_an_order() -> None:
    reasons: Counter[int] = Counter()
    statuses: Counter[int] = Counter()
    orders: Counter[int] = Counter()
    for seed in range(60):
        coordinator, events, wanted = a_run(seed, 1_000)
        first = coordinator.run(events[:900], 0, wanted[wanted["event_no"] < 900])
        coordinator.close_down()
        then = coordinator.run(events[900:], 900, wanted[wanted["event_no"] >= 900])
        for output in (first, then):
            reasons.update(output.decisions["reason"].tolist())
            statuses.update(output.orders["status"].tolist())
            orders.update(output.orders["reason"].tolist())
    assert {reason.name for reason in REACHED} <= {DecisionReason(reason).name for reason in reasons}
    assert set(OrderStatus) - {OrderStatus.PENDING_REPLACE} <= set(statuses)
    never = {OrderReason.NONE, OrderReason.TOO_LATE, OrderReason.STOP_REACHED, OrderReason.WOULD_TAKE}
    never |= {OrderReason.NOT_ALL_AT_ONCE, OrderReason.SESSION_CLOSE}
    never |= {OrderReason.HEDGE_CLOSED, OrderReason.TRAILING, OrderReason.BREAK_EVEN, OrderReason.PARTIAL_TARGET}
    never |= {OrderReason.ADJUSTMENT}
    assert set(OrderReason) - never <= set(orders)


def test_a_snapshot_is_small_when_the_book_is() -> None:
    coordinator, events, wanted = a_run(3)
    coordinator.run(events, 0, wanted)
    assert len(pickle.dumps(coordinator.snapshot())) < 60_000


def test_row_numbers_run_on_without_gaps_from_batch_to_batch() -> None:
    coordinator, events, wanted = a_run(5, 2_000)
    output = in_batches(coordinator, events, wanted, 64)
    numbers = (("intents", "intent_no"), ("orders", "order_event_no"), ("fills", "fill_no"), ("marks", "mark_no"))
    for table, number in (*numbers, ("decisions", "intent_no")):
        rows = getattr(output, table)
        assert rows[number].tolist() == list(range(len(rows)))


def test_the_callers_intents_are_left_as_they_were() -> None:
    coordinator, events, wanted = a_run(5)
    before = wanted.tobytes()
    coordinator.run(events, 0, wanted)
    assert wanted.tobytes() == before


def test_read_only_and_strided_events_give_the_same_rows() -> None:
    coordinator, events, wanted = a_run(7)
    expected = as_bytes(coordinator.run(events, 0, wanted))
    frozen = events.copy()
    frozen.setflags(write=False)
    spread = np.repeat(events, 2)[::2]
    for same in (frozen, spread):
        assert as_bytes(Coordinator(UNIVERSE, configurations(7)).run(same, 0, wanted)) == expected


def test_more_rows_than_the_buffers_hold_are_all_returned() -> None:
    events = market(20, 6_000)
    wanted = intents(20, events, density=1.0)
    often = configurations(2).model_copy(update={"risk": plain_risk(max_orders=4_096)})
    output = Coordinator(UNIVERSE, often).run(events, 0, wanted)
    single = in_batches(Coordinator(UNIVERSE, often), events, wanted, 100)
    assert len(output.orders) > 2 * ROWS_PER_EVENT
    assert as_bytes(output) == as_bytes(single)


def test_engine_weights_of_a_release_scale_the_caps_and_none_restores_them() -> None:
    coordinator, events, wanted = a_run(2)
    coordinator.apply_release(SimpleNamespace(weights={"hft": 0.25}), 4)
    first = coordinator.run(events[:200], 0, wanted[wanted["event_no"] < 200])
    coordinator.apply_release(None, 5)
    then = coordinator.run(events[200:], 200, wanted[wanted["event_no"] >= 200])
    for output, release_no, hft_weight in ((first, 4, 0.25), (then, 5, 1.0)):
        rows = output.decisions
        assert (rows["release_no"] == release_no).all()
        assert (output.marks["release_no"] == release_no).all()
        assert (rows["engine_weight"] == np.where(rows["engine"] == 0, hft_weight, 1.0)).all()
        cap = rows["equity_nanos"] * 4.0 * np.array([0.4, 0.3, 0.3, 0.3])[rows["engine"]] * rows["engine_weight"]
        np.testing.assert_allclose(rows["engine_cap_nanos"], cap, rtol=1e-12)


def test_an_engine_with_weight_zero_gets_nothing_and_the_others_go_on() -> None:
    coordinator, events, wanted = a_run(2)
    coordinator.apply_release(SimpleNamespace(weights={"hft": 0.0, "structure": 1.0}), 1)
    fills = coordinator.run(events, 0, wanted).fills
    assert set(fills["engine"]) == {Engine.STRUCTURE, Engine.ORDER_FLOW}, "an engine not named keeps its share"


@pytest.mark.parametrize("weights", [{"arbitrage": 1.0}, {"hft": -0.1}, {"hft": float("nan")}, {"hft": 11.0}])
def test_a_release_with_a_bad_weight_is_refused_and_the_old_weights_stay(weights: dict[str, float]) -> None:
    coordinator = Coordinator(UNIVERSE, configurations(0))
    coordinator.apply_release(SimpleNamespace(weights={"hft": 0.5}), 1)
    before = coordinator.state_hash()
    with pytest.raises(ReleaseError, match="weight"):
        coordinator.apply_release(SimpleNamespace(weights=weights), 2)
    assert coordinator.state_hash() == before


def test_closing_down_refuses_intents_and_leaves_no_position_and_no_order() -> None:
    coordinator, events, wanted = a_run(2, 3_000)
    coordinator.run(events[:1_000], 0, wanted[wanted["event_no"] < 1_000])
    coordinator.close_down()
    output = coordinator.run(events[1_000:], 1_000, wanted[wanted["event_no"] >= 1_000])
    assert not output.decisions["approved"].any()
    assert DecisionReason.SHUTDOWN in output.decisions["reason"]
    for name in ("committed_nanos", "reserved_nanos"):
        assert coordinator.state.account[name][0] == 0
    assert not coordinator.state.positions["lots"].any()
    assert not coordinator.state.orders["is_open"].any()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instrument_id", 2),
        ("engine", len(Engine)),
        ("side", 0),
        ("order_type", 3),
        ("size", -1),
        ("stop_distance", 0),
        ("target_distance", 0),
        ("max_hold_ns", 0),
        ("event_no", 400),
    ],
)
def test_an_intent_that_breaks_the_contract_is_named_and_nothing_is_run(field: str, value: int) -> None:
    coordinator, events, wanted = a_run(1)
    before = coordinator.state_hash()
    wanted[field][-1] = value
    with pytest.raises(ValueError, match=str(value)):
        coordinator.run(events, 0, wanted)
    assert coordinator.state_hash() == before


def test_a_snapshot_of_another_universe_is_refused_and_nothing_is_changed() -> None:
    other = Coordinator(Universe([instrument("ONLY")]), configurations(0))
    coordinator = Coordinator(UNIVERSE, configurations(0))
    before = coordinator.state_hash()
    with pytest.raises(ConfigurationError, match="another universe"):
        coordinator.restore(other.snapshot())
    assert coordinator.state_hash() == before


def test_instruments_of_two_currencies_do_not_fit_one_account() -> None:
    with pytest.raises(ConfigurationError, match="EUR, USD"):
        Coordinator(Universe([instrument("A"), instrument("B", currency="EUR")]), configurations(0))


def test_an_event_of_an_instrument_outside_the_universe_is_named() -> None:
    coordinator, events, _ = a_run(1)
    events["instrument_id"][17] = 5
    with pytest.raises(ValueError, match="event 17 of the batch is of instrument_id 5"):
        coordinator.run(events, 0, NO_INTENTS)


def test_money_beyond_exact_arithmetic_stops_the_run() -> None:
    sections = CoordinatorSections(account=AccountSettings(starting_equity=Decimal(1_000_000_000)))
    universe = Universe([instrument("HUGE", tick_size="1000")])
    coordinator = Coordinator(universe, sections)
    events = market(0, 40)
    events = events[events["instrument_id"] == 0][:5].copy()
    events["ts_event"] = events["ts_event"][0] + np.arange(5) * 1_000_000_000
    events["price"], events["size"], events["ask_price"], events["ask_size"] = 999, 900, 1_000, 900
    wanted = intents(0, events, density=1.0)[:1]
    wanted["event_no"], wanted["side"], wanted["order_type"], wanted["size"] = 0, 1, 1, 900
    wanted["stop_distance"], wanted["max_hold_ns"], wanted["model_score"] = 10, 10**15, np.nan
    events["price"][3:] *= 1_000_000
    events["ask_price"][3:] *= 1_000_000
    with pytest.raises(CapacityError, match=r"2\.3e9"):
        coordinator.run(events, 0, wanted)
