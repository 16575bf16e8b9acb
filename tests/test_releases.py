"""The release store: a release that loads is the release that was written, and CURRENT only ever moves to one."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import pytest

from chimera_platform import releases
from chimera_platform.errors import ReleaseError
from chimera_platform.releases import Release, ReleaseStore

PROVENANCE = {"warehouse_snapshot": 12, "trained_days": ["2014-05-01"], "run_ids": ["a"], "gates": []}


def make(store: ReleaseStore, hft: float = 0.5) -> Release:
    return store.create({}, {"hft": hft, "structure": 0.5}, None, 0.0, PROVENANCE)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


def test_a_stored_release_loads_as_it_was_created(store: ReleaseStore) -> None:
    made = make(store)
    loaded = store.load(made.id)
    assert loaded == made
    assert loaded.weights == {"hft": 0.5, "structure": 0.5}
    assert loaded.trees is None
    assert loaded.manifest["warehouse_snapshot"] == 12
    assert PROVENANCE.items() <= loaded.manifest.items()


def test_the_id_is_decided_by_the_content(store: ReleaseStore, tmp_path: Path) -> None:
    first, again, elsewhere = make(store), make(store), make(ReleaseStore(tmp_path / "other"))
    assert first.id == again.id == elsewhere.id
    assert len(first.id) == 32
    assert make(store, hft=0.6).id != first.id
    changed = store.create({}, first.weights, None, 0.0, {**PROVENANCE, "warehouse_snapshot": 13})
    assert changed.id != first.id
    assert len(store.list()) == 3


@pytest.mark.parametrize("name", ["parameters.json", "weights.json", "manifest.json"])
def test_an_altered_file_is_refused_and_named(store: ReleaseStore, name: str) -> None:
    made = make(store)
    path = store.folder / made.id / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ReleaseError, match=rf"{name} was altered.*promote another"):
        store.load(made.id)


@pytest.mark.parametrize("name", ["parameters.json", "weights.json", "manifest.json"])
def test_a_missing_file_is_refused_and_named(store: ReleaseStore, name: str) -> None:
    made = make(store)
    (store.folder / made.id / name).unlink()
    with pytest.raises(ReleaseError, match=f"{name} is missing"):
        store.load(made.id)


def test_a_folder_under_another_releases_name_is_refused(store: ReleaseStore) -> None:
    first, second = make(store), make(store, hft=0.6)
    for path in (store.folder / first.id).iterdir():
        path.write_bytes((store.folder / second.id / path.name).read_bytes())
    with pytest.raises(ReleaseError, match=r"manifest\.json was altered"):
        store.load(first.id)


@pytest.mark.parametrize("bad", ["../../etc", "", "A" * 32, "0" * 31])
def test_an_id_that_is_no_content_address_is_refused(store: ReleaseStore, bad: str) -> None:
    with pytest.raises(ReleaseError, match="32 lower-case hex digits"):
        store.load(bad)


def test_an_unknown_release_says_where_it_was_looked_for(store: ReleaseStore) -> None:
    with pytest.raises(ReleaseError, match=f"no release {'0' * 32} in {store.folder}"):
        store.promote("0" * 32)
    assert store.current() is None


def test_a_corrupt_release_is_not_promoted_and_the_old_one_stays(store: ReleaseStore) -> None:
    good, bad = make(store), make(store, hft=0.6)
    store.promote(good.id, "first")
    (store.folder / bad.id / "weights.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"weights\.json was altered"):
        store.promote(bad.id, "second")
    assert store.current() == good.id
    assert [p.id for p in store.history()] == [good.id]


def test_rolling_back_goes_one_promotion_back_each_time(store: ReleaseStore) -> None:
    ids = [make(store, hft=w).id for w in (0.1, 0.2, 0.3)]
    for release_id in ids:
        store.promote(release_id, "nightly")
    assert store.rollback("worse live") == ids[1]
    assert store.rollback("worse still") == ids[0] == store.current()
    with pytest.raises(ReleaseError, match="nothing to roll back to"):
        store.rollback()
    history = store.history()
    assert [(p.action, p.id, p.previous) for p in history] == [
        ("promote", ids[0], None),
        ("promote", ids[1], ids[0]),
        ("promote", ids[2], ids[1]),
        ("rollback", ids[1], ids[2]),
        ("rollback", ids[0], ids[1]),
    ]
    assert history[3].reason == "worse live"


def test_rolling_back_to_an_altered_release_is_refused_and_the_current_one_stays(store: ReleaseStore) -> None:
    first, second = make(store), make(store, hft=0.6)
    store.promote(first.id)
    store.promote(second.id)
    (store.folder / first.id / "parameters.json").unlink()
    with pytest.raises(ReleaseError, match=r"parameters\.json is missing"):
        store.rollback()
    assert store.current() == second.id


def test_promoting_the_current_release_again_changes_nothing(store: ReleaseStore) -> None:
    made = make(store)
    store.promote(made.id)
    store.promote(made.id)
    assert len(store.history()) == 1


def test_a_crash_between_history_and_pointer_leaves_the_old_release_in_force(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (make(store, hft=w) for w in (0.1, 0.2, 0.3))
    store.promote(first.id)
    store.promote(second.id)
    replace = releases._replace_file

    def crash_at_the_pointer(path: Path, data: bytes) -> None:
        if path.name == "CURRENT":
            raise OSError(28, "No space left on device")
        replace(path, data)

    monkeypatch.setattr(releases, "_replace_file", crash_at_the_pointer)
    with pytest.raises(ReleaseError, match="No space left"):
        store.promote(third.id)
    monkeypatch.undo()
    assert store.current() == second.id
    assert [p.id for p in store.history()] == [first.id, second.id]
    assert store.rollback() == first.id


def test_a_failed_write_leaves_no_release_behind(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    make(store)

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(releases, "_write_synced", full)
    with pytest.raises(ReleaseError, match="No space left on device"):
        make(store, hft=0.9)
    assert len(store.list()) == 1
    assert not list(store.folder.glob(".new-*"))


def test_a_pointer_that_holds_nonsense_is_refused_and_mended_by_promoting(store: ReleaseStore) -> None:
    made = make(store)
    store.promote(made.id)
    (store.folder / "CURRENT").write_text("nonsense\n")
    with pytest.raises(ReleaseError, match="not a release id"):
        store.current()
    store.promote(made.id)
    assert store.current() == made.id


@pytest.mark.parametrize(
    ("parameters", "weights", "threshold", "message"),
    [
        ({"risk": {"max_drawdown": 1.0}}, {}, 0.5, "cannot set section 'risk'"),
        ({"hft": {"x": math.nan}}, {}, 0.5, "NaN"),
        ({"hft": {"x": "fast"}}, {}, 0.5, "hft.x is 'fast'"),
        ({"hft": {"no_such_setting": 1.0}}, {}, 0.5, "no_such_setting"),
        ({}, {"momentum": 1.0}, 0.5, "unknown engine 'momentum'"),
        ({}, {"hedge": 1.0}, 0.5, "unknown engine 'hedge'; known: hft, structure, order_flow"),
        ({}, {"hft": 1.5}, 0.5, "weight of hft is 1.5"),
        ({}, {"hft": -0.1}, 0.5, "weight of hft is -0.1"),
        ({}, {}, 1.5, "threshold is 1.5"),
    ],
)
def test_a_release_that_no_flow_could_use_is_refused_at_creation(
    store: ReleaseStore, parameters: dict, weights: dict, threshold: float, message: str
) -> None:
    with pytest.raises(ReleaseError, match=message):
        store.create(parameters, weights, None, threshold, {})
    assert store.list() == ()


def test_provenance_cannot_replace_what_the_store_writes(store: ReleaseStore) -> None:
    with pytest.raises(ReleaseError, match="cannot set files, threshold"):
        store.create({}, {}, None, 0.5, {"threshold": 0.1, "files": {}})


def test_bytes_that_are_no_model_are_refused(store: ReleaseStore) -> None:
    with pytest.raises(ReleaseError, match=r"model\.json: not a complete XGBoost model"):
        store.create({}, {}, b'{"learner": 3}', 0.5, {})
    assert store.list() == ()


def test_the_pointer_always_names_a_whole_release_while_promotions_race(store: ReleaseStore) -> None:
    ids = [make(store, hft=w).id for w in (0.1, 0.2)]
    store.promote(ids[0])
    stop, problems, seen = threading.Event(), [], set()

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.add(ReleaseStore(store.folder).load(store.current() or "").id)
            except ReleaseError as error:
                problems.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for n in range(40):
        store.promote(ids[(n + 1) % 2])
    stop.set()
    watcher.join()
    assert not problems
    assert seen <= set(ids)
    assert len(store.history()) == 41


def test_the_manifest_names_every_file_with_its_hash(store: ReleaseStore) -> None:
    made = make(store)
    manifest = json.loads((store.folder / made.id / "manifest.json").read_bytes())
    assert set(manifest["files"]) == {"parameters.json", "weights.json"}
    for name, entry in manifest["files"].items():
        assert entry["bytes"] == (store.folder / made.id / name).stat().st_size
