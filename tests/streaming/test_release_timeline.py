from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chimera_platform.execution.records import RELEASE_CHANGE_DTYPE
from chimera_platform.kill_switch import KillSwitch
from chimera_platform.releases import ReleaseStore
from streaming.sources.releases import ReleaseTimeline


class Recorder:
    def __init__(self) -> None:
        self.rows = np.zeros(0, RELEASE_CHANGE_DTYPE)

    def __call__(self, rows: np.ndarray) -> None:
        self.rows = np.concatenate([self.rows, rows])


def store_with(folder: Path, *weights: float) -> tuple[ReleaseStore, list[str]]:
    store = ReleaseStore(folder)
    return store, [store.create({}, {"hft": w}, None, 0.5, {"n": w}).id for w in weights]


def timeline(store: ReleaseStore, recorder: Recorder, follow: bool = True) -> ReleaseTimeline:
    return ReleaseTimeline(recorder.rows, recorder, store, KillSwitch(store.folder), follow=follow)


def test_a_promotion_is_recorded_before_it_is_in_force(tmp_path: Path) -> None:
    store, (first,) = store_with(tmp_path, 0.5)
    recorder = Recorder()
    releases = timeline(store, recorder)
    releases.add("", 0, 0)
    releases.poll(10, 99)
    assert releases.at(10).release_id == ""
    store.promote(first)
    releases.poll(20, 100)
    assert (releases.at(19).release_no, releases.at(20).release_no) == (0, 1)
    assert releases.at(20).release_id == first
    assert recorder.rows[["event_no", "ts_event", "release_id"]][1].tolist() == (20, 100, first.encode())


def test_a_resumed_run_meets_recorded_changes_at_their_events_before_it_looks_for_new_ones(tmp_path: Path) -> None:
    store, (first, second) = store_with(tmp_path, 0.5, 0.6)
    recorder = Recorder()
    releases = timeline(store, recorder)
    releases.add("", 0, 0)
    store.promote(first)
    releases.poll(20, 100)
    store.promote(second)
    resumed = timeline(store, recorder)
    resumed.poll(5, 10)  # before the recorded change: nothing new yet
    assert len(recorder.rows) == 2
    assert (resumed.at(5).release_no, resumed.next_change(5)) == (0, 20)
    resumed.poll(20, 100)
    assert resumed.at(20).release_id == second and len(recorder.rows) == 3


def test_a_corrupt_release_is_refused_and_the_old_one_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, (first, second) = store_with(tmp_path, 0.5, 0.6)
    recorder = Recorder()
    releases = timeline(store, recorder)
    releases.add(first, 0, 0)
    store.promote(second)
    weights = tmp_path / second / "weights.json"
    weights.chmod(0o644)
    weights.write_text('{"hft":1.0}')
    releases.poll(10, 50)
    releases.poll(20, 60)
    assert releases.at(20).release_id == first and len(recorder.rows) == 1
    assert sum("release refused" in record.message for record in caplog.records) == 1


def test_a_pinned_release_ignores_promotions(tmp_path: Path) -> None:
    store, (first, second) = store_with(tmp_path, 0.5, 0.6)
    recorder = Recorder()
    releases = timeline(store, recorder, follow=False)
    releases.add(first, 0, 0)
    store.promote(second)
    releases.poll(10, 50)
    assert releases.at(10).release_id == first


def test_the_kill_switch_is_obeyed_from_the_event_at_which_it_is_seen_and_so_is_its_reset(tmp_path: Path) -> None:
    store, (first,) = store_with(tmp_path, 0.5)
    recorder, switch = Recorder(), KillSwitch(tmp_path)
    releases = timeline(store, recorder)
    releases.add("", 0, 0)
    switch.throw("a person", "prices look wrong")
    store.promote(first)
    releases.poll(20, 100)
    releases.poll(30, 101)
    assert [(c.event_no, c.release_id, c.killed) for c in map(releases.at, (19, 20))] == [
        (0, "", False),
        (20, first, True),
    ]
    switch.reset("a person", "they were right")
    releases.poll(40, 102)
    assert (releases.at(39).killed, releases.at(40).killed) == (True, False)
    assert recorder.rows["killed"].tolist() == [0, 1, 1, 0]
    assert recorder.rows["release_id"].tolist() == [b"", b"", first.encode(), first.encode()]


def test_a_resumed_run_is_killed_again_at_the_recorded_event(tmp_path: Path) -> None:
    store, _ = store_with(tmp_path, 0.5)
    recorder, switch = Recorder(), KillSwitch(tmp_path)
    releases = timeline(store, recorder)
    releases.add("", 0, 0)
    switch.throw("a person", "prices look wrong")
    releases.poll(20, 100)
    switch.reset("a person", "they were right")
    resumed = timeline(store, recorder)
    resumed.poll(5, 10)
    assert (resumed.at(19).killed, resumed.at(20).killed, len(recorder.rows)) == (False, True, 2)


def test_a_replay_does_not_look_at_the_switch(tmp_path: Path) -> None:
    store, _ = store_with(tmp_path, 0.5)
    recorder = Recorder()
    KillSwitch(tmp_path).throw("a person", "prices look wrong")
    releases = timeline(store, recorder, follow=False)
    releases.add("", 0, 0)
    releases.poll(20, 100)
    assert not releases.at(20).killed
