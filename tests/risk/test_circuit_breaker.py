"""The circuit breaker: at its levels exactly, latched, without flapping.

Invariants: it is in the state that its definition gives after every equity; Triggered stays until a reset; a change
of state back needs equity to cross another level, or a new day; what needs no look changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chimera_platform.risk.circuit_breaker import (
    BREAKER_DTYPE,
    DAY_NS,
    BreakerChange,
    BreakerState,
    CircuitBreakerSettings,
    breaker_multiplier,
    circuit_breaker_record,
    equity_at_loss,
    follow_breaker,
    loss_and_limit,
    needs_look,
    reset_breaker,
    start_breaker,
)
from tests.reference.circuit_breaker import NaiveBreaker

UNIT = 1_000_000_000  # nanos
START = 1_000_000 * UNIT
NOON = 20_000 * DAY_NS + 43_200_000_000_000
NORMAL, WARNING, TRIGGERED = BreakerState


class Breaker:
    """The kernels around one record, called as the coordinator calls them: a look only where one is needed."""

    def __init__(self, equity: int = START, **changes: Any) -> None:
        self.settings = circuit_breaker_record(CircuitBreakerSettings(**changes))[0]
        self.record = np.zeros(1, BREAKER_DTYPE)[0]
        start_breaker(self.record, self.settings, equity)

    def see(self, equity: int, ts: int = NOON) -> int:
        """Return what the equity has changed."""
        if not needs_look(self.record, equity, ts):
            return 0
        return int(follow_breaker(self.record, self.settings, equity, ts))

    @property
    def state(self) -> BreakerState:
        return BreakerState(int(self.record["state"]))

    @property
    def multiplier(self) -> float:
        return float(breaker_multiplier(self.record, self.settings))

    def reset(self, equity: int) -> None:
        reset_breaker(self.record, self.settings, equity)


ONLY_DRAWDOWN: dict[str, Any] = {"daily_loss_limit": 1.0, "daily_warning_fraction": 0.99}


@pytest.mark.parametrize(
    ("equity", "state", "multiplier"),
    [
        (START, NORMAL, 1.0),
        (950_000 * UNIT + 1, NORMAL, 1.0),
        (950_000 * UNIT, WARNING, 0.5),  # a loss of exactly the limit is at the limit
        (850_000 * UNIT + 1, WARNING, 0.5),
        (850_000 * UNIT, TRIGGERED, 0.0),
        (1, TRIGGERED, 0.0),
        (0, TRIGGERED, 0.0),
        (-5 * START, TRIGGERED, 0.0),
    ],
)
def test_the_drawdown_decides_to_the_nano(equity: int, state: BreakerState, multiplier: float) -> None:
    breaker = Breaker(**ONLY_DRAWDOWN)
    assert breaker.see(equity) == (BreakerChange.STATE if state else BreakerChange.NONE)
    assert (breaker.state, breaker.multiplier) == (state, multiplier)


@pytest.mark.parametrize(
    ("equity", "state"),
    [
        (979_000 * UNIT + 1, NORMAL),
        (979_000 * UNIT, WARNING),
        (970_000 * UNIT + 1, WARNING),
        (970_000 * UNIT, TRIGGERED),
    ],
)
def test_the_loss_of_the_day_decides_to_the_nano(equity: int, state: BreakerState) -> None:
    breaker = Breaker()
    breaker.see(equity)
    assert breaker.state is state


def test_the_drawdown_is_counted_from_the_highest_equity() -> None:
    breaker = Breaker(**ONLY_DRAWDOWN)
    breaker.see(2 * START)
    breaker.see(1_900_000 * UNIT + 1)
    assert breaker.state is NORMAL
    breaker.see(1_900_000 * UNIT)
    assert breaker.state is WARNING


def test_warning_ends_at_another_level_than_it_begins() -> None:
    breaker = Breaker(**ONLY_DRAWDOWN)
    for equity in (950_000, 951_000, 950_000, 959_999, 960_000):  # 80 % of a loss of 5 % is 4 %: not below it
        breaker.see(equity * UNIT)
        assert breaker.state is WARNING
    assert breaker.see(960_000 * UNIT + 1) == BreakerChange.STATE
    assert breaker.state is NORMAL
    breaker.see(950_000 * UNIT + 1)
    assert breaker.state is NORMAL


def test_triggered_stays_whatever_equity_does_and_across_days_until_it_is_reset() -> None:
    breaker = Breaker()
    breaker.see(800_000 * UNIT)
    for day in range(5):
        breaker.see(3 * START, NOON + day * DAY_NS)
        assert breaker.state is TRIGGERED
    breaker.reset(900_000 * UNIT)
    assert (breaker.state, breaker.multiplier) == (NORMAL, 1.0)
    breaker.see(900_000 * UNIT, NOON + 5 * DAY_NS)
    assert breaker.state is NORMAL, "losses are counted from the reset on"
    breaker.see(881_100 * UNIT, NOON + 5 * DAY_NS)
    assert breaker.state is WARNING
    breaker.see(873_000 * UNIT, NOON + 5 * DAY_NS)
    assert breaker.state is TRIGGERED


def test_a_new_day_begins_with_the_last_equity_before_it() -> None:
    breaker = Breaker()
    assert breaker.see(990_000 * UNIT, NOON) == BreakerChange.NONE, "the first day is no new one"
    evening = 20_000 * DAY_NS + 79_200_000_000_000
    assert breaker.see(985_000 * UNIT, evening - 1) == BreakerChange.NONE
    assert breaker.see(984_000 * UNIT, evening) == BreakerChange.DAY
    assert breaker.record["day_start_nanos"] == 985_000 * UNIT
    assert breaker.record["day_end_ts"] == evening + DAY_NS


def test_a_gap_over_the_beginning_of_a_day_is_a_loss_of_that_day() -> None:
    breaker = Breaker()
    breaker.see(START, NOON)
    assert breaker.see(960_000 * UNIT, NOON + 3 * DAY_NS) == BreakerChange.DAY + BreakerChange.STATE
    assert breaker.state is TRIGGERED


def test_a_new_day_ends_a_warning_of_the_day_before() -> None:
    breaker = Breaker()
    breaker.see(979_000 * UNIT, NOON)
    assert breaker.state is WARNING
    assert breaker.see(979_000 * UNIT, NOON + DAY_NS) == BreakerChange.DAY + BreakerChange.STATE
    assert breaker.state is NORMAL


def test_a_breaker_that_is_switched_off_follows_days_but_no_losses() -> None:
    breaker = Breaker(enabled=False)
    breaker.see(1, NOON)
    assert (breaker.state, breaker.multiplier) == (NORMAL, 1.0)
    assert breaker.see(2, NOON + DAY_NS) == BreakerChange.DAY
    assert breaker.record["day_start_nanos"] == 1


def test_the_loss_that_is_nearest_to_its_limit_is_named() -> None:
    breaker = Breaker()
    breaker.see(979_000 * UNIT)
    assert tuple(loss_and_limit(breaker.record, breaker.settings, 979_000 * UNIT)) == pytest.approx((0.021, 0.021))
    breaker = Breaker(**ONLY_DRAWDOWN)
    breaker.see(840_000 * UNIT)
    assert tuple(loss_and_limit(breaker.record, breaker.settings, 840_000 * UNIT)) == pytest.approx((0.16, 0.15))


def test_warning_has_to_come_before_triggered() -> None:
    with pytest.raises(ValidationError, match=r"warning_drawdown is 0\.2; expected less than max_drawdown"):
        CircuitBreakerSettings(warning_drawdown=0.2)


@given(base=st.integers(0, 1 << 62), ppb=st.integers(1, 1_000_000_000))
def test_a_level_is_the_highest_equity_that_has_lost_as_much(base: int, ppb: int) -> None:
    level = equity_at_loss(base, ppb)
    assert (base - level) * 1_000_000_000 >= base * ppb
    assert (base - (level + 1)) * 1_000_000_000 < base * ppb


LIMITS = st.builds(
    CircuitBreakerSettings,
    enabled=st.sampled_from([True, True, True, False]),
    warning_drawdown=st.floats(0.01, 0.4),
    max_drawdown=st.floats(0.41, 1.0),
    daily_loss_limit=st.floats(0.005, 1.0),
    daily_warning_fraction=st.floats(0.1, 0.95),
    recover_fraction=st.floats(0.1, 0.95),
    day_start_ns=st.integers(0, DAY_NS - 1),
)
STEPS = st.lists(
    st.tuples(
        st.one_of(st.floats(-0.05, 0.05), st.floats(-1.2, 0.5)),  # change of equity
        st.sampled_from([0, 1, 3_600_000_000_000, DAY_NS // 3, 4 * DAY_NS]),  # time that passes
        st.sampled_from([False] * 9 + [True]),  # a manual reset
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(limits=LIMITS, start=st.integers(1, 1 << 58), steps=STEPS)
def test_it_is_always_in_the_state_of_its_definition(limits: CircuitBreakerSettings, start: int, steps: Any) -> None:
    breaker, naive = Breaker(start, **limits.model_dump()), NaiveBreaker(limits, start)
    equity, ts = start, NOON
    for change, passed, is_reset in steps:
        equity, ts = int(equity * (1 + change)) if equity > 0 else int(start * abs(change)), ts + passed
        before, level = breaker.state, breaker.record.copy()
        changed = breaker.see(equity, ts)
        naive.see(equity, ts)
        assert breaker.state is naive.state
        assert bool(changed & BreakerChange.STATE) == (breaker.state is not before)
        assert int(breaker.record["day_start_nanos"]) == naive.day_start
        assert int(breaker.record["equity_nanos"]) == equity
        if before is TRIGGERED:
            assert breaker.state is TRIGGERED
        if (before, breaker.state) == (WARNING, NORMAL) and not changed & BreakerChange.DAY:
            assert equity > level["recover_above_nanos"] >= level["warn_at_nanos"]
        if is_reset:
            breaker.reset(equity)
            naive.reset(equity)


@settings(max_examples=150)
@given(limits=LIMITS, start=st.integers(1, 1 << 58), steps=STEPS)
def test_looking_when_no_look_is_needed_changes_nothing(limits: CircuitBreakerSettings, start: int, steps: Any) -> None:
    asked, always = Breaker(start, **limits.model_dump()), Breaker(start, **limits.model_dump())
    equity, ts = start, NOON
    for change, passed, _ in steps:
        equity, ts = int(equity * (1 + change)), ts + passed
        changed = asked.see(equity, ts)
        assert int(follow_breaker(always.record, always.settings, equity, ts)) == changed
        assert asked.record.tobytes() == always.record.tobytes()
