from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration
from chimera_platform.coordinator import CoordinatorOutput
from chimera_platform.decision_path import DecisionPath
from chimera_platform.execution.records import MARK_DTYPE, Engine
from chimera_platform.market.instruments import load_instruments
from chimera_platform.simulation.comparison.days import chained_fall, day_ends, day_rows, days_with_events, fall
from chimera_platform.simulation.market.simulator import SimulatedMarket

INSTRUMENTS = load_instruments()
MARKET = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=5&days=2&rate=0.15", INSTRUMENTS)
NANOS = 1_000_000_000


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANOS


def day_of(text: str, symbol: str) -> str:
    days, ends = day_ends(utc(text), utc(text), INSTRUMENTS[symbol].hours)
    return str(days[np.searchsorted(ends, utc(text), side="right")].astype("M8[D]"))


@pytest.mark.parametrize(
    ("moment", "symbol", "day"),
    [
        ("2014-05-04T22:00:00", "XAUUSD", "2014-05-05"),  # Sunday evening's gold is Monday's
        ("2014-05-02T20:59:59", "XAUUSD", "2014-05-02"),
        ("2014-05-01T00:00:00", "XAUUSD", "2014-05-01"),
        ("2014-01-06T21:59:59", "XAUUSD", "2014-01-06"),  # winter: the close is at 22:00 UTC
        ("2014-01-06T22:00:00", "XAUUSD", "2014-01-07"),
        ("2014-05-05T21:00:00", "XAUUSD", "2014-05-06"),  # summer: at 21:00
        ("2014-05-05T21:00:00", "EURUSD", "2014-05-06"),  # opens and closes at one time
        ("2012-06-21T13:30:00", "GOOG", "2012-06-21"),
        ("2012-06-22T03:59:59", "GOOG", "2012-06-21"),  # midnight in New York
        ("2024-08-08T23:59:59", "BTCUSDT", "2024-08-08"),
        ("2024-08-09T00:00:00", "BTCUSDT", "2024-08-09"),
    ],
)
def test_a_moment_belongs_to_the_day_whose_session_it_lies_in(moment: str, symbol: str, day: str) -> None:
    assert day_of(moment, symbol) == day


@given(
    first=st.integers(utc("2014-01-01"), utc("2014-12-31")),
    length=st.integers(0, 40 * 86_400 * NANOS),
    symbol=st.sampled_from(sorted(INSTRUMENTS)),
)
def test_days_follow_one_another_and_cover_the_span(first: int, length: int, symbol: str) -> None:
    """Invariant: dates are consecutive, ends ascend by 23 to 25 hours, and every moment of the span is in one day."""
    days, ends = day_ends(first, first + length, INSTRUMENTS[symbol].hours)
    assert (np.diff(days) == 1).all()
    assert set((np.diff(ends) // (3600 * NANOS)).tolist()) <= {23, 24, 25}
    assert ends[0] > first and ends[-1] > first + length
    assert len(ends) == 1 or ends[-2] <= first + length


def test_days_without_events_are_left_out() -> None:
    assert days_with_events(np.array([5, 6, 25]), np.array([10, 20, 30])).tolist() == [True, False, True]
    assert days_with_events(np.array([10]), np.array([10, 20])).tolist() == [False, True]


@pytest.fixture(scope="module")
def output() -> CoordinatorOutput:
    path = DecisionPath(MARKET.universe, Configuration())
    parts, first = [], 0
    for events in MARKET.batches(65_536):
        parts.append(path.run(events, first))
        first += len(events)
    return CoordinatorOutput(*(np.concatenate(tables) for tables in zip(*parts, strict=True)))


@pytest.fixture(scope="module")
def rows(output: CoordinatorOutput) -> np.ndarray[Any, Any]:
    first, last = int(output.marks["ts_event"][0]), int(output.marks["ts_event"][-1])
    days, ends = day_ends(first, last, MARKET.universe[0].hours)
    return day_rows(output.fills, output.marks, MARKET.universe, days, ends)


def test_days_and_engines_add_up_to_the_account_to_the_nano(
    output: CoordinatorOutput, rows: np.ndarray[Any, Any]
) -> None:
    assert len(output.fills) > 100 and {2} == {len(set(rows["day"]))}
    expected = 0
    for instrument in range(2):
        for engine in Engine:
            own = output.marks[(output.marks["instrument_id"] == instrument) & (output.marks["engine"] == engine)]
            if len(own):
                last = own[-1]
                expected += int(last["realised_nanos"] - last["fees_nanos"] + last["value_nanos"] - last["cost_nanos"])
    assert rows["net_nanos"].sum() == expected
    is_flat = all(
        own[-1]["position"] == 0
        for i in range(2)
        for e in Engine
        if len(own := output.marks[(output.marks["instrument_id"] == i) & (output.marks["engine"] == e)])
    )
    equity = int(output.marks[-1]["equity_nanos"]) - Configuration().account.starting_equity_nanos
    if is_flat:
        assert expected == equity
    else:  # open positions are at their own last marks, the account's mark values all of them anew
        assert expected == pytest.approx(equity, abs=50 * NANOS)


def test_gross_less_cost_and_fees_is_net_on_every_day_and_engine(rows: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(rows["gross_nanos"] - rows["cost_nanos"] - rows["fees_nanos"], rows["net_nanos"])
    assert rows["cost_nanos"].sum() > 0


def test_what_fills_pay_against_the_mid_is_counted_fill_by_fill(
    output: CoordinatorOutput, rows: np.ndarray[Any, Any]
) -> None:
    cost = 0.0
    for fill in output.fills:
        mid = (int(fill["decision_bid"]) + int(fill["decision_ask"])) / 2
        value = MARKET.universe[int(fill["instrument_id"])].tick_value_nanos
        cost += int(fill["side"]) * (int(fill["price"]) - mid) * int(fill["size"]) * value
    assert rows["cost_nanos"].sum() == pytest.approx(cost, rel=1e-12)


def test_trades_are_counted_on_the_day_that_they_close(output: CoordinatorOutput, rows: np.ndarray[Any, Any]) -> None:
    closed: dict[int, tuple[int, int, int]] = {}  # intent → day of the last fill, position, net
    _, ends = day_ends(*output.marks["ts_event"][[0, -1]].tolist(), MARKET.universe[0].hours)
    for fill in output.fills:
        _, position, net = closed.get(int(fill["intent_no"]), (0, 0, 0))
        day = int(np.searchsorted(ends, fill["ts_event"], side="right"))
        position += int(fill["side"]) * int(fill["size"])
        closed[int(fill["intent_no"])] = day, position, net + int(fill["realised_nanos"]) - int(fill["fee_nanos"])
    for number, day in enumerate(sorted(set(rows["day"]))):
        own = [net for at, position, net in closed.values() if at == number and position == 0]
        found = rows[rows["day"] == day]
        assert found["trades"].sum() == len(own) and found["wins"].sum() == sum(net > 0 for net in own)
        assert found["won_nanos"].sum() - found["lost_nanos"].sum() == sum(own)


def curve(steps: list[int]) -> np.ndarray[Any, Any]:
    marks = np.zeros(len(steps), MARK_DTYPE)
    marks["equity_nanos"] = 1_000 + np.cumsum(np.array(steps, np.int64))
    return marks


@given(st.lists(st.lists(st.integers(-50, 50), max_size=6), min_size=1, max_size=5))
def test_the_fall_of_runs_in_a_row_is_that_of_the_one_curve(runs: list[list[int]]) -> None:
    """Invariant: chained_fall of the runs = the deepest fall of all their steps in a row."""
    level = np.concatenate([[0], np.cumsum([step for run in runs for step in run])])
    expected = int((np.maximum.accumulate(level) - level).max())
    assert chained_fall([fall(curve(run), 1_000) for run in runs]) == expected
