"""Hedges on the coordinator's own path: two metals that move together, engines that lose, and what is done about it.

Gold falls by about 1 % in the 20 minutes after two engines have bought it, and rises by more in the 40 after that.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from chimera_platform.coordination.invariants import Violation
from chimera_platform.coordinator import Coordinator, CoordinatorOutput
from chimera_platform.execution.records import (
    INTENT_DTYPE,
    DecisionReason,
    Engine,
    IntentReason,
    OrderReason,
    RiskEventKind,
)
from chimera_platform.market.events import EVENT_DTYPE, EventKind
from chimera_platform.market.instruments import Universe
from chimera_platform.portfolio.performance import engine_metrics, trades_of
from chimera_platform.risk.hedge_controller import HedgeSettings
from chimera_platform.risk.risk_settings import RiskSettings
from tests.reference.coordinator_streams import MILLISECOND, START, CoordinatorSections, instrument
from tests.reference.market_script import BUY, MarketScript, _records

Array = np.ndarray[Any, Any]
GOLD, SILVER = 0, 1
UNIVERSE = Universe([instrument(name, tick_size="0.01", base=name) for name in ("GOLD", "SILVER")])
MINUTE = 60_000  # ms
BOUGHT, BOTTOM, BACK, END = 90, 110, 150, 170  # minutes
LOTS = 300
HEDGING: dict[str, Any] = {
    "calm_weight": 0.0,
    "net_risk_budget": 0.02,
    "full_pressure_drawdown": 0.01,
    "cooldown_ns": 60_000_000_000,
    "pairs": (("GOLD", "SILVER"),),
    "beta_samples_min": 30,
}


def sections(**hedging: Any) -> CoordinatorSections:
    risk = RiskSettings(max_spread_ppm=1_000.0)
    return CoordinatorSections(hedge_controller=HedgeSettings(**{**HEDGING, **hedging}), risk=risk)


def scene(gold_spread: int = 4) -> tuple[Array, Array]:
    """Return the market's events and the engines' intents; ``gold_spread``: ticks, from a minute after they bought."""
    rng, script = np.random.default_rng(8), MarketScript()
    common = np.cumsum(rng.normal(0.0, 1.5e-4, END * 6))
    minutes = np.arange(END * 6) / 6.0
    fall = np.interp(minutes, [BOUGHT, BOTTOM, BACK, END], [0.0, -0.011, 0.015, 0.015])
    own = np.cumsum(rng.normal(0.0, 2e-5, (2, END * 6)), axis=1)
    calm = np.where(minutes < BOUGHT, common, common[BOUGHT * 6])
    for n, minute in enumerate(minutes.tolist()):
        for k in (GOLD, SILVER):
            mid = 200_000 * np.exp(calm[n] + fall[n] + own[k, n])
            half = gold_spread // 2 if k == GOLD and minute > BOUGHT + 1 else 2
            bid, ask = round(mid) - half, round(mid) + half
            touch = {"price": bid, "size": 1_000, "ask_price": ask, "ask_size": 1_000}
            script.event(minute * MINUTE + k, kind=EventKind.QUOTE, instrument_id=k, **touch)
            if k == GOLD and n == BOUGHT * 6:
                wide = {"stop_distance": 6_000, "target_distance": 20_000}
                script.intent(BUY, LOTS, engine=Engine.HFT, max_hold_ns=25 * MINUTE * MILLISECOND, **wide)
                script.intent(BUY, LOTS, engine=Engine.STRUCTURE, **wide)
    return _records(EVENT_DTYPE, script.rows), _records(INTENT_DTYPE, script.wanted)


def run_in_pieces(its: Coordinator, events: Array, intents: Array, size: int, start: int = 0) -> CoordinatorOutput:
    """Run from event ``start`` on in batches of ``size``, looking at the invariants after each."""
    outputs = []
    for first in range(start, len(events), size):
        low, high = np.searchsorted(intents["event_no"], [first, first + size])
        outputs.append(its.run(events[first : first + size], first, intents[low:high]))
        assert its.violation() == Violation.NONE
    return CoordinatorOutput(*(np.concatenate(tables) for tables in zip(*outputs, strict=True)))


@pytest.fixture(scope="module")
def ran() -> tuple[Coordinator, CoordinatorOutput]:
    its = Coordinator(UNIVERSE, sections())
    return its, run_in_pieces(its, *scene(), size=7)


def minutes_of(rows: Array) -> list[float]:
    return ((rows["ts_event"] - START) / (MINUTE * MILLISECOND)).tolist()


def hedges(rows: Array) -> Array:
    return rows[rows["engine"] == Engine.HEDGE]


def test_a_hedge_opens_under_drawdown_is_reduced_with_what_it_hedges_and_closed_when_the_pressure_is_gone(
    ran: tuple[Coordinator, CoordinatorOutput],
) -> None:
    its, output = ran
    fills = hedges(output.fills)
    assert set(fills["instrument_id"]) == {GOLD}
    lots, when = fills["position_after"], minutes_of(fills)
    assert lots[0] == -round(0.25 * 2 * LOTS) and BOUGHT < when[0] < BOTTOM
    exits = fills[fills["is_exit"] == 1]
    assert set(exits["reason"]) == {OrderReason.HEDGE_CLOSED}
    half = [int(fill["position_after"]) for fill in exits if minutes_of(exits)[0] < BOUGHT + 30]
    assert half[0] == -round(0.25 * LOTS), "half of the position has ended, and with it half of the hedge"
    assert lots[-1] == 0 and BOTTOM < when[-1] < END
    assert its.state.positions["lots"][GOLD, Engine.STRUCTURE] == LOTS, "what is hedged is left alone"


def test_its_intents_pass_the_gates_and_are_journaled_like_all_others(
    ran: tuple[Coordinator, CoordinatorOutput],
) -> None:
    _, output = ran
    intents, decisions = hedges(output.intents), hedges(output.decisions)
    assert len(intents) >= 1 and set(intents["reason"]) == {IntentReason.HEDGE}
    assert np.isnan(intents["features"]).all()
    assert intents["intent_no"].tolist() == decisions["intent_no"].tolist()
    assert output.intents["intent_no"].tolist() == list(range(len(output.intents)))
    assert set(decisions["reason"]) == {DecisionReason.APPROVED}
    assert (decisions["size_approved"] == decisions["size_wanted"]).all()
    assert (decisions["drawdown_nanos"] > 0).all() and (decisions["size_multiplier"] == 1.0).all()
    assert set(hedges(output.fills)["intent_no"]) == set(intents["intent_no"])


def test_what_has_changed_is_told_with_the_score(ran: tuple[Coordinator, CoordinatorOutput]) -> None:
    _, output = ran
    told = output.risk_events[output.risk_events["kind"] == RiskEventKind.HEDGE]
    assert told["state"].tolist() == [1, 0] * (len(told) // 2) and len(told) >= 2
    assert (told["value"][0::2] >= 0.3).all() and (told["value"][1::2] < 0.15).all()
    assert (told["threshold"] == 0.3).all()


def test_its_profit_is_apart_and_all_parts_add_up(ran: tuple[Coordinator, CoordinatorOutput]) -> None:
    its, output = ran
    state, own = its.state, its.state.positions[:, Engine.HEDGE]
    fills = hedges(output.fills)
    assert own["realised_nanos"].sum() == fills["realised_nanos"].sum() != 0
    assert own["fees_nanos"].sum() == fills["fee_nanos"].sum() > 0
    assert state.positions["realised_nanos"].sum() == state.account["realised_nanos"][0]
    by_engine = engine_metrics(trades_of(output.fills, output.intents))
    net = (own["realised_nanos"].sum() - own["fees_nanos"].sum()) / 1e9
    assert by_engine["hedge"]["net_profit"] == pytest.approx(net)
    assert by_engine["hedge"]["trades"] == len(set(fills["intent_no"]))
    money = fills_money(output.fills)
    assert sum(each["net_profit"] or 0.0 for each in by_engine.values()) == pytest.approx(money)


def fills_money(fills: Array) -> float:
    return float(fills["realised_nanos"].sum() - fills["fee_nanos"].sum()) / 1e9


def test_lots_of_an_instrument_are_never_more_or_turned_by_a_hedge(
    ran: tuple[Coordinator, CoordinatorOutput],
) -> None:
    _, output = ran
    held = {(i, e): 0 for i in (GOLD, SILVER) for e in Engine}
    for fill in output.fills:
        i = int(fill["instrument_id"])
        before = sum(held[i, e] for e in Engine)
        held[i, Engine(fill["engine"])] = int(fill["position_after"])
        after = sum(held[i, e] for e in Engine)
        if fill["engine"] == Engine.HEDGE and not fill["is_exit"]:
            assert abs(after) <= abs(before) and after * before >= 0


def test_where_the_own_instrument_is_too_dear_the_correlated_one_takes_the_hedge() -> None:
    its = Coordinator(UNIVERSE, sections())
    output = run_in_pieces(its, *scene(gold_spread=400), size=64)
    fills = hedges(output.fills)
    assert set(fills["instrument_id"]) == {SILVER}
    first = int(fills["position_after"][0])
    assert -0.25 * 2 * LOTS <= first < -0.5 * 0.25 * 2 * LOTS
    assert fills["position_after"][-1] == 0


def test_without_hedging_the_same_market_brings_none() -> None:
    its = Coordinator(UNIVERSE, sections(enable_cross_engine_hedging=False))
    output = run_in_pieces(its, *scene(), size=512)
    assert len(hedges(output.intents)) == len(hedges(output.fills)) == 0
    assert len(output.fills) > 0


@pytest.mark.parametrize("after", ["sent", "held"])
def test_a_restart_with_a_hedge_on_its_way_or_held_goes_on_as_if_nothing_had_been(
    ran: tuple[Coordinator, CoordinatorOutput], after: str
) -> None:
    never, output = ran
    rows = hedges(output.orders) if after == "sent" else hedges(output.fills)
    cut = int(rows["event_no"][0]) + 1
    events, intents = scene()
    first, second = Coordinator(UNIVERSE, sections()), Coordinator(UNIVERSE, sections())
    before = first.run(events[:cut], 0, intents[intents["event_no"] < cut])
    second.restore(pickle.loads(pickle.dumps(first.snapshot())))
    assert second.state.orders[GOLD, Engine.HEDGE]["is_open"].any() == (after == "sent")
    assert second.violation() == Violation.NONE
    rest = run_in_pieces(second, events, intents[intents["event_no"] >= cut], 64, cut)
    assert second.state_hash() == never.state_hash()
    for whole, head, tail in zip(output, before, rest, strict=True):
        assert np.concatenate([head, tail]).tobytes() == np.ascontiguousarray(whole).tobytes()


def test_a_kill_closes_the_hedge_with_all_else() -> None:
    events, intents = scene()
    its = Coordinator(UNIVERSE, sections())
    cut = BOTTOM * 12
    its.run(events[:cut], 0, intents)
    assert its.state.positions["lots"][GOLD, Engine.HEDGE] < 0
    its.close_down()
    rest = its.run(events[cut:], cut, intents[:0])
    assert not its.state.positions["lots"].any() and its.violation() == Violation.NONE
    assert OrderReason.FLATTEN in set(hedges(rest.fills)["reason"])
    assert len(hedges(rest.intents)) == 0


def test_a_hedge_that_offsets_all_that_is_left_is_closed_too() -> None:
    its = Coordinator(UNIVERSE, sections(hedge_size_ratio=0.5))
    output = run_in_pieces(its, *scene(), size=64)
    totals = np.zeros(len(Engine), np.int64)
    offset = False
    for fill in output.fills:
        totals[fill["engine"]] = fill["position_after"]
        offset = offset or (totals.sum() == 0 and totals[Engine.HEDGE] != 0)
    assert offset, "half of the position has ended; the hedge of the whole is as large as the rest"
    assert its.state.positions["lots"][GOLD, Engine.HEDGE] == 0
