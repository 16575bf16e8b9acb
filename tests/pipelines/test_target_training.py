"""From the warehouse to a release's target model: what is there is learned and shipped, what is not is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from chimera_platform.learning.gates import Gate, GateSettings
from chimera_platform.learning.target_model import TargetModelSettings, predicted_moves
from chimera_platform.releases import ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines.defs.learning.assets import target_model
from pipelines.defs.resources import WorkDirResource
from pipelines.prediction_check import prediction_errors
from pipelines.rows import read_rows
from pipelines.target_training import train_target
from pipelines.training import build_candidate, promote_candidate, train_challenger, weigh_engines
from warehouse.connection import connect

Alter = Callable[[WorkDir, str], None]

_PLANT = """
UPDATE learning.labelled_intents AS l SET best_move = p.move
FROM (SELECT run_id, intent_no, CAST({rule} AS BIGINT) AS move FROM staging.intents) AS p
WHERE l.run_id = p.run_id AND l.intent_no = p.intent_no AND l.outcome <= 3"""
PLANTED = _PLANT.format(
    rule="stop_distance * (CASE WHEN spread_z < 0.3 THEN 3.0 ELSE 0.5 END) * (0.5 + (hash(intent_no) % 1000) / 1000.0)"
)
"""Narrow spreads go far, with some noise."""
SHUFFLED = _PLANT.format(rule="stop_distance * (hash(intent_no * 7919 + 13) % 1000) / 250.0")
"""Nothing that is known at the decision has a say."""


def release(workdir: WorkDir) -> tuple[dict[str, Any], dict[str, Any]]:
    trained = train_target(workdir)
    train_challenger(workdir)
    weigh_engines(workdir)
    build_candidate(workdir)
    return trained, promote_candidate(workdir)


def test_a_planted_relation_is_learned_passes_the_gates_and_is_in_the_release(copy: WorkDir, alter: Alter) -> None:
    alter(copy, PLANTED)
    trained, promotion = release(copy)
    assert trained["accepted"], trained["gates"]
    assert promotion["promoted"] and "target model" in promotion["changes"]
    assert promotion["target_model"] == "challenger"
    loaded = ReleaseStore(copy.releases).load(promotion["release_id"])
    assert loaded.target_trees is not None
    assert loaded.manifest["target"]["evaluation"] == trained["evaluation"]


def test_shuffled_moves_are_refused_with_reasons_and_no_release_has_a_target_model(copy: WorkDir, alter: Alter) -> None:
    alter(copy, SHUFFLED)
    trained, promotion = release(copy)
    assert not trained["accepted"]
    assert Gate.PREDICTS_MOVES in {g["gate"] for g in promotion["target_gates"] if not g["passed"]}
    assert promotion["target_model"] == "none" and "target model" not in promotion["changes"]
    if promotion["promoted"]:
        assert ReleaseStore(copy.releases).load(promotion["release_id"]).target_trees is None


def test_a_refused_target_model_leaves_the_champions_in_force_and_so_does_training_again(
    copy: WorkDir, alter: Alter
) -> None:
    store = ReleaseStore(copy.releases)
    alter(copy, PLANTED)
    _, first = release(copy)
    before = store.target_json(first["release_id"])
    again, second = release(copy)
    assert [g["gate"] for g in again["gates"] if not g["passed"]] == [Gate.BETTER_TARGET]
    assert second["target_model"] == "champion" and "target model" not in second["changes"]
    alter(copy, SHUFFLED)
    alter(copy, "UPDATE staging.fills SET fee_nanos = fee_nanos + 100000000000 WHERE engine = 0")  # another change
    _, third = release(copy)
    assert third["promoted"] and third["release_id"] != first["release_id"]
    assert store.target_json(third["release_id"]) == before


def test_intents_labelled_before_moves_were_known_are_not_learned_from(copy: WorkDir, alter: Alter) -> None:
    alter(copy, "UPDATE learning.labelled_intents SET best_move = -1")
    trained, promotion = release(copy)
    assert trained["examples"] == {"train": 0, "validation": 0, "test": 0}
    assert "0 intents whose best move is known" in trained["refusal"]
    assert promotion["target_model"] == "none"


def test_the_platforms_own_labels_hold_moves_of_every_labelled_intent(copy: WorkDir) -> None:
    trained = train_target(copy, settings=TargetModelSettings(quantile=0.7), gates=GateSettings(train_examples_min=1))
    connection = connect(copy)
    row = connection.execute(
        "SELECT count(*) FILTER (outcome <= 3 AND best_move < 0), count(*) FILTER (outcome > 3 AND best_move <> -1), "
        "count(*) FILTER (outcome <= 3), count(*) FILTER (outcome = 1 AND best_move < n.target_distance) "
        "FROM learning.labelled_intents AS l JOIN staging.intents AS n USING (run_id, intent_no)"
    ).fetchall()[0]
    connection.close()
    assert row[:2] == (0, 0) and row[3] == 0
    assert 0 < sum(trained["examples"].values()) <= row[2]
    assert trained["report"]["quantile"] == 0.7


def test_predictions_are_held_against_the_intents_rows(copy: WorkDir, alter: Alter, trading_days: list[str]) -> None:
    alter(copy, PLANTED)
    _, promotion = release(copy)
    loaded = ReleaseStore(copy.releases).load(promotion["release_id"])
    assert loaded.target_trees is not None
    assert prediction_errors(copy).intents == 0
    alter(copy, f"INSERT INTO staging.releases VALUES ('run', DATE '{trading_days[0]}', 1, 0, 0, '{loaded.id}', 0)")
    alter(copy, "UPDATE staging.intents SET release_no = 1")
    connection = connect(copy)
    rows = read_rows(connection, "intents", "true")
    connection.close()
    plain = prediction_errors(copy)
    assert (plain.intents, plain.moves_differ) == (len(rows), 0), "a run without models has no predictions"
    moves = predicted_moves(loaded.target_trees, rows)
    told = [(int(number), float(move)) for number, move in zip(rows["intent_no"][:40], moves[:40], strict=True)]
    alter(
        copy,
        "UPDATE staging.intents AS n SET predicted_move = p.move "
        f"FROM (VALUES {', '.join(f'({number}, {move!r}::DOUBLE)' for number, move in told)}) AS p(intent_no, move) "
        "WHERE n.intent_no = p.intent_no",
    )
    errors = prediction_errors(copy)
    assert errors.moves_differ == len(rows) - 40
    assert errors.first_difference == f"run run, intent {rows['intent_no'][40]}"
    assert prediction_errors(copy, trading_days[:1]).intents < errors.intents
    (copy.releases / loaded.id / "manifest.json").unlink()
    gone = prediction_errors(copy)
    assert (gone.intents, gone.moves_differ, gone.without_release) == (0, 0, len(rows))


def test_the_asset_shows_what_was_learned(copy: WorkDir, alter: Alter) -> None:
    alter(copy, PLANTED)
    result = target_model(WorkDirResource(path=str(copy.path)))
    assert isinstance(result, dg.MaterializeResult) and result.metadata is not None
    assert result.metadata["accepted"] is True
    assert "predicts_moves" in str(result.metadata["gates"])


@pytest.mark.parametrize("value", [0.04, 0.96])
def test_a_quantile_at_the_edge_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        TargetModelSettings(quantile=value)
