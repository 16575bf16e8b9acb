"""A triggered breaker throws the kill switch once, and never against a person who has reset it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chimera_platform.kill_switch import BREAKER, KillSwitch
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.risk.circuit_breaker import BreakerState, BreakerView
from streaming.breaker_watch import BreakerWatch
from streaming.items import Batch

VIEW = BreakerView(BreakerState.TRIGGERED, 968_500.25, 0.0315, 0.03)


def batch(*, killed: bool = False, at_front: bool = True) -> Batch:
    return Batch(3, 30, np.zeros(0, EVENT_DTYPE), 1, 0, "", killed, at_front, 0)


def test_the_switch_is_thrown_with_the_figures(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    BreakerWatch(switch).note_triggered(batch(), VIEW)
    kill = switch.kill()
    assert kill is not None and kill.by == BREAKER
    assert kill.reason == "triggered: 3.1500% lost, limit 3.0000%, equity 968500.25"


def test_a_switch_that_is_thrown_already_stays_as_it_is(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    thrown = switch.throw("ann", "prices look wrong")
    watch = BreakerWatch(switch)
    for _ in range(3):
        watch.note_triggered(batch(), VIEW)
    assert switch.kill() == thrown and len(switch.history()) == 1


@pytest.mark.parametrize("answered", [batch(killed=True), batch(at_front=False)])
def test_what_has_been_answered_already_is_left_to_the_person_who_may_have_reset_it(
    tmp_path: Path, answered: Batch
) -> None:
    BreakerWatch(KillSwitch(tmp_path)).note_triggered(answered, VIEW)
    assert not KillSwitch(tmp_path).is_thrown()


def test_a_process_that_died_before_it_could_throw_does_so_after_its_restart(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    BreakerWatch(switch).note_triggered(batch(), VIEW)
    switch.reset("ann", "as if it had never been written")
    BreakerWatch(switch).note_triggered(batch(), VIEW)
    assert switch.is_thrown()
