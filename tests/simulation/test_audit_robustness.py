"""Costs, latencies and parameters: what the audit multiplies, measures and calls a plateau."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.digest import digest_of
from chimera_platform.errors import ConfigurationError
from chimera_platform.execution.records import (
    DECISION_DTYPE,
    FILL_DTYPE,
    INTENT_DTYPE,
    MARK_DTYPE,
    ORDER_EVENT_DTYPE,
    RISK_EVENT_DTYPE,
    RISK_MARK_DTYPE,
    Liquidity,
)
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import Fees, Universe, load_instruments
from chimera_platform.releases import Release
from chimera_platform.simulation.audit.audit import platform_map
from chimera_platform.simulation.audit.decision_maker import Decisions, PlatformDecisions
from chimera_platform.simulation.audit.findings import Verdict
from chimera_platform.simulation.audit.latencies import LATENCY_MAX_NS, feed_delay, latencies, with_latencies
from chimera_platform.simulation.audit.outcome import half_spreads, outcome_of
from chimera_platform.simulation.audit.parameter_grid import SECTIONS, Parameter, bounds, engine_parameters
from chimera_platform.simulation.audit.plateau import Point, judge, neighbourhoods, parameter_map
from chimera_platform.simulation.audit.settings import AuditSettings, SpreadCost
from chimera_platform.simulation.audit.stress import (
    break_even_multiplier,
    cost_stress,
    latency_stress,
    with_fees,
)
from chimera_platform.simulation.backtest.run import run_backtest
from chimera_platform.simulation.backtest.sweep import HeldEvents, hold
from chimera_platform.simulation.exchange.settings import VenueSettings

SETTINGS = AuditSettings()
_HAS_FEED_LATENCY = "feed_latency_ns" in latencies(Configuration().venue)
GOLD = load_instruments()["XAUUSD"]
NO_EVENTS = np.zeros(0, EVENT_DTYPE)


@pytest.fixture(scope="module")
def held() -> HeldEvents:
    return hold(open_feed("sim://?symbols=XAUUSD,XAGUSD&seed=7", load_instruments()).source, 8_000)


def universe_with(fees: dict[str, Any]) -> Universe:
    return Universe([GOLD.model_copy(update={"fees": Fees.model_validate(fees)})])


class OneTrade(PlatformDecisions):
    """Buys ten lots at the ask and sells them later at the bid: spread 4 ticks, mid up by ``rise`` ticks."""

    rise = 10

    def run(self, events: Any, ends: Sequence[int] = ()) -> Decisions:
        del events, ends
        spec = self.universe.records[0]
        fills = np.zeros(2, FILL_DTYPE)
        fills["size"], fills["bid_price"], fills["liquidity"] = 10, [1_000, 1_000 + self.rise], Liquidity.TAKER
        fills["ask_price"] = fills["bid_price"] + 4
        fills["price"], fills["side"] = [1_004, 1_000 + self.rise], [1, -1]
        fills["is_exit"], fills["fill_no"] = [0, 1], [0, 1]
        fills["fee_nanos"] = 10 * spec["taker_fee_per_lot_nanos"]
        fills["realised_nanos"][1] = 10 * (self.rise - 4) * spec["tick_value_nanos"]
        marks = np.zeros(1, MARK_DTYPE)
        profit = int(fills["realised_nanos"].sum() - fills["fee_nanos"].sum())
        marks["equity_nanos"] = round(self.configuration.account.starting_equity * 10**9) + profit
        marks["event_no"] = 1
        return Decisions(
            np.zeros(0, INTENT_DTYPE), np.zeros(0, DECISION_DTYPE), np.zeros(0, ORDER_EVENT_DTYPE), fills, marks,
            np.zeros(0, RISK_EVENT_DTYPE), np.zeros(0, RISK_MARK_DTYPE),
        )  # fmt: skip


# ---- costs ------------------------------------------------------------------------------------------------------


def test_costs_are_multiplied_and_the_break_even_is_where_the_profit_is_gone() -> None:
    tick = GOLD.tick_value_nanos / 1e9  # value of a tick on a lot
    universe = universe_with({"taker_per_lot": str(Decimal(str(tick)))})  # a tick a lot and fill
    maker = OneTrade(universe, Configuration())
    finding = cost_stress(maker, NO_EVENTS, SETTINGS)
    assert finding.table is not None
    # mid to mid 10 ticks × 10 lots = 100; spread 2 × 2 × 10 = 40; fees 2 × 10 = 20: net 40
    profits = {row[0]: row[1] / tick for row in finding.table.rows}
    assert profits == pytest.approx({1.0: 40.0, 2.0: -20.0, 5.0: -200.0})
    assert finding.number == pytest.approx(100.0 / 60.0)
    assert finding.verdict is Verdict.WARN  # below twice the cost
    for line, verdict in (("break_even_min", Verdict.PASS), ("break_even_needed", Verdict.WARN)):
        settings = SETTINGS.model_copy(update={line: 1.6})
        assert cost_stress(maker, NO_EVENTS, settings).verdict is verdict
    assert cost_stress(maker, NO_EVENTS, SETTINGS.model_copy(update={"break_even_needed": 1.7})).verdict is Verdict.FAIL


def test_spread_cost_can_be_left_out() -> None:
    tick = GOLD.tick_value_nanos / 1e9
    maker = OneTrade(universe_with({"taker_per_lot": str(Decimal(str(tick)))}), Configuration())
    finding = cost_stress(maker, NO_EVENTS, AuditSettings(spread_cost=SpreadCost.NONE))
    assert finding.table is not None
    assert {row[0]: row[1] / tick for row in finding.table.rows} == pytest.approx({1.0: 40.0, 2.0: 20.0, 5.0: -40.0})
    assert finding.number == pytest.approx(3.0)


def test_a_run_without_profit_has_nothing_to_stress_and_says_where_it_would_break_even() -> None:
    class Loser(OneTrade):
        rise = 2

    finding = cost_stress(Loser(universe_with({}), Configuration()), NO_EVENTS, SETTINGS)
    assert finding.verdict is Verdict.WARN
    assert finding.number == pytest.approx(0.5)
    assert "break even at 0.50 times" in finding.reason


def test_fees_are_multiplied_and_rebates_divided() -> None:
    universe = universe_with({"maker_per_lot": "-0.5", "maker_ppm": -30, "taker_per_lot": "2", "taker_ppm": 40})
    fees = with_fees(universe, 5.0).instruments[0].fees
    assert (fees.maker_per_lot, fees.maker_ppm) == (Decimal("-0.1"), -6)
    assert (fees.taker_per_lot, fees.taker_ppm) == (Decimal("10.0"), 200)
    assert np.array_equal(with_fees(universe, 1.0).records, universe.records)


def test_half_spreads_are_paid_by_those_fills_that_the_setting_names() -> None:
    fills = np.zeros(2, FILL_DTYPE)
    fills["bid_price"], fills["ask_price"], fills["size"] = 100, 106, [1, 2]
    fills["liquidity"] = [Liquidity.TAKER, Liquidity.MAKER]
    universe = universe_with({})
    tick = GOLD.tick_value_nanos / 1e9
    assert half_spreads(fills, universe, SpreadCost.TAKER).tolist() == pytest.approx([3 * tick, 0.0])
    assert half_spreads(fills, universe, SpreadCost.ALL).tolist() == pytest.approx([3 * tick, 6 * tick])
    assert half_spreads(fills, universe, SpreadCost.NONE).tolist() == [0.0, 0.0]


def test_further_half_spreads_are_charged_to_the_trades_and_days_that_paid_them(held: HeldEvents) -> None:
    decisions = PlatformDecisions(held.universe, Configuration()).run(held.events)
    once, thrice = (outcome_of(decisions, held.universe, 1e6, SpreadCost.TAKER, k) for k in (1.0, 3.0))
    assert once.spread > 0
    assert thrice.spread == pytest.approx(3.0 * once.spread)
    assert thrice.net_profit == pytest.approx(once.net_profit - 2.0 * once.spread)
    dearer = decisions.fills.copy()  # the same as if each fill had been dearer by whole spreads
    ticks = held.universe.records["tick_value_nanos"][dearer["instrument_id"]]
    dearer["fee_nanos"] += (
        (dearer["ask_price"] - dearer["bid_price"]) * dearer["size"] * ticks * (dearer["liquidity"] == Liquidity.TAKER)
    )
    charged = outcome_of(decisions._replace(fills=dearer), held.universe, 1e6, SpreadCost.TAKER)
    assert thrice.sharpe_per_trade == pytest.approx(charged.sharpe_per_trade)


def test_daily_sharpe_takes_the_last_equity_of_each_day_less_what_was_charged_by_then() -> None:
    day, decisions = 86_400_000_000_000, OneTrade(universe_with({}), Configuration()).run(NO_EVENTS)
    marks = np.zeros(6, MARK_DTYPE)
    marks["event_no"], marks["ts_event"] = np.arange(6), np.array([0, 0, 1, 2, 3, 4]) * day
    marks["equity_nanos"] = np.array([100, 101, 103, 102, 106, 107]) * 10**9
    closes = np.array([100.0, 101.0, 103.0, 102.0, 106.0, 107.0])
    returns = closes[1:] / closes[:-1] - 1.0
    found = outcome_of(decisions._replace(marks=marks), universe_with({}), 100.0, SpreadCost.TAKER)
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))
    assert math.isnan(outcome_of(decisions._replace(marks=marks[:4]), universe_with({}), 100.0, SpreadCost.ALL).sharpe)


def test_the_outcome_is_the_backtests(held: HeldEvents) -> None:
    maker = PlatformDecisions(held.universe, Configuration())
    outcome = outcome_of(maker.run(held.events), held.universe, 1_000_000.0, SpreadCost.TAKER)
    metrics = run_backtest(held, Configuration()).metrics
    assert outcome.net_profit == pytest.approx(metrics.net_profit, abs=1e-6)
    assert (outcome.trades, outcome.fees) == (metrics.trades, pytest.approx(metrics.fees))
    assert outcome.sharpe_per_trade == pytest.approx(metrics.sharpe_per_trade)
    assert break_even_multiplier(outcome) < 1.0 or outcome.net_profit > 0


# ---- latencies --------------------------------------------------------------------------------------------------


class Slowed(OneTrade):
    """Earns 100 ticks less one for each millisecond of order latency above 5."""

    a_ms = 1

    def run(self, events: Any, ends: Sequence[int] = ()) -> Decisions:
        extra_ms = (self.configuration.venue.order_latency_ns - 5_000_000) // 1_000_000
        self.rise = 14 - self.a_ms * extra_ms
        return super().run(events, ends)


@pytest.mark.parametrize(("a_ms", "verdict"), [(0, Verdict.PASS), (1, Verdict.PASS), (2, Verdict.FAIL)])
def test_the_share_of_profit_left_at_twice_the_latency_decides(a_ms: int, verdict: Verdict) -> None:
    class Path(Slowed):
        pass

    Path.a_ms = a_ms
    configuration = with_parameters(Configuration(), {"venue": {"order_latency_ns": 5_000_000}})
    finding = latency_stress(Path(universe_with({}), configuration), NO_EVENTS, SETTINGS)
    assert finding.verdict is verdict
    assert finding.number == pytest.approx(100.0 * (10 - 5 * a_ms) / 10)
    assert finding.table is not None
    assert [row[0] for row in finding.table.rows] == [1.0, 2.0, 5.0]


def test_every_latency_of_every_venue_is_multiplied_with_its_quantiles() -> None:
    venue = VenueSettings(
        order_latency_ns=3_000_000,
        report_latency_ns=50_000_000_000,
        order_latency_quantiles_ns=(1, 10, 40_000_000_000),
        feed_latency_ns=7,
    )

    class Several:
        def __init__(self, **sections: Any) -> None:
            self.__dict__.update(sections)

        def model_copy(self, update: dict[str, Any]) -> Several:
            return Several(**(self.__dict__ | update))

    slower = with_latencies(Several(venue=venue, venues={"COMEX": venue, "LBMA": venue}), 5.0)  # type: ignore[arg-type]
    for each in (slower.venue, slower.venues["COMEX"], slower.venues["LBMA"]):  # type: ignore[attr-defined]
        assert each.order_latency_ns == 15_000_000
        assert each.report_latency_ns == LATENCY_MAX_NS
        assert each.order_latency_quantiles_ns == (5, 50, LATENCY_MAX_NS)
        assert each.feed_latency_ns == 35
        VenueSettings.model_validate(each.model_dump())
    assert set(latencies(venue)) >= {"order_latency_ns", "report_latency_quantiles_ns"}


def test_data_received_later_than_the_run_allows_for_is_a_warning() -> None:
    events = np.zeros(100, EVENT_DTYPE)
    events["ts_event"] = np.arange(100) * 1_000_000
    events["ts_recv"] = events["ts_event"] + 40_000_000
    finding = feed_delay(events, Configuration())
    assert finding.verdict is Verdict.WARN
    assert finding.number == pytest.approx(40.0)
    assert "40 ms after it happened, and" in finding.reason
    allowed = (
        with_parameters(Configuration(), {"venue": {"feed_latency_ns": 40_000_000}}) if _HAS_FEED_LATENCY else None
    )
    assert allowed is None or feed_delay(events, allowed).verdict is Verdict.PASS
    events["ts_recv"] = events["ts_event"]
    assert feed_delay(events, Configuration()).verdict is Verdict.SKIP


def test_a_receiving_clock_that_is_behind_still_tells_the_least_delay() -> None:
    events = np.zeros(101, EVENT_DTYPE)
    events["ts_event"] = np.arange(101) * 1_000_000
    events["ts_recv"] = events["ts_event"] - 1_000_000_000 + np.arange(101) * 100_000
    finding = feed_delay(events, Configuration())
    assert finding.verdict is Verdict.WARN
    assert finding.number == pytest.approx(5.0)
    assert "1,000 ms or more behind" in finding.reason


# ---- parameters -------------------------------------------------------------------------------------------------


@given(span=st.floats(1.1, 50.0), steps=st.integers(1, 8))
def test_grids_stay_inside_the_bounds_around_the_present_value(span: float, steps: int) -> None:
    """Invariant: ascending values inside the settings' bounds, the present one among them, whole where it is whole."""
    configuration = Configuration()
    found = engine_parameters(configuration, AuditSettings(grid_span=span, grid_steps=steps))
    assert {each.section for each in found} == set(SECTIONS)
    for parameter in found:
        field = type(getattr(configuration, parameter.section)).model_fields[parameter.name]
        low, high = bounds(field.metadata)
        assert list(parameter.values) == sorted(set(parameter.values))
        assert low <= parameter.values[0] and parameter.values[-1] <= high
        assert parameter.value == getattr(getattr(configuration, parameter.section), parameter.name)
        assert 2 <= len(parameter.values) <= 2 * steps + 1
        if field.annotation is int:
            assert all(value == round(value) for value in parameter.values)


def test_every_value_of_the_default_grid_is_a_valid_setting() -> None:
    for parameter in engine_parameters(Configuration(), SETTINGS):
        for value in (parameter.values[0], parameter.values[-1]):
            with_parameters(Configuration(), {parameter.section: {parameter.name: value}})


def test_what_is_switched_off_is_not_moved() -> None:
    configuration = with_parameters(Configuration(), {"order_flow": {"enabled": 0}, "hft": {"enabled": 0}})
    assert {each.section for each in engine_parameters(configuration, SETTINGS)} == {"structure"}


def grid(name: str) -> Parameter:
    return Parameter("hft", name, tuple(2.0 ** (k / 3) for k in range(-3, 4)), 3)


PARAMETERS = (grid("stop_spreads"), grid("target_spreads"), grid("stop_vols"))


def distance(point: Point) -> list[float]:
    return [math.log2(value) for value in point.values()]


def test_a_wide_top_is_a_plateau() -> None:
    def objective(points: Sequence[Point]) -> list[float]:
        return [1_000.0 * math.exp(-0.1 * sum(d * d for d in distance(p))) for p in points]

    found = parameter_map(objective, PARAMETERS)
    finding = judge(found, SETTINGS)
    assert finding.verdict is Verdict.PASS
    assert finding.number == 100.0
    assert finding.reason.startswith("plateau")


def test_a_narrow_top_is_a_peak() -> None:
    def objective(points: Sequence[Point]) -> list[float]:
        return [1_000.0 * math.exp(-40.0 * sum(d * d for d in distance(p))) - 100.0 for p in points]

    finding = judge(parameter_map(objective, PARAMETERS), SETTINGS)
    assert finding.verdict is Verdict.FAIL
    assert finding.reason.startswith("peak, not plateau")


def test_a_peak_among_smaller_profits_is_a_warning() -> None:
    def objective(points: Sequence[Point]) -> list[float]:
        return [1_000.0 if all(d == 0 for d in distance(p)) else 300.0 + sum(distance(p)) for p in points]

    finding = judge(parameter_map(objective, PARAMETERS), SETTINGS)
    assert finding.verdict is Verdict.WARN
    assert finding.reason.startswith("peak, not plateau")


def test_a_peak_of_two_parameters_is_not_hidden_by_many_that_hardly_matter() -> None:
    many = (*PARAMETERS, *(grid(f"hardly_{k}") for k in range(30)))

    def objective(points: Sequence[Point]) -> list[float]:
        sharp = [
            sum(math.log2(v) ** 2 for (_, n), v in p.items() if n in ("stop_spreads", "stop_vols")) for p in points
        ]
        slight = [sum(math.log2(v) for (_, n), v in p.items() if n.startswith("hardly")) for p in points]
        return [1_000.0 * math.exp(-40.0 * d) - 100.0 + e for d, e in zip(sharp, slight, strict=True)]

    found = parameter_map(objective, many)
    alone, together = neighbourhoods(found, SETTINGS.neighbour_steps).values()
    assert (np.abs(alone - found.centre) < 100.0).mean() > 0.5
    assert len(together) == 24
    assert judge(found, SETTINGS).reason.startswith("peak, not plateau")


def test_a_slope_is_neither() -> None:
    def objective(points: Sequence[Point]) -> list[float]:
        return [100.0 * math.exp(3.0 * sum(distance(p))) for p in points]

    finding = judge(parameter_map(objective, PARAMETERS), SETTINGS)
    assert finding.verdict is Verdict.WARN
    assert finding.reason.startswith("rough or sloping")


def test_parameters_without_effect_do_not_make_a_plateau() -> None:
    def objective(points: Sequence[Point]) -> list[float]:
        return [1_000.0 if p.get(("hft", "stop_spreads"), 1.0) == 1.0 else -50.0 for p in points]

    found = parameter_map(objective, PARAMETERS)
    assert [curve.has_effect for curve in found.curves] == [True, False, False]
    assert [len(group) for group in neighbourhoods(found, SETTINGS.neighbour_steps).values()] == [4]
    assert found.heat_map is None
    assert judge(found, SETTINGS).number == 0.0


def test_without_any_effect_there_is_nothing_to_judge() -> None:
    found = parameter_map(lambda points: [5.0] * len(points), PARAMETERS)
    assert judge(found, SETTINGS).verdict is Verdict.SKIP
    assert found.runs == 1 + 2 * len(PARAMETERS)


def test_the_heat_map_is_of_the_two_most_sensitive_parameters_and_agrees_with_their_curves() -> None:
    weight = {"stop_spreads": 1.0, "target_spreads": 5.0, "stop_vols": 2.0}

    def objective(points: Sequence[Point]) -> list[float]:
        return [100.0 - sum(weight[name] * math.log2(v) ** 2 for (_, name), v in p.items()) for p in points]

    found = parameter_map(objective, PARAMETERS)
    assert [curve.parameter.name for curve in found.curves] == ["target_spreads", "stop_vols", "stop_spreads"]
    assert found.heat_map is not None
    first, second, results = found.heat_map
    assert (first.name, second.name) == ("target_spreads", "stop_vols")
    assert results[:, second.centre].tolist() == pytest.approx(found.curves[0].results)
    assert results[first.centre, :].tolist() == pytest.approx(found.curves[1].results)
    assert results[first.centre, second.centre] == found.centre


def test_values_that_do_not_go_together_leave_a_gap() -> None:
    def objective(points: Sequence[Point]) -> list[float]:
        return [math.nan if any(v > 1.5 for v in p.values()) else 10.0 - sum(p.values()) for p in points]

    found = parameter_map(objective, PARAMETERS)
    assert not any(np.isnan(group).any() for group in neighbourhoods(found, 3).values())
    assert math.isnan(found.curves[0].results[-1])


def test_the_platforms_map_is_what_backtests_of_the_same_parameters_earn(held: HeldEvents) -> None:
    configuration = with_parameters(
        Configuration(), {"order_flow": {"enabled": 0}, "structure": {"enabled": 0}, "hft": {"cooldown_ns": 10**9}}
    )
    maker = PlatformDecisions(held.universe, configuration)
    found = platform_map(maker, held.events, AuditSettings(grid_steps=1))
    assert found.centre == pytest.approx(run_backtest(held, configuration).metrics.net_profit)
    curve = next(each for each in found.curves if each.has_effect)
    value = {curve.parameter.section: {curve.parameter.name: curve.parameter.values[0]}}
    again = run_backtest(held, with_parameters(configuration, value)).metrics.net_profit
    assert curve.results[0] == pytest.approx(again)


def test_what_a_release_sets_is_what_is_varied(held: HeldEvents) -> None:
    release = Release(
        "0" * 32, {"hft": {"cooldown_ns": 10**9}, "structure": {"enabled": 0}}, {"hft": 0.5}, None, 0.0, {}
    )
    maker = PlatformDecisions(held.universe, Configuration(), release)
    expected = run_backtest(held, Configuration(), release)
    found = maker.run(held.events)
    assert digest_of(found.intents, found.orders, found.fills) == expected.digest
    varied = {each.label: each for each in engine_parameters(maker.configuration, SETTINGS)}
    assert varied["hft.cooldown_ns"].value == 10**9
    assert not [label for label in varied if label.startswith("structure.")]
    slower = maker.under(with_parameters(maker.configuration, {"hft": {"cooldown_ns": 600 * 10**9}}))
    assert len(slower.intents(held.events)) < len(maker.intents(held.events))


def test_audit_settings_refuse_what_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="grid_span"):
        AuditSettings(grid_span=1.0)
    with pytest.raises(ConfigurationError, match="unknown key"):
        with_parameters(Configuration(), {"hft": {"no_such": 1.0}})
