"""From the warehouse to a release: what is there is learned and promoted, what is not is refused with reasons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chimera_platform.errors import DataError
from chimera_platform.learning.gates import Gate, GateSettings
from chimera_platform.releases import ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines.training import (
    build_candidate,
    load_examples,
    promote_candidate,
    train_challenger,
    weigh_engines,
)
from warehouse.connection import connect
from warehouse.snapshots import current_snapshot

Alter = Callable[[WorkDir, str], None]

_PLANT = """
UPDATE learning.labelled_intents AS l SET won = p.won, net_bps = CASE WHEN p.won = 1 THEN 1.0 ELSE -1.0 END
FROM (
    SELECT run_id, intent_no, ({rule})::INTEGER AS won FROM staging.intents
) AS p
WHERE l.run_id = p.run_id AND l.intent_no = p.intent_no AND l.outcome <= 3"""
PLANTED = _PLANT.format(rule="spread_z + 0.5 * (hash(intent_no) % 1000) / 1000.0 < 0.3")
"""Narrow spreads win, with some noise."""
SHUFFLED = _PLANT.format(rule="hash(intent_no * 7919 + 13) % 100 < 45")
"""Nothing that is known at the decision has a say."""


def release(workdir: WorkDir) -> tuple[dict[str, Any], dict[str, Any]]:
    challenger = train_challenger(workdir)
    weigh_engines(workdir)
    build_candidate(workdir)
    return challenger, promote_candidate(workdir)


def test_a_planted_relation_is_learned_passes_the_gates_and_is_promoted(copy: WorkDir, alter: Alter) -> None:
    alter(copy, PLANTED)
    challenger, promotion = release(copy)
    store = ReleaseStore(copy.releases)
    assert challenger["accepted"], challenger["gates"]
    assert promotion["promoted"]
    assert promotion["release_id"] == store.current() == promotion["current"]
    assert [entry.reason for entry in store.history()] == [promotion["reason"]]
    loaded = store.load(promotion["release_id"])
    assert loaded.trees is not None
    assert loaded.threshold == challenger["threshold"]


def test_shuffled_outcomes_are_refused_with_reasons_and_nothing_is_put_in_force(copy: WorkDir, alter: Alter) -> None:
    alter(copy, SHUFFLED)
    challenger, promotion = release(copy)
    assert not challenger["accepted"]
    assert promotion["model"] == "none"
    assert "model" not in promotion["changes"]
    assert {g["gate"] for g in promotion["gates"] if not g["passed"]} & {Gate.SELECTIVE, Gate.DISCRIMINATES}
    if promotion["promoted"]:  # engine weights may have moved on their own account
        assert ReleaseStore(copy.releases).load(promotion["release_id"]).trees is None
    else:
        assert promotion["reason"]


def test_a_refused_challenger_leaves_the_champion_in_force(copy: WorkDir, alter: Alter) -> None:
    alter(copy, PLANTED)
    _, first = release(copy)
    alter(copy, SHUFFLED)
    challenger, second = release(copy)
    store = ReleaseStore(copy.releases)
    assert not challenger["accepted"]
    assert not second["promoted"]
    assert store.current() == first["release_id"]


def test_training_again_on_the_same_data_changes_nothing(copy: WorkDir, alter: Alter) -> None:
    alter(copy, PLANTED)
    _, first = release(copy)
    _, second = release(copy)
    failed = {g["gate"] for g in second["gates"] if not g["passed"]}
    assert failed == {Gate.BETTER_THAN_CHAMPION, Gate.CHANGES_SOMETHING}
    assert ReleaseStore(copy.releases).list() == (first["release_id"],)


def test_a_release_names_the_snapshot_days_runs_and_gates_that_it_comes_from(copy: WorkDir, alter: Alter) -> None:
    alter(copy, PLANTED)
    challenger, promotion = release(copy)
    manifest = ReleaseStore(copy.releases).load(promotion["release_id"]).manifest
    assert manifest["warehouse_snapshot"] == challenger["snapshot"]
    assert manifest["trained_days"] == challenger["days"]
    assert manifest["run_ids"] == ["run"]
    assert [g["gate"] for g in manifest["gates"]] == [g["gate"] for g in promotion["gates"]]
    assert manifest["validation"]["evaluation"]["auc"] > 0.6


def test_what_a_model_saw_can_be_read_again_at_its_snapshot(copy: WorkDir, alter: Alter) -> None:
    alter(copy, PLANTED)
    connection = connect(copy)
    snapshot = current_snapshot(connection)
    before, _ = load_examples(connection, snapshot)
    connection.close()
    alter(copy, SHUFFLED)
    connection = connect(copy)
    again, _ = load_examples(connection, snapshot)
    now, _ = load_examples(connection, current_snapshot(connection))
    connection.close()
    assert np.array_equal(before.won, again.won)
    assert not np.array_equal(before.won, now.won)


def test_rolling_back_brings_the_former_release_back(copy: WorkDir, alter: Alter) -> None:
    store = ReleaseStore(copy.releases)
    former = store.create({}, {"hft": 0.9}, None, 0.0, {"note": "by hand"})
    store.promote(former.id)
    alter(copy, PLANTED)
    _, promotion = release(copy)
    assert promotion["promoted"]
    assert store.rollback("worse live") == former.id


def test_a_quarantined_day_is_not_trained_on_and_the_newest_one_stops_the_release(
    copy: WorkDir, alter: Alter, trading_days: list[str]
) -> None:
    alter(copy, PLANTED)
    quarantined = "UPDATE learning.data_quality SET quarantined = true, reasons = 'planted' WHERE day = DATE '{}'"
    alter(copy, quarantined.format(trading_days[0]))
    challenger, promotion = release(copy)
    assert challenger["days"] == trading_days[1:]
    assert promotion["promoted"]
    alter(copy, quarantined.format(trading_days[-1]))
    challenger, promotion = release(copy)
    assert challenger["days"] == trading_days[1:-1]
    assert not promotion["promoted"]
    assert challenger["quarantined"] == [f"{trading_days[-1]}, run run: planted"]


def test_the_same_intent_seen_by_two_runs_is_one_example(copy: WorkDir, alter: Alter) -> None:
    def count() -> int:
        connection = connect(copy)
        try:
            return len(load_examples(connection, current_snapshot(connection))[0])
        finally:
            connection.close()

    before = count()
    for table in (
        "staging.intents",
        "staging.instruments",
        "staging.runs",
        "learning.labelled_intents",
        "learning.data_quality",
    ):
        alter(copy, f"INSERT INTO {table} SELECT * REPLACE ('again' AS run_id) FROM {table}")
    assert count() == before


def test_skewed_intents_are_not_trained_on(copy: WorkDir, alter: Alter) -> None:
    alter(copy, "UPDATE learning.labelled_intents SET features_equal = false")
    challenger, _ = release(copy)
    assert "0 labelled intents" in challenger["refusal"]
    assert not challenger["accepted"]


def test_weights_need_enough_trades(copy: WorkDir, alter: Alter) -> None:
    alter(copy, SHUFFLED)
    train_challenger(copy)
    weigh_engines(copy)
    candidate = build_candidate(copy, GateSettings(trades_min=1_000_000))
    assert candidate["changes"] == []
    assert candidate["release_id"] is None


def test_an_engine_that_loses_gets_less_capital(copy: WorkDir, alter: Alter) -> None:
    alter(copy, SHUFFLED)
    alter(copy, "UPDATE staging.fills SET fee_nanos = fee_nanos + 100000000000 WHERE engine = 0")
    _, promotion = release(copy)
    assert promotion["promoted"]
    assert promotion["changes"] == ["weights"]
    assert "new weights; the challenger model was refused: " in promotion["reason"]
    loaded = ReleaseStore(copy.releases).load(promotion["release_id"])
    assert loaded.weights["hft"] < 0.5
    assert loaded.trees is None


def test_a_step_whose_predecessor_has_not_run_says_so(copy: WorkDir) -> None:
    with pytest.raises(DataError, match=r"challenger\.json is missing.*chimera train"):
        build_candidate(copy)
