"""The order-flow engine's kernels against its rules in plain Python, on made-up scenes.

Invariant: whatever detectors, bars, regime, profile and features say, kernel and rule want the same trade, and where
the cheap look says that there is nothing to look at, there is none.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration
from chimera_platform.engines.order_flow.parameters import ORDER_FLOW_SECTIONS, STRATEGIES, order_flow_parameters
from chimera_platform.engines.order_flow.strategy_settings import StrategySettings
from chimera_platform.execution.records import IntentReason, OrderType
from chimera_platform.regimes.names import Regime
from chimera_platform.signals.records import Detector, Stage
from tests.reference.order_flow import Frame, OrderFlow, Scene, Signal
from tests.reference.order_flow_desk import INSTRUMENT, Desk, configured
from tests.reference.order_flow_scenes import made_up

SECOND = 1_000_000_000
MIDDLE = 20_000  # ticks, of all prices

ticks = st.integers(MIDDLE - 60, MIDDLE + 60)
half_ticks = st.integers(2 * MIDDLE - 120, 2 * MIDDLE + 120)


def measure(low: float, high: float) -> st.SearchStrategy[float]:
    return st.one_of(st.floats(low, high), st.sampled_from([low, 0.0, high, math.nan]))


@st.composite
def signals(draw: Any, ts: int) -> Signal:
    low, size = draw(ticks), draw(st.integers(0, 50))
    return Signal(
        number=draw(st.integers(0, 3)),
        ts=ts - draw(st.sampled_from([0, 1, 9, 10, 11, 20, 60, 61])) * SECOND,
        stage=draw(st.sampled_from([Stage.CONFIRMED, Stage.CONFIRMED, Stage.FAILED, Stage.FORMING])),
        low=low,
        high=low + draw(st.integers(0, 40)),
        strength=draw(st.floats(0.0, 1.0)),
        size=size,
        evidence=(draw(st.floats(0, 6)), 0.0, draw(st.floats(0, 9)), draw(st.integers(0, size))),
        is_news=draw(st.booleans()),
    )


@st.composite
def frames(draw: Any) -> Frame:
    lows, highs = (draw(half_ticks), draw(half_ticks)), (draw(half_ticks), draw(half_ticks))
    bars = draw(st.integers(0, 60))
    return Frame(
        trend=draw(st.sampled_from([-1, 0, 1])),
        efficiency=draw(measure(0.0, 1.0)),
        middle=draw(st.one_of(half_ticks.map(float), st.just(math.nan))),
        deviation=draw(measure(0.0, 40.0)),
        ema_slow=draw(st.one_of(half_ticks.map(float), st.just(math.nan))),
        rsi=draw(measure(0.0, 100.0)),
        divergence=draw(st.sampled_from([-1, 0, 1])),
        divergence_bar=draw(st.integers(0, bars)),
        bars=bars,
        lows=(min(lows[0], highs[0]), min(lows[1], highs[1])),
        highs=(max(lows[0], highs[0]), max(lows[1], highs[1])),
    )


@st.composite
def scenes(draw: Any, ts: int) -> Scene:
    bid = draw(ticks)
    keys = st.tuples(st.sampled_from(list(Detector)), st.sampled_from([-1, 1]))
    return Scene(
        ts=ts,
        bid=bid,
        ask=bid + draw(st.integers(-1, 8)),
        is_sized=draw(st.booleans()),
        features={
            "vwap_deviation": draw(measure(-0.003, 0.003)),
            "ofi_norm_10s": draw(measure(-1.0, 1.0)),
            "microprice_edge": draw(measure(-0.5, 0.5)),
            "fitted_microprice_edge": draw(measure(-0.5, 0.5)),
            "mid_return_10s": draw(measure(-0.001, 0.001)),
            "realised_vol_60s": draw(measure(0.0, 0.002)),
        },
        signals=draw(st.dictionaries(keys, signals(ts), max_size=6)),
        frames=[draw(frames()) for _ in range(3)],
        regime=draw(st.sampled_from(list(Regime))),
        regime_confidence=draw(measure(0.0, 1.0)),
        levels=draw(st.lists(ticks, min_size=3, max_size=3) | st.lists(ticks, min_size=6, max_size=6) | st.just([])),
        nodes=draw(st.lists(st.tuples(ticks, ticks, st.floats(0.0, 9.0)), max_size=4)),
    )


@st.composite
def days(draw: Any) -> list[Scene]:
    ts, scene_list = 10**18, []
    for _ in range(draw(st.integers(1, 5))):
        ts += draw(st.sampled_from([1, 50_000_000, SECOND, 10 * SECOND, 30 * SECOND, 300 * SECOND]))
        scene_list.append(draw(scenes(ts)))
    return scene_list


def section(name: str) -> st.SearchStrategy[dict[str, float]]:
    """Some settings of a section, drawn from the bounds that the optimiser searches."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for key, info in Configuration.model_fields[name].annotation.model_fields.items():
        bounds = {type(m).__name__: m for m in info.metadata}
        low = bounds["Ge"].ge if "Ge" in bounds else (1e-3 if "Gt" in bounds else 0)
        if info.annotation is bool:
            fields[key] = st.booleans()
        elif info.annotation is int:
            fields[key] = st.integers(low, bounds["Le"].le)
        else:
            fields[key] = st.floats(low, bounds["Le"].le)
    return st.fixed_dictionaries({}, optional=fields)


EAGER = {
    name: {"confidence_min": 0.0, "confluence_min": 0.0, "ofi_norm_min": -1.0, "lean_min": -0.5} for name in STRATEGIES
}
EAGER["order_flow"] = {"cooldown_ns": 0, "spread_bps_max": 100.0}
EAGER["mean_reversion"] |= {"fair_deviations_min": 0.0, "band_deviations_min": 0.5, "momentum_min": -0.01}
EAGER["node_bounce"] |= {"strength_min": 0.1, "near_noise": 10.0, "approach_noise": 0.0, "momentum_min": -0.01}


def require_equal(day: list[Scene], configuration: Configuration) -> None:
    desk, rules = Desk(configuration), OrderFlow(configuration, INSTRUMENT.tick_value_nanos)
    for scene in day:
        due = rules.is_due(scene)
        intent, wanted = desk.show(scene), rules.see(scene)
        assert desk.was_due == due
        assert (intent is None) == (wanted is None)
        if wanted is not None:
            for name, value in asdict(wanted).items():
                assert intent[name] == value, name
            require_sound(scene, intent, getattr(configuration, section_of(wanted.reason)))


def section_of(reason: IntentReason) -> str:
    return next(name for name, (_, own) in STRATEGIES.items() if own == reason)


def require_sound(scene: Scene, intent: Any, settings_of: Any) -> None:
    """Confidence is a share, the stop a loss, the target worth it, and a limit order rests."""
    assert 0.0 < intent["confidence"] <= 1.0
    assert intent["stop_distance"] >= 1
    assert intent["target_distance"] >= settings_of.reward_risk_min * intent["stop_distance"]
    if intent["order_type"] == OrderType.LIMIT:
        assert intent["time_to_live_ns"] > 0
        assert intent["limit_price"] < scene.ask if intent["side"] > 0 else intent["limit_price"] > scene.bid
    else:
        assert intent["limit_price"] == 0


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(days(), st.booleans())
def test_the_engine_follows_its_rules_in_any_scenes(day: list[Scene], is_eager: bool) -> None:
    require_equal(day, configured(EAGER) if is_eager else Configuration())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.fixed_dictionaries({name: section(name) for name in ORDER_FLOW_SECTIONS}))
def test_the_engine_follows_its_rules_under_any_settings_within_bounds(
    seed: int, parameters: dict[str, dict[str, float]]
) -> None:
    require_equal(made_up(seed, 60), configured({name: EAGER[name] | parameters[name] for name in ORDER_FLOW_SECTIONS}))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("parameters", [{}, EAGER], ids=["defaults", "easily convinced"])
def test_the_engine_follows_its_rules_over_a_long_time(seed: int, parameters: dict[str, dict[str, float]]) -> None:
    require_equal(made_up(seed, 1_500), configured(parameters))


ENTRY_TYPES = (OrderType.MARKET, OrderType.LIMIT)


def test_the_made_up_scenes_reach_every_strategy_side_and_kind_of_entry() -> None:
    rules, reached = OrderFlow(configured(EAGER), INSTRUMENT.tick_value_nanos), set()
    for scene in made_up(0, 3_000):
        wanted = rules.see(scene)
        if wanted is not None:
            reached.add((wanted.reason, wanted.side, wanted.order_type))
    kinds = {(reason, side, kind) for _, reason in STRATEGIES.values() for side in (1, -1) for kind in ENTRY_TYPES}
    fades_at_a_limit = {(IntentReason.MEAN_REVERSION, side, OrderType.LIMIT) for side in (1, -1)}
    assert reached == kinds - fades_at_a_limit  # a fade is entered where the market is


@pytest.mark.parametrize("section", ORDER_FLOW_SECTIONS)
def test_every_setting_reaches_the_kernels(section: str) -> None:
    settings_of = getattr(Configuration(), section)
    for key, value in settings_of.model_dump().items():
        other = (not value) if isinstance(value, bool) else value * 1.001 + (1 if isinstance(value, int) else 1e-6)
        changed = settings_of.model_copy(update={key: type(value)(other)})
        configuration = Configuration().model_copy(update={section: changed})
        assert order_flow_parameters(configuration) != order_flow_parameters(Configuration()), key


def test_the_page_shows_the_regime_factors_that_are_in_force() -> None:
    page = (Path(__file__).parents[2] / "docs/order-flow.md").read_text(encoding="utf-8")
    table = page[page.index("| section | quiet_range") :].split("\n\n")[0].splitlines()
    names = [cell.strip() for cell in table[0].split("|")[2:-1]]
    shown = {row.split("`")[1]: [float(cell) for cell in row.split("|")[2:-1]] for row in table[2:]}
    assert shown == {
        section: [getattr(getattr(Configuration(), section), name) for name in names] for section in STRATEGIES
    }
    assert names == list(StrategySettings.model_fields)[-len(names) :]
