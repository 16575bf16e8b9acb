"""Lift and mean returns: by their formulas; intervals cover planted truths, placebos show nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chimera_platform.signals.forward_returns import HORIZONS_NS
from chimera_platform.signals.lift import MOMENT_DTYPE, bin_width, edge, placebo

SECOND = 1_000_000_000
ONE = 0  # index of the horizon of 1 s


def moments(ts: list[float], directions: list[int], changes: list[float], spread: int = 2) -> np.ndarray:
    rows = np.zeros(len(ts), MOMENT_DTYPE)
    rows["ts_event"] = (np.array(ts) * SECOND).astype(np.int64)
    rows["direction"], rows["spread"] = directions, spread
    rows["change"] = np.array(changes, float)[:, None]
    return rows


def test_figures_follow_their_formulas() -> None:
    every = moments(list(range(10)), [0] * 10, [1, 1, 1, -1, -1, 0, 0, 0, 0, math.nan])
    own = moments([0, 1, 2, 3, 4], [1, 1, 1, -1, -1], [2, -1, 0, -3, math.nan])
    found = edge(own, every, ONE, SECOND)
    assert (found.moments, found.known, found.hits, found.misses) == (5, 4, 2, 1)
    # P(up) = 3/9, P(down) = 2/9; three look up and one down: 3 x 3/9 + 1 x 2/9 hits would be no information
    assert found.lift.value == pytest.approx(2 / (3 * 3 / 9 + 2 / 9))
    assert found.way.value == pytest.approx(2 / 3)
    assert found.ticks.value == pytest.approx((2 - 1 + 0 + 3) / 4)
    assert found.spreads.value == pytest.approx(found.ticks.value / 2)


def test_without_moments_everything_is_undefined() -> None:
    found = edge(moments([], [], []), moments([0, 1], [0, 0], [1, -1]), ONE, SECOND)
    assert found.moments == 0 and math.isnan(found.lift.value) and math.isnan(found.ticks.low)
    assert not found.ticks.leaves_out(0.0)


def test_a_sample_that_holds_few_blocks_has_no_interval() -> None:
    count = 60
    every = moments(list(range(count)), [0] * count, [1, -1] * (count // 2))
    own = moments(list(range(0, count, 2)), [1] * (count // 2), [1] * (count // 2))
    short, long = edge(own, every, ONE, SECOND), edge(own, every, len(HORIZONS_NS) - 1, SECOND)
    assert not math.isnan(short.ticks.low)
    assert math.isnan(long.ticks.low) and long.block_s >= 300


def market(edge_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return moments and unconditional ones of a market with volatility that clusters, and what moments know of it."""
    random = np.random.default_rng(seed)
    count = 1_200
    level = np.zeros(count)
    for k in range(1, count):
        level[k] = 0.9 * level[k - 1] + random.normal() * 0.3
    change = np.round(random.normal(size=count) * np.exp(level) * 2)
    speaks = random.random(count) < 0.15 * np.exp(level) / np.exp(level).mean()
    side = np.where(random.random(count) < 0.5, 1, -1)
    informed = random.random(count) < edge_size
    side = np.where(informed & (change != 0), np.sign(change), side).astype(int)
    seconds = list(np.arange(count) * 5.0)
    every = moments(seconds, [0] * count, list(change))
    return moments(list(np.array(seconds)[speaks]), list(side[speaks]), list(change[speaks])), every


def test_intervals_of_no_information_hold_zero_as_often_as_they_say() -> None:
    """Of 120 markets whose moments know nothing, about 95 % of the intervals hold 0 ticks and a way of 1/2."""
    held = {"ticks": 0, "way": 0}
    for seed in range(120):
        own, every = market(0.0, seed)
        found = edge(own, every, ONE, 30 * SECOND, seed)
        held["ticks"] += found.ticks.low <= 0.0 <= found.ticks.high
        held["way"] += found.way.low <= 0.5 <= found.way.high
    assert 105 <= held["ticks"] <= 120 and 105 <= held["way"] <= 120


def test_a_planted_edge_is_found_and_its_size_covered() -> None:
    found = [edge(*market(0.4, seed), ONE, 30 * SECOND) for seed in range(20)]
    assert all(f.ticks.leaves_out(0.0) and f.ticks.low > 0 and f.lift.value > 1.0 for f in found)
    covered = sum(f.way.low <= 0.7 <= f.way.high for f in found)  # 0.4 + 0.6 / 2
    assert covered >= 17


def test_a_placebo_straddles_zero_where_the_moments_do_not() -> None:
    own, every = market(0.6, 5)
    nothing = placebo(own, every, ONE)
    assert nothing.low < 0.0 < nothing.high
    assert edge(own, every, ONE, 30 * SECOND).ticks.value > nothing.high


def test_a_placebo_is_drawn_in_the_moments_own_session() -> None:
    every = moments([0, 1], [0, 0], [5, -5])
    every["session"] = [0, 1]
    own = moments([0.5], [1], [1.0])
    assert placebo(own, every, ONE).value == 5.0
    own["session"] = 1
    assert placebo(own, every, ONE).value == -5.0
    own["session"] = 2
    assert math.isnan(placebo(own, every, ONE).value)


def test_results_are_the_same_for_the_same_seed() -> None:
    own, every = market(0.2, 3)
    assert edge(own, every, ONE, SECOND) == edge(own, every, ONE, SECOND)
    assert edge(own, every, ONE, SECOND, seed=8) != edge(own, every, ONE, SECOND)


@pytest.mark.parametrize(
    ("hours", "seconds"),
    [
        (0.05, 1),
        (0.5, 5),
        (6.5, 60),
        (48.0, 60),
        (99.0, 120),
        (20_000.0, 3600),
    ],
)
def test_short_samples_have_narrow_bins_and_long_ones_wide_ones(hours: float, seconds: int) -> None:
    assert bin_width(int(hours * 3600 * SECOND)) == seconds * SECOND
