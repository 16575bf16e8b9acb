"""Slow acknowledgements pause entries; then they are tried again, and the first acknowledgement decides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chimera_platform.risk.latency_pause import (
    LatencyState,
    is_latency_paused,
    new_latency,
    note_ack,
    refresh_latency,
)
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings
from chimera_platform.settings import to_record

MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND
T0 = 1_700_000_000 * SECOND
GOOD, AT_LIMIT, BAD = 10 * MILLISECOND, 50 * MILLISECOND, 50 * MILLISECOND + 1
NORMAL, PAUSED, TRYING = LatencyState.NORMAL, LatencyState.PAUSED, LatencyState.TRYING
DEFAULTS = to_record(RiskAdaptiveSettings())[0]


class Venue:
    """Acknowledges, in seconds after T0."""

    def __init__(self, **chosen: Any) -> None:
        self.latency, self.adaptive = new_latency(), to_record(RiskAdaptiveSettings(**chosen))[0]

    def acks(self, at_s: float, *latencies: int) -> list[bool]:
        return [note_ack(self.latency[0], self.adaptive, ns, T0 + round(at_s * SECOND)) for ns in latencies]

    def is_paused(self, at_s: float) -> bool:
        return bool(is_latency_paused(self.latency[0], T0 + round(at_s * SECOND)))

    @property
    def state(self) -> LatencyState:
        return LatencyState(self.latency["state"][0])


@pytest.mark.parametrize(
    ("latencies", "is_paused"),
    [
        ([], False),
        ([BAD, BAD], False),
        ([BAD, BAD, BAD], True),
        ([BAD, GOOD, BAD, GOOD, BAD], True),
        ([AT_LIMIT] * 10, False),
        ([BAD, BAD, *[GOOD] * 7, BAD], True),  # the first is the tenth last
        ([BAD, BAD, *[GOOD] * 8, BAD], False),  # it is the eleventh last
    ],
)
def test_three_spikes_among_the_last_ten_acknowledgements_pause(latencies: list[int], is_paused: bool) -> None:
    venue = Venue()
    venue.acks(0, *latencies)
    assert venue.is_paused(0) == is_paused


def test_a_pause_ends_by_time_and_the_clock_tells_it_once() -> None:
    venue = Venue()
    assert venue.acks(0, BAD, BAD, BAD) == [False, False, True]
    assert venue.is_paused(4.999)
    assert not venue.is_paused(5)
    assert [refresh_latency(venue.latency[0], T0 + s * SECOND) for s in (4, 5, 6)] == [False, True, False]
    assert venue.state is TRYING


def test_a_try_that_is_acknowledged_in_time_ends_it() -> None:
    venue = Venue()
    venue.acks(0, BAD, BAD, BAD)
    assert venue.acks(6, GOOD) == [True]
    assert venue.state is NORMAL
    assert venue.acks(7, BAD, BAD) == [False, False]  # the spikes of before are forgotten
    assert venue.acks(8, BAD) == [True]
    assert venue.is_paused(12.9) and not venue.is_paused(13)  # and the pause is a short one again


def test_a_try_that_is_slow_again_doubles_the_pause_up_to_a_limit() -> None:
    venue = Venue(latency_pause_max_ns=17 * SECOND)
    venue.acks(0, BAD, BAD, BAD)
    ends = [5]
    for _ in range(4):
        assert venue.acks(ends[-1], BAD) == [True]
        assert venue.state is PAUSED
        ends.append((int(venue.latency["paused_until"][0]) - T0) // SECOND)
    assert ends == [5, 5 + 10, 15 + 17, 32 + 17, 49 + 17]


def test_acknowledgements_during_the_pause_change_nothing_but_the_last_one() -> None:
    venue = Venue()
    venue.acks(0, BAD, BAD, BAD)
    before = venue.latency.copy()
    assert venue.acks(3, BAD, GOOD, 7) == [False] * 3
    assert venue.latency["last_ns"][0] == 7
    venue.latency["last_ns"] = before["last_ns"]
    assert venue.latency == before


def test_one_spike_may_be_enough() -> None:
    venue = Venue(latency_spikes_to_pause=1, latency_spike_window=1)
    assert venue.acks(0, GOOD, BAD) == [False, True]


def test_the_longest_window_counts_as_many() -> None:
    venue = Venue(latency_spikes_to_pause=32, latency_spike_window=32)
    assert venue.acks(0, *[BAD] * 31, GOOD, *[BAD] * 31) == [False] * 63
    assert venue.acks(0, BAD) == [True]


def test_more_spikes_than_the_window_holds_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="latency_spikes_to_pause is 11; expected at most latency_spike_window"):
        RiskAdaptiveSettings(latency_spikes_to_pause=11)


def test_a_first_pause_longer_than_the_longest_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="latency_pause_ns is 5000000000; expected at most latency_pause_max_ns"):
        RiskAdaptiveSettings(latency_pause_max_ns=1)


@given(st.lists(st.tuples(st.sampled_from([0, 1, 4, 5, 11]), st.sampled_from([GOOD, BAD]), st.booleans()), max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_pause_is_that_of_the_definition_however_often_the_clock_looks(
    script: list[tuple[int, int, bool]],
) -> None:
    """Invariant: the state depends on the acknowledgements alone; it changes exactly when a change is told."""
    latency, ts = new_latency(), T0
    state, seen, until, pause = NORMAL, [False] * 0, 0, 0
    for seconds, ack, is_looked_at in script:
        ts += seconds * SECOND
        if is_looked_at:
            refresh_latency(latency[0], ts)
        told_before = (LatencyState(latency["state"][0]), int(latency["paused_until"][0]))
        if state is PAUSED and ts >= until:
            state = TRYING
        if state is TRYING and ack == BAD:
            state, pause = PAUSED, min(2 * pause, 300)
            until = ts + pause * SECOND
        elif state is TRYING:
            state, seen = NORMAL, []
        elif state is NORMAL:
            seen.append(ack == BAD)
            if sum(seen[-10:]) >= 3:
                state, pause, seen = PAUSED, 5, []
                until = ts + pause * SECOND
        changed = note_ack(latency[0], DEFAULTS, ack, ts)
        told = (LatencyState(latency["state"][0]), int(latency["paused_until"][0]))
        assert told[0] is state
        assert changed == (told != told_before)
        assert is_latency_paused(latency[0], ts) == (state is PAUSED)
        if state is PAUSED:
            assert told[1] == until
