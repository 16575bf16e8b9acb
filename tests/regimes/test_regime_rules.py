"""Invariant: after every bar the regime, its confidence and all shares equal the rules applied to the list of bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.engines.timeframes import TimeframeSettings, new_timeframes, update_timeframes
from chimera_platform.market.book import (
    apply_event,
    best_ask,
    best_ask_size,
    best_bid,
    best_bid_size,
    is_tradable,
    new_books,
)
from chimera_platform.market.instruments import load_instruments
from chimera_platform.regimes.names import Regime
from chimera_platform.regimes.rules import REGIME_STATE_DTYPE, RegimeRuleSettings, new_regime_states, update_regime
from chimera_platform.settings import to_record
from chimera_platform.simulation.market.episodes import VolatilityRegime
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.regimes import Bar, regimes

MINUTE = 60_000_000_000
FRAMES = to_record(TimeframeSettings())[0]
SHORT = RegimeRuleSettings(
    history_bars=60, history_bars_min=20, smoothing_bars=3, breakout_bars=6, switch_bars=2, release_bars=5
)
Minute = tuple[list[int], int, int]  # mids in half ticks, spread in ticks, depth in lots


def follow(minutes: list[Minute], chosen: RegimeRuleSettings) -> tuple[list[tuple[int, float]], list[Bar], Any, Any]:
    """(regime, confidence) after each minute, the bars, and the states at the end."""
    params, frames, states, answers, bars = to_record(chosen)[0], new_timeframes(), new_regime_states(1), [], []
    end: Minute = (minutes[-1][0][-1:], 1, 1)
    for k, (mids, *_) in enumerate([*minutes, end]):
        for step, mid in enumerate(mids):
            if update_timeframes(FRAMES, frames, k * MINUTE + step, mid):
                _, spread, depth = minutes[k - 1]
                update_regime(params, states[0], frames, spread, depth)
                answers.append((int(states[0]["regime"]), float(states[0]["confidence"])))
                f = frames[0]
                indicators = (f[n] for n in ("ema_slow", "bollinger_middle", "bollinger_deviation", "efficiency"))
                bars.append(
                    Bar(int(f["high"]), int(f["low"]), int(f["close"]), int(f["trend"]), *indicators, spread, depth)
                )
    return answers, bars, frames, states


def wander(
    seed: int, count: int, scale: float, drift: float = 0.0, spread: int = 4, depth: int = 100, start: int = 100_000
) -> list[Minute]:
    """Minutes of a mean-reverting mid around a drifting centre; spread and depth vary a little."""
    rng = np.random.default_rng(seed)
    minutes: list[Minute] = []
    for k in range(count):
        mids = start + drift * k + rng.normal(0, scale, 12)
        minutes.append(
            (mids.round().astype(int).tolist(), spread + int(rng.integers(3)), depth + int(rng.integers(20)))
        )
    return minutes


def end_of(minutes: list[Minute]) -> int:
    return minutes[-1][0][-1]


SCENARIOS = {
    "little movement after much": (wander(1, 200, 60) + wander(2, 60, 10), Regime.QUIET_RANGE),
    "much movement after little": (wander(3, 200, 10) + wander(4, 60, 60), Regime.ACTIVE_RANGE),
    "a steady rise": (wander(5, 200, 20) + wander(6, 40, 20, drift=30), Regime.TREND_UP),
    "a steady fall": (wander(7, 200, 20) + wander(8, 40, 20, drift=-30), Regime.TREND_DOWN),
    "a jump out of a narrow range": (
        wander(9, 200, 40) + wander(10, 40, 5) + wander(11, 4, 8, start=100_120),
        Regime.BREAKOUT,
    ),
    "a wide spread, a thin book and much movement": (
        wander(12, 200, 20) + wander(13, 20, 80, spread=20, depth=20),
        Regime.STRESSED,
    ),
    "a wide spread alone": (wander(14, 200, 20) + wander(15, 20, 10, spread=20), Regime.QUIET_RANGE),
    "a jump out of a usual range": (wander(16, 200, 40) + wander(17, 4, 40, start=100_030), Regime.ACTIVE_RANGE),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_regime_of_a_plain_market_is_the_expected_one(name: str) -> None:
    minutes, expected = SCENARIOS[name]
    answers, *_ = follow(minutes, RegimeRuleSettings())
    regime, confidence = answers[-1]
    assert Regime(regime) is expected
    assert 0.3 < confidence <= 1.0


def assert_as_defined(minutes: list[Minute], chosen: RegimeRuleSettings) -> set[int]:
    answers, bars, _, states = follow(minutes, chosen)
    wanted = regimes(bars, chosen)
    for n, ((regime, confidence), (held, share, _)) in enumerate(zip(answers, wanted, strict=True)):
        assert confidence == pytest.approx(share, abs=1e-9), n
        assert share == 0.0 or regime == held, n
    shares = wanted[-1][2]
    assert states[0]["shares"] == pytest.approx(shares or [0.0] * 6, abs=1e-9)
    assert not shares or states[0]["shares"].sum() == pytest.approx(1.0)
    return {regime for regime, confidence in answers if confidence > 0}


def test_the_rules_equal_their_definition_in_every_scenario() -> None:
    seen: set[int] = set()
    for minutes, _ in SCENARIOS.values():
        seen |= assert_as_defined(minutes, SHORT)
    assert seen == set(Regime), "else it compared too little"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.sampled_from([0, 1, 8, 40]), st.integers(-20, 20), st.integers(1, 9)),
        min_size=2,
        max_size=8,
    ),
    st.integers(0, 1_000),
    st.sampled_from([0, 50]),  # 0: the depth is always the same
)
def test_the_rules_equal_their_definition_on_any_sequence_of_phases(
    phases: list[tuple[int, int, int, int]], seed: int, depth: int
) -> None:
    minutes, at = wander(seed, 60, 10), 100_000
    for count, scale, drift, spread in phases:
        minutes += wander(seed + len(minutes), count, scale, drift, spread, depth, at)
        at = end_of(minutes)
    if depth == 0:
        minutes = [(mids, spread, 500) for mids, spread, _ in minutes]
    assert_as_defined(minutes, SHORT)


def test_nothing_is_said_before_there_is_enough_history() -> None:
    answers, *_ = follow(wander(1, 120, 20), RegimeRuleSettings(history_bars_min=60))
    known = [confidence > 0 for _, confidence in answers]
    # 20 bars make the first band; from then on every fourth bar is remembered.
    assert known.index(True) == 20 + 60 - 4 - 1


def test_stress_is_told_without_sizes_too() -> None:
    minutes = wander(12, 200, 20) + wander(13, 20, 80, spread=20)
    for depth in (0, 2_000):
        answers, *_ = follow([(mids, spread, depth) for mids, spread, _ in minutes], RegimeRuleSettings())
        assert answers[-1][0] == Regime.STRESSED


def test_one_bar_of_another_kind_does_not_change_a_range_or_a_trend() -> None:
    minutes = wander(5, 200, 20) + wander(6, 40, 20, drift=30)
    flat = wander(7, 1, 0, start=end_of(minutes))
    answers, *_ = follow(minutes + flat, RegimeRuleSettings())
    assert {regime for regime, _ in answers[-6:]} == {Regime.TREND_UP}


def test_later_bars_change_nothing_that_was_said_before() -> None:
    minutes = wander(1, 150, 30)
    other = minutes[:120] + wander(2, 30, 300, spread=40)
    assert follow(minutes, SHORT)[0][:119] == follow(other, SHORT)[0][:119]


def test_awkward_bars_leave_finite_shares() -> None:
    still: list[Minute] = [([2**52], 1, 1)] * 100
    moved: list[Minute] = [([2**52, 2**52 + 1], 0, 0)] * 3 + [([-5], 10**12, 10**15)] * 2
    answers, _, _, states = follow(still + moved, SHORT)
    assert all(0.0 <= confidence <= 1.0 for _, confidence in answers)
    assert np.isfinite(states[0]["shares"]).all()
    assert states[0]["shares"].sum() == pytest.approx(1.0)


def test_a_market_that_stands_still_does_not_break_out_by_one_tick() -> None:
    answers, *_ = follow([([2_000], 2, 5)] * 200 + [([2_002], 2, 5)] * 3, SHORT)
    assert Regime.BREAKOUT not in {regime for regime, _ in answers}


def test_a_restored_state_goes_on_as_the_original() -> None:
    _, _, frames, states = follow(wander(1, 150, 30), SHORT)
    copy = np.frombuffer(bytearray(states.tobytes()), REGIME_STATE_DTYPE)
    for state in (states[0], copy[0]):
        for spread in range(9):
            update_regime(to_record(SHORT)[0], state, frames, spread, 7)
    assert copy.tobytes() == states.tobytes()
    assert REGIME_STATE_DTYPE.itemsize < 8_192


def test_a_shorter_history_of_a_new_release_is_used_from_then_on() -> None:
    _, _, frames, states = follow(wander(1, 300, 30), RegimeRuleSettings(history_bars=480))
    for _ in range(8):
        update_regime(to_record(SHORT)[0], states[0], frames, 4, 100)
    assert states[0]["remembered"] == SHORT.history_bars // 4
    assert states[0]["shares"].sum() == pytest.approx(1.0)


def test_stress_in_the_simulated_market_is_told_from_calm() -> None:
    market = SimulatedMarket.from_url("sim://?symbols=XAUUSD&seed=7&days=2", load_instruments())
    book, frames, states, rows = new_books(1)[0], new_timeframes(), new_regime_states(1), []
    params = to_record(RegimeRuleSettings())[0]
    for events in market.batches(65_536):
        ends = np.flatnonzero(np.diff(events["ts_event"] // MINUTE)) + 1
        for part in np.split(np.array(events), ends):
            for event in part:
                apply_event(book, event)
                if event["flags"] & 1 and is_tradable(book):
                    bid, ask = best_bid(book), best_ask(book)
                    if update_timeframes(FRAMES, frames, event["ts_event"], bid + ask):
                        depth = best_bid_size(book) + best_ask_size(book)
                        update_regime(params, states[0], frames, ask - bid, depth)
                        rows.append((event["ts_event"], int(states[0]["regime"]), float(states[0]["confidence"])))
    ts, regime, confidence = (np.array(column) for column in zip(*rows, strict=True))
    shares = {}
    for kind in VolatilityRegime:
        spans = [r for r in market.regimes() if r["regime"] == kind]
        inside = np.any([(ts >= r["start_ts"]) & (ts < r["end_ts"]) for r in spans], axis=0) & (confidence > 0)
        shares[kind] = [float((regime[inside] == r).mean()) for r in Regime]
        print(f"{kind.name:9}", {r.name: round(share, 2) for r, share in zip(Regime, shares[kind], strict=True)})
    stressed = {kind: share[Regime.STRESSED] for kind, share in shares.items()}
    assert stressed[VolatilityRegime.STRESSED] > 0.4
    assert stressed[VolatilityRegime.CALM] < 0.1
