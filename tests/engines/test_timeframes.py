"""Invariant: after every mid each timeframe equals the indicators' definitions over the bars completed so far."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.engines.timeframes import (
    TIMEFRAME_DTYPE,
    TIMEFRAME_INTERVALS_NS,
    TIMEFRAMES_DTYPE,
    TimeframeSettings,
    new_timeframes,
    update_timeframes,
)
from chimera_platform.market.bars import BarBuilder
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.settings import to_record
from tests.reference import indicators, random_market

MINUTE = 60_000_000_000
DEFAULTS = TimeframeSettings()
SMALL = TimeframeSettings(
    fast_bars=3, rsi_bars=3, bollinger_bars=5, efficiency_bars=4, swing_bars=1, divergence_bars=12
)
QUOTES = random_market.quotes(9_000, seed=31, step_ns=7_000_000_000)

# TA-Lib 0.8.2 (its C library 0.8.1): EMA(9), EMA(21), RSI(14), BBANDS(20, 1, 1) of golden_closes(), after n of them.
GOLDEN = [
    (9, 2600008.777777778, None, None, None, None),
    (14, 2599981.9223822225, None, None, None, None),
    (15, 2599972.537905778, None, 26.666666666666668, None, None),
    (20, 2599952.981700965, None, 41.50618841785539, 2599979.5, 31.002419260330498),
    (21, 2599956.185360772, 2599979.0, 45.90038518227574, 2599977.7, 30.51081775361672),
    (22, 2599959.3482886176, 2599978.3636363638, 46.972873000349665, 2599975.8, 29.610133400652558),
    (41, 2599988.645103884, 2599980.464849048, 61.25032725272862, 2599975.55, 19.011772668454796),
    (78, 2600128.199385536, 2600105.853807591, 68.0982533198536, 2600109.35, 27.287863602861762),
    (121, 2600155.119156272, 2600147.9904581723, 58.00050989211887, 2600147.5, 9.94736145902425),
    (200, 2600207.261832864, 2600198.7554742987, 58.29506230430373, 2600195.8, 14.941887430846691),
]


def golden_closes() -> list[int]:
    """Closes that anyone can make again: a linear congruential generator's steps of -20 to 20."""
    state, close, closes = 12345, 2_600_000, []
    for _ in range(200):
        state = (1103515245 * state + 12345) % 2**31
        close += state // 2**16 % 41 - 20
        closes.append(close)
    return closes


def take(frames: np.ndarray[Any, Any], chosen: TimeframeSettings, times: Any, mids: Any) -> list[bool]:
    params = to_record(chosen)[0]
    return [update_timeframes(params, frames, int(t), int(m)) for t, m in zip(times, mids, strict=True)]


def one_a_minute(closes: list[int], chosen: TimeframeSettings = DEFAULTS) -> np.ndarray[Any, Any]:
    """Timeframes after these closes of 1-minute bars; the last bar is completed by the minute after it."""
    frames = new_timeframes()
    take(frames, chosen, [k * MINUTE for k in range(len(closes) + 1)], [*closes, closes[-1]])
    return frames


def assert_frame(frame: Any, bars: list[tuple[int, int, int]], chosen: TimeframeSettings) -> None:
    assert frame["bars"] == len(bars)
    if not bars:
        return
    closes = [close for close, _, _ in bars]
    assert (frame["close"], frame["high"], frame["low"]) == bars[-1]
    fast, slow = indicators.ema(closes, chosen.fast_bars)[-1], indicators.ema(closes, chosen.slow_bars)[-1]
    strengths = indicators.rsi(closes, chosen.rsi_bars)
    middle, deviation = indicators.band(closes, chosen.bollinger_bars)
    wanted = (fast, slow, strengths[-1], middle, deviation, indicators.efficiency(closes, chosen.efficiency_bars))
    names = ("ema_fast", "ema_slow", "rsi", "bollinger_middle", "bollinger_deviation", "efficiency")
    for name, value in zip(names, wanted, strict=True):
        assert frame[name] == pytest.approx(value, rel=1e-9, abs=1e-7, nan_ok=True), name
    assert frame["trend"] == indicators.trend(fast, slow, deviation, chosen.trend_deviations)
    found = indicators.divergence(closes, strengths, chosen.swing_bars, chosen.divergence_bars)
    assert (frame["divergence"], frame["divergence_bar"]) == found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 20, 61, 61, 61, 200, 1_000, -90]), st.integers(-30, 30)), min_size=2, max_size=120
    ),
    st.sampled_from([0, -500, 10**12]),
)
def test_every_timeframe_equals_its_definition(steps: list[tuple[int, int]], level: int) -> None:
    times = 10**18 + np.cumsum([seconds * 10**9 for seconds, _ in steps])
    mids = level + np.cumsum([step for _, step in steps])
    frames = new_timeframes()
    for n in range(1, len(steps) + 1):
        take(frames, SMALL, times[n - 1 : n], mids[n - 1 : n])
        if n % 10 == 0 or n == len(steps):
            for frame, interval in zip(frames, TIMEFRAME_INTERVALS_NS, strict=True):
                assert_frame(frame, indicators.bars(times[:n].tolist(), mids[:n].tolist(), interval), SMALL)


def test_a_long_market_equals_the_definitions_with_the_default_periods() -> None:
    times, mids = QUOTES["ts_event"], QUOTES["price"] + QUOTES["ask_price"]
    frames, seen = new_timeframes(), set()
    for begin, end in pairwise(range(0, len(QUOTES) + 1, 450)):
        take(frames, DEFAULTS, times[begin:end], mids[begin:end])
        for frame, interval in zip(frames, TIMEFRAME_INTERVALS_NS, strict=True):
            assert_frame(frame, indicators.bars(times[:end].tolist(), mids[:end].tolist(), interval), DEFAULTS)
            seen.add((int(frame["divergence"]), int(frame["trend"])))
    assert {d for d, _ in seen} == {-1, 0, 1} == {t for _, t in seen}, "else it compared nothing"


def test_indicators_agree_with_ta_lib() -> None:
    frames, closes = new_timeframes(), golden_closes()
    wanted = {n: values for n, *values in GOLDEN}
    for k, close in enumerate([*closes, 0]):
        take(frames, DEFAULTS, [k * MINUTE], [close])
        if k in wanted:
            frame, expected = frames[0], [math.nan if v is None else v for v in wanted[k]]
            names = ("ema_fast", "ema_slow", "rsi", "bollinger_middle")
            for name, value in zip(names, expected, strict=False):
                assert frame[name] == pytest.approx(value, rel=1e-12, nan_ok=True), (k, name)
            # TA-Lib subtracts squares of seven-digit numbers, which leaves it about nine digits.
            assert frame["bollinger_deviation"] == pytest.approx(expected[4], rel=1e-6, nan_ok=True)


@pytest.mark.parametrize(("frame", "interval"), [(0, "1m"), (1, "5m"), (2, "15m")])
def test_completed_bars_are_those_of_the_bar_builder(frame: int, interval: str) -> None:
    closed = BarBuilder(Universe([load_instruments()["XAUUSD"]]), [interval]).update(QUOTES.copy())
    frames = new_timeframes()
    take(frames, DEFAULTS, QUOTES["ts_event"], QUOTES["price"] + QUOTES["ask_price"])
    own = frames[frame]
    assert own["bars"] == len(closed) > 60
    assert [own[name] for name in ("close", "high", "low")] == [closed[name][-1] for name in ("close", "high", "low")]


def test_the_update_tells_when_a_minute_is_complete_and_not_before() -> None:
    frames = new_timeframes()
    told = take(frames, DEFAULTS, [0, MINUTE - 1, MINUTE, MINUTE + 5, 5 * MINUTE, 5 * MINUTE + 1], [8] * 6)
    assert told == [False, False, True, False, True, False]
    assert frames["bars"].tolist() == [2, 1, 0]


def test_later_mids_change_nothing_that_was_known_before() -> None:
    frames, other = new_timeframes(), new_timeframes()
    closes = golden_closes()
    take(frames, DEFAULTS, [k * MINUTE for k in range(100)], closes[:100])
    take(other, DEFAULTS, [k * MINUTE for k in range(100)], [*closes[:99], closes[99] + 1_000])
    for name in TIMEFRAME_DTYPE.names or ():
        if not name.startswith("running"):  # the last mid opened a bar: only what is under way may differ
            np.testing.assert_array_equal(frames[name][0], other[name][0], err_msg=name)


def test_a_lower_low_with_more_strength_is_bullish_only_once_it_is_confirmed() -> None:
    # Two bars confirm; the fall to 40 is long, the one to 38 short after a rebound.
    closes = [100, 90, 80, 70, 60, 50, 40, 55, 60, 58, 50, 42, 38, 44, 52]
    chosen = TimeframeSettings(rsi_bars=3, swing_bars=2, divergence_bars=20)
    assert [int(one_a_minute(closes[:n], chosen)[0]["divergence"]) for n in (13, 14, 15)] == [0, 0, 1]
    assert one_a_minute(closes, chosen)[0]["divergence_bar"] == 15
    mirrored = [200 - close for close in closes]
    assert one_a_minute(mirrored, chosen)[0]["divergence"] == -1


def test_a_divergence_is_forgotten_when_its_first_swing_point_is_too_old() -> None:
    closes = [100, 90, 80, 70, 60, 50, 40, 55, 60, 58, 50, 42, 38, 44, 52, 53, 54, 55]
    chosen = TimeframeSettings(rsi_bars=3, swing_bars=2, divergence_bars=10)
    # The low of 40 is the seventh bar: with the sixteenth it is ten bars back.
    assert [int(one_a_minute(closes[:n], chosen)[0]["divergence"]) for n in (15, 16, 17)] == [1, 1, 0]


def test_a_market_that_stands_still_is_neutral_and_has_no_nan_once_there_are_enough_bars() -> None:
    frame = one_a_minute([2_000] * 70)[0]
    assert (frame["rsi"], frame["efficiency"], frame["trend"], frame["divergence"]) == (50.0, 0.0, 0, 0)
    assert (frame["bollinger_middle"], frame["bollinger_deviation"], frame["ema_slow"]) == (2_000.0, 0.0, 2_000.0)


def test_huge_prices_keep_their_digits() -> None:
    base = 2**52
    small, huge = one_a_minute(golden_closes())[0], one_a_minute([c + base for c in golden_closes()])[0]
    assert huge["bollinger_deviation"] == small["bollinger_deviation"]
    assert huge["rsi"] == small["rsi"]
    assert huge["efficiency"] == small["efficiency"]


def test_a_restored_state_goes_on_as_the_original() -> None:
    times, mids = QUOTES["ts_event"][:3_000], (QUOTES["price"] + QUOTES["ask_price"])[:3_000]
    whole, first = new_timeframes(2), new_timeframes(2)
    take(whole[0], DEFAULTS, times, mids)
    take(first[0], DEFAULTS, times[:1_234], mids[:1_234])
    second = np.frombuffer(bytearray(first.tobytes()), TIMEFRAME_DTYPE).reshape(first.shape)
    take(second[0], DEFAULTS, times[1_234:], mids[1_234:])
    assert second.tobytes() == whole.tobytes()
    assert TIMEFRAMES_DTYPE.itemsize == first[0].nbytes < 8_192


def test_timeframes_are_multiples_of_each_other() -> None:
    assert all(b % a == 0 for a, b in pairwise(TIMEFRAME_INTERVALS_NS))
