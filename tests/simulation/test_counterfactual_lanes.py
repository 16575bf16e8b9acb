"""Intents carried out alone: hand-worked markets, and every lane against a coordinator that had that intent only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.records import FILL_DTYPE, DecisionReason, Engine
from chimera_platform.market.instruments import Universe
from chimera_platform.simulation.counterfactual.counterfactuals import Counterfactuals
from chimera_platform.simulation.counterfactual.lanes import LANES_AT_FIRST
from chimera_platform.simulation.counterfactual.records import APPROVED, WANTED, Carried
from chimera_platform.simulation.counterfactual.wishes import Standing
from chimera_platform.simulation.exchange.settings import VenueSettings
from tests.reference import coordinator_streams
from tests.reference.coordinator_streams import MILLISECOND, instrument, plain_risk, plain_sections
from tests.reference.market_script import BUY, SELL, MarketScript

Array = np.ndarray[Any, Any]
TICK_NANOS = 500_000_000
ONE = Universe([instrument("X", tick_size="0.5", fees={"taker_per_lot": "1.25"})])
VENUE = VenueSettings(order_latency_ns=5 * MILLISECOND, report_latency_ns=0, protection_ppm=50_000)
PLAN = {"stop_distance": 4, "target_distance": 4}


def carry_out(
    script: MarketScript, configuration: Configuration, **options: Any
) -> tuple[CoordinatorOutput, Counterfactuals]:
    """Run a coordinator over the script, then its intents alone over the same events."""
    output = script.run(Coordinator(ONE, configuration))
    alone = Counterfactuals(ONE, configuration, output.intents, output.decisions, output.fills, **options)
    alone.run(script.events(), 0)
    return output, alone


def net_booked(fills: Array, intent_no: int) -> int:
    own = fills[fills["intent_no"] == intent_no]
    return int(own["realised_nanos"].sum() - own["fee_nanos"].sum())


def wide_spread() -> MarketScript:
    """Bought at 1012 across a spread of 12, stopped out at 1000."""
    script = MarketScript().quote(0, 1000, 1012).intent(BUY, 10, **PLAN).quote(10, 1000, 1012)
    return script.quote(20, 1000, 1001).quote(30, 1000, 1001).quote(40, 1000, 1001)


def test_what_the_spread_gate_refused_would_have_lost_the_spread_and_the_fees() -> None:
    tight = plain_sections(venue=VENUE, risk=plain_risk(max_spread_ppm=5_000.0))
    output, alone = carry_out(wide_spread(), tight)
    assert DecisionReason(output.decisions["reason"][0]) == DecisionReason.SPREAD and len(output.fills) == 0
    wanted, approved = alone.outcomes()[0]
    fees = 2 * 10 * 1_250_000_000
    assert (wanted["net_nanos"], wanted["fees_nanos"]) == (10 * (1000 - 1012) * TICK_NANOS - fees, fees)
    assert (wanted["carried"], wanted["entered_lots"]) == (Carried.CLOSED, 10)
    assert (approved["carried"], approved["net_nanos"]) == (Carried.NOT, 0)
    assert wanted["held_ns"] == 10 * MILLISECOND  # both fills are known at the first event after they happened


def test_a_resized_intent_is_carried_out_in_both_sizes_and_the_smaller_one_is_what_was_booked() -> None:
    half = plain_sections(venue=VENUE, risk=plain_risk(max_order_notional=5 * 1012 * 0.5))
    script = wide_spread().quote(50, 1000, 1012).quote(60, 1000, 1012)
    output, alone = carry_out(script, half)
    assert (output.decisions["size_approved"][0], output.decisions["binding"][0]) == (5, DecisionReason.MAX_ORDER)
    wanted, approved = alone.outcomes()[0]
    assert approved["net_nanos"] == net_booked(output.fills, 0) < 0
    assert wanted["net_nanos"] == 2 * approved["net_nanos"]
    assert alone.standings.tolist() == [Standing.GATED]


def test_drawn_latencies_are_the_same_in_both_sizes_and_each_time() -> None:
    drawn = VENUE.model_copy(update={"order_latency_quantiles_ns": (MILLISECOND, 400 * MILLISECOND)})
    half = plain_sections(venue=drawn, risk=plain_risk(max_order_notional=5 * 1012 * 0.5))
    script = MarketScript()
    for n in range(40):
        script.quote(50 * n, 1000 - n % 7, 1002 + n % 5)
        if n % 4 == 0 and n < 30:
            script.intent(BUY, 10, stop_distance=1, target_distance=1)
    output, alone = carry_out(script, half)
    resized = np.flatnonzero(output.decisions["size_approved"] == 5)
    wanted, approved = alone.outcomes()[resized].T
    assert len(resized) >= 3 and (wanted["carried"] == Carried.CLOSED).all()
    assert wanted["net_nanos"].tolist() == (2 * approved["net_nanos"]).tolist()
    assert wanted["held_ns"].tolist() == approved["held_ns"].tolist() and len(set(wanted["held_ns"].tolist())) > 1
    assert alone.outcomes().tobytes() == carry_out(script, half)[1].outcomes().tobytes()


def test_what_an_engine_goes_on_wanting_is_carried_out_once_unless_asked_for() -> None:
    tight = plain_sections(venue=VENUE, risk=plain_risk(max_spread_ppm=5_000.0))
    script = MarketScript()
    for n in range(20):
        script.quote(n, 1000, 1012).intent(BUY, 10, **PLAN)
    script.quote(100, 1000, 1001).quote(110, 1000, 1001).quote(120, 1000, 1001)
    _, alone = carry_out(script, tight)
    carried = alone.outcomes()["carried"][:, WANTED].tolist()
    # closed as soon as the first fill is seen under water: the entry arrives at 5, the exit is filled at 10 to 11
    again = carried.index(Carried.CLOSED, 1)
    assert carried[:again] == [Carried.CLOSED] + [Carried.REPEAT] * (again - 1) and 5 < again < 20
    assert alone.lanes == LANES_AT_FIRST
    _, each = carry_out(script, tight, every_repeat=True)
    assert each.outcomes()["carried"][:, WANTED].tolist() == [Carried.CLOSED] * 20
    assert each.lanes > LANES_AT_FIRST
    assert len(set(each.outcomes()["net_nanos"][:, WANTED].tolist())) == 1


def test_what_was_refused_beside_an_open_position_is_left_out() -> None:
    plain = plain_sections(venue=VENUE)
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 10).quote(10, 1000, 1002).intent(SELL, 10)
    output, alone = carry_out(script.quote(20, 1000, 1002), plain)
    assert DecisionReason(output.decisions["reason"][1]) == DecisionReason.POSITION_OPEN
    assert alone.standings.tolist() == [Standing.FULL, Standing.ENGAGED]
    outcomes = alone.outcomes()
    assert outcomes["carried"].tolist() == [[Carried.NOT, Carried.OPEN], [Carried.NOT, Carried.NOT]]
    # bought at 1002, valued at the mid of 1001, one fee
    assert outcomes["net_nanos"][0, APPROVED] == -10 * TICK_NANOS - 10 * 1_250_000_000


def test_an_intent_worth_more_than_money_is_exact_for_is_given_up() -> None:
    script = MarketScript().quote(0, 10**6, 10**6 + 2, size=2**31).intent(BUY, 2**31 - 1)
    script.quote(10, 10**6, 10**6 + 2, size=2**31).quote(20, 10**6, 10**6 + 2, size=2**31)
    limited = plain_sections(venue=VENUE)
    output, alone = carry_out(script, limited)
    assert output.decisions["size_approved"][0] < 2**31 - 1
    assert alone.outcomes()["carried"][0].tolist()[WANTED] == Carried.CAPACITY


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, d: (i[:1], d), "not of the same intents"),
        (lambda i, d: (i[::-1], d[::-1]), "not in the order"),
        (lambda i, d: (_altered(i, "instrument_id", 1), d), "not among the 1"),
    ],
)
def test_rows_that_do_not_belong_together_are_refused(change: Any, message: str) -> None:
    script = MarketScript().quote(0, 1000, 1002).intent(BUY, 1).quote(1, 1000, 1002).intent(BUY, 1)
    output = script.run(Coordinator(ONE, plain_sections(venue=VENUE)))
    with pytest.raises(ValueError, match=message):
        intents, decisions = change(output.intents, output.decisions)
        Counterfactuals(ONE, plain_sections(), intents, decisions, output.fills)


def _altered(rows: Array, name: str, value: int) -> Array:
    rows = rows.copy()
    rows[name] = value
    return rows


def wild(seed: int) -> tuple[Configuration, Array, Array]:
    """A market of two instruments with halts, crossed books and everything else, and intents of all kinds."""
    configuration = plain_sections(venue=coordinator_streams.venue(np.random.default_rng(seed)))
    events = coordinator_streams.market(seed, 3_000)
    intents = coordinator_streams.intents(seed, events, density=0.1)
    intents["model_score"], intents["model_threshold"] = np.nan, np.nan
    return configuration, events, intents[intents["size"] > 0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_lane_earns_what_a_coordinator_earns_that_has_this_one_intent(seed: int) -> None:
    configuration, events, intents = wild(seed)
    universe = coordinator_streams.UNIVERSE
    output = Coordinator(universe, configuration).run(events, 0, intents)
    alone = Counterfactuals(
        universe, configuration, output.intents, output.decisions, np.zeros(0, FILL_DTYPE), every_repeat=True
    )
    for first in range(0, len(events), 701):
        alone.run(events[first : first + 701], first)
    outcomes, compared, traded = alone.outcomes(), 0, 0
    chosen = np.flatnonzero(outcomes["carried"][:, WANTED])
    for k in np.random.default_rng(seed).choice(chosen, min(25, len(chosen)), replace=False):
        account = Coordinator(universe, configuration)
        single = account.run(events, 0, intents[k : k + 1])
        if single.decisions["size_approved"][0] != intents["size"][k]:
            continue
        state = account.state.account[0]
        earned = int(state["cash_nanos"] + state["value_nanos"] - state["starting_nanos"])
        assert outcomes["net_nanos"][k, WANTED] == earned
        assert outcomes["fees_nanos"][k, WANTED] == state["fees_nanos"]
        is_open = account.state.markets["is_active"].any()
        assert outcomes["carried"][k, WANTED] == (Carried.OPEN if is_open else Carried.CLOSED)
        compared += 1
        traded += len(single.fills) > 0
    assert compared >= 15 and traded >= 5


def test_approved_intents_earn_what_they_really_earned_where_nothing_else_traded_beside_them() -> None:
    configuration, events, intents = wild(5)
    intents = intents[intents["engine"] == Engine.HFT]
    universe = coordinator_streams.UNIVERSE
    output = Coordinator(universe, configuration).run(events, 0, intents)
    alone = Counterfactuals(universe, configuration, output.intents, output.decisions, output.fills)
    alone.run(events, 0)
    outcomes = alone.outcomes()[:, APPROVED]
    closed = np.flatnonzero(outcomes["carried"] == Carried.CLOSED)
    assert len(closed) > 20
    for k in closed:
        assert outcomes["net_nanos"][k] == net_booked(output.fills, int(output.intents["intent_no"][k]))
