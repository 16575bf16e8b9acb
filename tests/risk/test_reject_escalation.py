"""Rejects escalate: smaller sizes, the engine pauses, all pause; every step is taken back once it has been quiet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.execution.records import ENGINE_COUNT, Engine, OrderReason
from chimera_platform.risk.reject_escalation import (
    ACCOUNT,
    REJECTS_DTYPE,
    is_fault,
    new_rejects,
    note_reject,
    refresh_rejects,
    reject_score,
    reject_step_now,
)
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings
from chimera_platform.settings import to_record
from tests.reference.reject_escalation import CountedRejects

SECOND = 1_000_000_000
HALF_LIFE = 60 * SECOND
T0 = 1_700_000_000 * SECOND
DEFAULTS = to_record(RiskAdaptiveSettings())[0]
HFT, STRUCTURE = int(Engine.HFT), int(Engine.STRUCTURE)


def burst(rejects: Any, count: int, engine: int = HFT, ts: int = T0, adaptive: Any = DEFAULTS) -> list[int]:
    """Note rejects at one time, so that none decays; return what each has changed."""
    return [note_reject(rejects, adaptive, engine, ts) for _ in range(count)]


def steps(rejects: Any, ts: int, adaptive: Any = DEFAULTS) -> list[int]:
    return [reject_step_now(rejects, adaptive, engine, ts) for engine in (HFT, STRUCTURE)]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, [0, 0]), (4, [0, 0]), (5, [1, 0]), (9, [1, 0]), (10, [2, 0]), (19, [2, 0]), (20, [3, 3]), (30, [3, 3])],
)
def test_half_the_threshold_shrinks_sizes_all_of_it_pauses_the_engine_twice_it_pauses_all(
    count: int, expected: list[int]
) -> None:
    rejects = new_rejects()
    burst(rejects, count)
    assert steps(rejects, T0) == expected


def test_rejects_of_several_engines_add_up_to_the_accounts() -> None:
    rejects = new_rejects()
    for engine in range(4):
        burst(rejects, 4, engine)
    assert steps(rejects, T0) == [0, 0]
    burst(rejects, 4, STRUCTURE)
    assert reject_score(rejects, DEFAULTS, ACCOUNT, T0) == 20.0
    assert steps(rejects, T0) == [3, 3]


def test_each_change_is_told_once_for_whom_it_is() -> None:
    rejects = new_rejects()
    changed = burst(rejects, 21, STRUCTURE)
    own, account = 1 << STRUCTURE, 1 << ACCOUNT
    assert {count + 1: bits for count, bits in enumerate(changed) if bits} == {5: own, 10: own, 20: account}


def test_a_count_halves_in_every_half_life() -> None:
    rejects = new_rejects()
    burst(rejects, 8)
    scores = [reject_score(rejects, DEFAULTS, HFT, T0 + k * HALF_LIFE) for k in range(4)]
    np.testing.assert_allclose(scores, [8.0, 4.0, 2.0, 1.0], rtol=1e-12)
    assert reject_score(rejects, DEFAULTS, HFT, T0 - SECOND) == 8.0


def test_rejects_that_come_slowly_never_escalate() -> None:
    rejects = new_rejects()
    every = 20 * SECOND  # decays to a sum of 1 / (1 - 2^(-1/3)) = 4.85
    assert not any(note_reject(rejects, DEFAULTS, HFT, T0 + k * every) for k in range(1_000))
    assert reject_score(rejects, DEFAULTS, HFT, T0 + 999 * every) == pytest.approx(1 / (1 - 2 ** (-1 / 3)))


@pytest.mark.parametrize(
    ("after_s", "step"),
    [(0, 2), (59.9, 2), (60.0, 2), (60.1, 1), (119.9, 1), (120.0, 1), (120.1, 0), (10_000, 0)],
)
def test_a_pause_ends_in_smaller_sizes_and_those_end_later_still(after_s: float, step: int) -> None:
    rejects = new_rejects()
    burst(rejects, 10)  # 10 halves to 5, half of 10, at 60 s, to 2.5, half of 5, at 120 s
    assert steps(rejects, T0 + round(after_s * SECOND))[0] == step


def test_a_pause_lasts_its_time_even_where_the_count_falls_fast() -> None:
    adaptive = to_record(RiskAdaptiveSettings(reject_half_life_ns=SECOND))[0]
    rejects = new_rejects()
    burst(rejects, 10, adaptive=adaptive)
    assert steps(rejects, T0 + 60 * SECOND - 1, adaptive)[0] == 2
    assert steps(rejects, T0 + 60 * SECOND, adaptive)[0] == 0


def test_rejects_during_a_pause_begin_it_anew() -> None:
    rejects = new_rejects()
    burst(rejects, 12)
    assert burst(rejects, 4, ts=T0 + 30 * SECOND) == [0] * 4
    assert steps(rejects, T0 + 89 * SECOND)[0] == 2
    assert rejects["paused_until"][HFT] == T0 + 90 * SECOND


def test_all_go_on_together_and_the_one_that_was_at_fault_with_smaller_sizes() -> None:
    rejects = new_rejects()
    burst(rejects, 20)
    end = T0 + HALF_LIFE + SECOND  # the account is below half of twice the threshold, the engine still at 10
    assert steps(rejects, end) == [2, 0]
    assert steps(rejects, T0 + 2 * HALF_LIFE + SECOND) == [1, 0]


def test_the_clock_tells_each_step_down_once() -> None:
    rejects = new_rejects()
    burst(rejects, 20)
    told = {}
    for second in range(400):
        bits = refresh_rejects(rejects, DEFAULTS, T0 + second * SECOND)
        if bits:
            told[second] = (bits, rejects["step"][[HFT, ACCOUNT]].tolist())
    own, account = 1 << HFT, 1 << ACCOUNT
    assert told == {61: (account, [2, 0]), 121: (own, [1, 0]), 181: (own, [0, 0])}


@pytest.mark.parametrize("reason", list(OrderReason))
def test_what_the_market_was_faster_than_is_no_fault(reason: OrderReason) -> None:
    harmless = {OrderReason.WOULD_TAKE, OrderReason.STOP_REACHED, OrderReason.TOO_LATE}
    assert is_fault(int(reason)) == (reason not in harmless)


SCRIPT = st.lists(
    st.tuples(st.integers(0, ENGINE_COUNT - 1), st.sampled_from([0, 0, 0, 1, 5, 20, 61]), st.booleans()), max_size=80
)


@given(SCRIPT, st.sampled_from([0.3, 0.5, 1.0]), st.sampled_from([0, 5, 60]))
@settings(max_examples=150, deadline=None)
def test_steps_are_those_of_a_list_of_rejects_and_looking_changes_nothing(
    script: list[tuple[int, int, bool]], recovery: float, pause_s: int
) -> None:
    """Invariant: step and score depend on the rejects' times alone, not on when and how often they were asked for."""
    chosen = RiskAdaptiveSettings(
        reject_escalation_threshold=6.0, reject_recovery=recovery, reject_pause_ns=pause_s * SECOND,
        reject_half_life_ns=7 * SECOND + 1,
    )  # fmt: skip
    adaptive, rejects, ts = to_record(chosen)[0], new_rejects(), T0
    engines = [CountedRejects(chosen, 3.0, 6.0) for _ in range(ENGINE_COUNT)]
    account = CountedRejects(chosen, math.inf, 12.0)
    for engine, seconds, is_looked_at in script:
        ts += seconds * SECOND
        if is_looked_at:
            refresh_rejects(rejects, adaptive, ts)
        before = rejects["step"].tolist()
        bits = note_reject(rejects, adaptive, engine, ts)
        expected = [engines[engine].reject(ts), account.reject(ts)]
        assert rejects["step"][[engine, ACCOUNT]].tolist() == expected
        assert rejects["score"][engine] == pytest.approx(engines[engine].score(ts), rel=1e-12)
        changed = [who for who in range(ENGINE_COUNT + 1) if rejects["step"][who] != before[who]]
        assert bits == sum(1 << who for who in changed)
    for later in (0, 1, 3, 8, 20, 60, 300):
        at = ts + later * SECOND
        own = [each.wait(at) for each in engines]
        expected = [3] * ENGINE_COUNT if account.wait(at) == 2 else own
        assert [reject_step_now(rejects, adaptive, e, at) for e in range(ENGINE_COUNT)] == expected


def test_a_new_count_is_empty() -> None:
    rejects = new_rejects()
    assert (rejects.dtype, rejects.shape) == (REJECTS_DTYPE, (ENGINE_COUNT + 1,))
    assert not any(rejects.tobytes())
