"""Every order's rows are one life: it starts pending, moves only forward, and ends at most once."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.order_states import NEXT_STATES
from chimera_platform.execution.records import OrderReason, OrderStatus, OrderType, TimeInForce
from tests.reference.coordinator_streams import UNIVERSE, configurations, intents, market

S = OrderStatus
NEXT = {status: {then for states in inputs.values() for then in states} for status, inputs in NEXT_STATES.items()}
seeds = st.integers(0, 1 << 30)


def a_run(seed: int) -> CoordinatorOutput:
    events = market(seed, 500)
    coordinator = Coordinator(UNIVERSE, configurations(seed))
    first = coordinator.run(events[:450], 0, intents(seed, events[:450]))
    coordinator.close_down()
    then = coordinator.run(events[450:], 450, intents(seed, events)[:0])

    return CoordinatorOutput(*(np.concatenate(pair) for pair in zip(first, then, strict=True)))


def lives(output: CoordinatorOutput) -> dict[int, Any]:
    return {n: output.orders[output.orders["order_no"] == n] for n in set(output.orders["order_no"].tolist())}


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_statuses_follow_each_other_as_the_life_of_an_order_allows(seed: int) -> None:
    for rows in lives(a_run(seed)).values():
        statuses = [S(status) for status in rows["status"]]
        assert statuses[0] is S.PENDING_NEW
        for before, after in itertools.pairwise(statuses):
            assert after in NEXT[before], statuses


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_times_and_filled_lots_never_go_back_and_what_was_ordered_never_changes(seed: int) -> None:
    for rows in lives(a_run(seed)).values():
        assert (rows["ts_event"][1:] >= rows["ts_event"][:-1]).all()
        at_venue = rows[rows["ts_venue"] != 0]
        assert (at_venue["ts_venue"] <= at_venue["ts_event"]).all()
        assert (rows["event_no"][1:] >= rows["event_no"][:-1]).all()
        assert (rows["filled"][1:] >= rows["filled"][:-1]).all()
        assert (rows["filled"] <= rows["size"]).all()
        for field in ("intent_no", "ts_sent", "price", "size", "instrument_id", "engine", "order_type", "side"):
            assert len(set(rows[field].tolist())) == 1, field


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_the_fills_of_an_order_add_up_to_what_its_rows_say(seed: int) -> None:
    output = a_run(seed)
    for number, rows in lives(output).items():
        fills = output.fills[output.fills["order_no"] == number]
        assert fills["size"].sum() == rows["filled"][-1]
        assert (rows["status"][-1] == S.FILLED) == (rows["filled"][-1] == rows["size"][-1])
        if rows["order_type"][0] == OrderType.LIMIT:
            assert (rows["side"][0] * (rows["price"][0] - fills["price"]) >= 0).all()


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_every_approved_intent_sends_one_entry_of_its_approved_size_and_a_refused_one_none(seed: int) -> None:
    output = a_run(seed)
    sent = output.orders[(output.orders["status"] == S.PENDING_NEW) & (output.orders["is_exit"] == 0)]
    approved = output.decisions[output.decisions["approved"] == 1]
    assert sent["intent_no"].tolist() == approved["intent_no"].tolist()
    assert sent["size"].tolist() == approved["size_approved"].tolist()
    assert sent["side"].tolist() == approved["side"].tolist()
    assert (sent["reason"] == OrderReason.ENTRY).all()
    wanted = output.intents[sent["intent_no"]]
    gtd = (wanted["order_type"] == OrderType.LIMIT) & (wanted["time_to_live_ns"] > 0)
    assert ((sent["time_in_force"] == TimeInForce.GTD) == gtd).all()


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_exits_only_ever_reduce_the_position(seed: int) -> None:
    fills = a_run(seed).fills
    before = fills["position_after"] - fills["side"] * fills["size"]
    exits = fills["is_exit"] == 1
    assert (abs(fills["position_after"])[exits] < abs(before)[exits]).all()
    assert (fills["position_after"][exits] * before[exits] >= 0).all()
