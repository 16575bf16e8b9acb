"""Drawdown durations, exposure and event time against their definitions, point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import FILL_DTYPE, MARK_DTYPE
from chimera_platform.portfolio.event_time import DAY_NS, EventClock, event_days, merge_days
from chimera_platform.portfolio.performance import Performance, measure
from tests.reference import performance as naive

START = 100_000.0
HOUR = 3_600_000_000_000


def spans(*hours: tuple[float, float]) -> np.ndarray:
    """Return days with events from and to these hours, from day 100 on."""
    return event_days(np.array([round((100 + d) * DAY_NS + h * HOUR) for d, pair in enumerate(hours) for h in pair]))


def run_of(days: np.ndarray, *points: tuple[float, float]) -> Performance:
    """Measure marks of (hours since day 100, equity)."""
    marks = np.zeros(len(points), MARK_DTYPE)
    marks["ts_event"] = [round(100 * DAY_NS + hours * HOUR) for hours, _ in points]
    marks["equity_nanos"] = [round(equity * 1e9) for _, equity in points]
    return measure(np.zeros(0, FILL_DTYPE), marks, days, START)


def test_event_time_stands_still_between_the_last_event_of_a_day_and_the_next_first_one() -> None:
    days = spans((9, 17), (9, 12))
    clock = EventClock(days)
    at = np.array([8, 9, 10, 17, 20, 24 + 9, 24 + 11, 24 + 20]) * HOUR + 100 * DAY_NS
    assert (clock.passed(at) / 3600).tolist() == [0, 0, 1, 8, 8, 8, 10, 11]
    assert clock.seconds == 11 * 3600


def test_days_cut_into_batches_are_the_days_of_the_whole() -> None:
    ts = np.sort(np.random.default_rng(1).integers(0, 5 * DAY_NS, 400))
    whole = event_days(ts)
    parts = event_days(ts[:0])
    for first in range(0, 400, 37):
        parts = merge_days(parts, event_days(ts[first : first + 37]))
    assert parts.tobytes() == whole.tobytes()
    assert whole["day"].tolist() == [0, 1, 2, 3, 4]


def test_the_deepest_drawdown_lasts_from_its_peak_to_its_recovery_in_event_time() -> None:
    days = spans((9, 17), (9, 17), (9, 17))
    m = run_of(days, (10, 101_000), (12, 100_500), (13, 101_200), (16, 99_000), (24 + 15, 101_200), (24 + 16, 101_300))
    assert m.max_drawdown == 2_200
    assert m.max_drawdown_seconds == (17 - 13 + 15 - 9) * 3600  # the night does not count
    assert (m.max_drawdown_days, m.max_drawdown_open) == (2, 0)
    assert m.longest_drawdown_seconds == m.max_drawdown_seconds
    assert m.time_under_water == pytest.approx((1 + (17 - 16) + (15 - 9)) / ((17 - 9) + (16 - 9)))


def test_a_drawdown_that_never_recovers_is_flagged_and_lasts_to_the_end() -> None:
    m = run_of(spans((9, 17)), (10, 101_000), (11, 99_000), (16, 100_999))
    assert (m.max_drawdown_open, m.max_drawdown_seconds) == (1, 6 * 3600)


def test_equity_that_only_grows_is_never_under_water() -> None:
    m = run_of(spans((9, 17)), (10, 101_000), (11, 102_000))
    assert (m.max_drawdown_seconds, m.max_drawdown_days, m.time_under_water, m.max_drawdown_open) == (0, 0, 0, 0)


def test_without_spans_of_the_days_what_is_about_time_is_undefined() -> None:
    m = run_of(np.array([100, 101]), (10, 101_000), (11, 99_000))
    for name in ("max_drawdown_seconds", "time_under_water", "time_in_market", "mean_gross_exposure"):
        assert math.isnan(getattr(m, name)), name
    assert m.max_drawdown == 2_000


hours = st.integers(0, 3 * 24 * 60).map(lambda minutes: minutes / 60)
points = st.lists(st.tuples(hours, st.integers(90_000, 110_000)), min_size=1, max_size=30)


@settings(max_examples=300, deadline=None)
@given(points=points)
def test_drawdown_times_are_those_of_the_definition(points: list[tuple[float, int]]) -> None:
    """Invariant: the array form equals a walk over the curve, episode by episode."""
    days = spans((8, 16.5), (0, 24 - 1e-9), (9, 9.25))
    points = sorted((min(max(h, 8.0), 48 + 9.25), e) for h, e in points)
    m = run_of(days, *points)
    curve = [(int(days["first_ts"][0]), START)] + [(round(100 * DAY_NS + h * HOUR), float(e)) for h, e in points]
    expected = naive.drawdowns(curve, [(int(d["first_ts"]), int(d["last_ts"])) for d in days])
    for name, value in expected.items():
        assert getattr(m, name) == pytest.approx(value, rel=1e-9, abs=1e-6), name


rows = st.lists(
    st.tuples(hours, st.integers(0, 2), st.integers(0, 1), st.integers(-3, 3), st.integers(90_000, 110_000)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(rows=rows)
def test_exposure_is_that_of_a_walk_over_the_marks(rows: list[tuple[float, int, int, int, int]]) -> None:
    """Invariant: gross exposure is the sum over all positions, each as its latest mark has it."""
    days = spans((0, 16.5), (2, 24 - 1e-9), (0, 24 - 1e-9))
    marks = np.zeros(len(rows), MARK_DTYPE)
    for mark, (at, engine, symbol, lots, equity) in zip(marks, sorted(rows), strict=True):
        mark["ts_event"] = round(100 * DAY_NS + at * HOUR)
        mark["engine"], mark["instrument_id"], mark["position"] = engine, symbol, lots
        mark["value_nanos"], mark["equity_nanos"] = lots * 30_000 * 10**9, equity * 10**9
    m = measure(np.zeros(0, FILL_DTYPE), marks, days, START)
    expected = naive.exposure(marks, [(int(d["first_ts"]), int(d["last_ts"])) for d in days])
    for name, value in expected.items():
        assert getattr(m, name) == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_a_run_without_marks_was_never_in_the_market() -> None:
    m = measure(np.zeros(0, FILL_DTYPE), np.zeros(0, MARK_DTYPE), spans((9, 17)), START)
    assert (m.time_in_market, m.max_gross_exposure, m.max_drawdown_seconds) == (0, 0, 0)
