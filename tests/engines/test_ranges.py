"""Frames: the platform's own bars, measured without looking ahead."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from chimera_platform.engines.ranges import (
    FRAME_INTERVALS_NS,
    RANGE_BARS_MAX,
    WIDTH_HISTORY_MIN,
    new_frames,
    update_frames,
)
from chimera_platform.market.bars import BarBuilder
from chimera_platform.market.instruments import Universe, load_instruments
from tests.reference import random_market

MINUTE = 60_000_000_000
QUOTES = random_market.quotes(9_000, seed=31, step_ns=7_000_000_000)


def after(quotes: np.ndarray[Any, Any], range_bars: int = 5, history_bars: int = 20) -> np.ndarray[Any, Any]:
    frames = new_frames()
    for quote in quotes:
        update_frames(frames, quote["ts_event"], quote["price"] + quote["ask_price"], range_bars, history_bars)
    return frames


@pytest.mark.parametrize(("frame", "interval"), [(0, "1m"), (1, "5m"), (2, "15m")])
def test_completed_bars_are_those_of_the_bar_builder(frame: int, interval: str) -> None:
    closed = BarBuilder(Universe([load_instruments()["XAUUSD"]]), [interval]).update(QUOTES.copy())
    own = after(QUOTES)[frame]
    assert own["bars"] == len(closed) > 60
    kept = range(len(closed) - min(len(closed), RANGE_BARS_MAX), len(closed))
    for k in kept:
        assert own["bar_high"][k % RANGE_BARS_MAX] == closed["high"][k]
        assert own["bar_low"][k % RANGE_BARS_MAX] == closed["low"][k]


def test_a_bar_is_not_known_before_an_event_at_or_after_its_end() -> None:
    frames = new_frames()
    start = 1_000 * 15 * MINUTE
    seen = []
    for ts in (start, start + 5 * MINUTE - 1, start + 5 * MINUTE, start + 15 * MINUTE - 1, start + 15 * MINUTE):
        update_frames(frames, ts, 100, 2, 8)
        seen.append(frames["bars"].tolist())
    assert seen == [[0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 0], [4, 3, 1]]


def test_the_range_leaves_out_the_bar_under_way() -> None:
    frames = new_frames()
    for k, mid_doubled in enumerate([100, 120, 110, 999]):
        update_frames(frames, k * MINUTE, mid_doubled, 3, 8)
    one_minute = frames[0]
    assert (one_minute["range_low"], one_minute["range_high"], one_minute["high"]) == (100, 120, 999)


def test_a_time_before_the_bar_under_way_counts_into_it() -> None:
    frames = new_frames()
    for ts, mid_doubled in ((10 * MINUTE, 100), (9 * MINUTE, 70), (10 * MINUTE + 1, 90), (11 * MINUTE, 95)):
        update_frames(frames, ts, mid_doubled, 2, 8)
    assert frames[0]["bars"] == 1
    assert (frames[0]["bar_low"][0], frames[0]["bar_high"][0]) == (70, 100)


def test_minutes_without_events_make_no_bars() -> None:
    frames = new_frames()
    for minute in (0, 1, 500):
        update_frames(frames, minute * MINUTE, 100, 2, 8)
    assert frames["bars"].tolist() == [2, 1, 1]


def test_a_range_is_ranked_only_among_enough_others() -> None:
    frames, widths = new_frames(), [5, 9, 7, 3, 8, 6, 4, 2, 5, 10]
    ranks = []
    for k, width in enumerate([*widths, 0]):
        update_frames(frames, k * MINUTE, 100, 1, 8)
        ranks.append(float(frames[0]["rank"]))
        update_frames(frames, k * MINUTE + 1, 100 + width, 1, 8)
    measured = ranks[1:]  # the rank of each width, known at the next minute
    assert all(math.isnan(rank) for rank in measured[:WIDTH_HISTORY_MIN])
    assert measured[8] == 3 / 8  # 5 among 5 9 7 3 8 6 4 2: three are smaller
    assert measured[9] == 1.0  # 10 among 9 7 3 8 6 4 2 5


def test_intervals_are_multiples_of_each_other() -> None:
    assert all(b % a == 0 for a, b in itertools.pairwise(FRAME_INTERVALS_NS))
