"""The target model on its way into a release: trained on the warehouse, judged against a constant and the champion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chimera_platform.errors import DataError
from chimera_platform.journal.storage import make_folder, write_atomically
from chimera_platform.learning.dataset import split_rows
from chimera_platform.learning.gates import GateResult, GateSettings, all_passed, target_gates
from chimera_platform.learning.target_model import (
    TargetModelSettings,
    evaluate_target,
    target_examples_of,
    train_target_model,
)
from chimera_platform.releases import Release, ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines.training_folder import champion_release, learning_folder, leave, load_labelled, take
from warehouse.connection import connect
from warehouse.snapshots import current_snapshot

SUMMARY, MODEL = "target.json", "target.model.json"


def train_target(
    workdir: WorkDir, seed: int = 7, settings: TargetModelSettings | None = None, gates: GateSettings | None = None
) -> dict[str, Any]:
    """Train a target model on the warehouse, judge it on its newest day, and leave both for the candidate.

    Returns
    -------
    JSON values: ``snapshot``, ``examples``, ``report``, ``evaluation``, ``gates``, ``accepted``. Too little data is a
    normal outcome: ``accepted`` is false with the ``refusal``.
    """
    settings = (settings or TargetModelSettings.model_validate({})).model_copy(update={"seed": seed})
    gates = gates or GateSettings.model_validate({})
    connection = connect(workdir)
    try:
        snapshot = current_snapshot(connection)
        intents, labels, _ = load_labelled(connection, snapshot)
    finally:
        connection.close()
    examples = target_examples_of(intents, labels)
    train, validation, test = (examples[rows] for rows in split_rows(examples.ts, examples.horizon_end))
    summary: dict[str, Any] = {
        "snapshot": snapshot,
        "seed": seed,
        "examples": {"train": len(train), "validation": len(validation), "test": len(test)},
    }
    folder = learning_folder(workdir)
    make_folder(folder)
    results: list[GateResult]
    try:
        model = train_target_model(train, validation, settings)
    except DataError as error:
        results = target_gates({}, 0, None, 0, gates)
        summary |= {"refusal": str(error)}
    else:
        champion = champion_release(ReleaseStore(workdir.releases))
        in_force = None if champion is None else champion.target_trees
        evaluation = evaluate_target(model, in_force, test, settings, gates.evidence_min, seed=seed)
        results = target_gates(evaluation, len(train), model.trees, len(model.model_json), gates)
        write_atomically(folder / MODEL, model.model_json)
        summary |= {"report": model.report, "evaluation": evaluation}
    summary |= {"accepted": all_passed(results), "gates": [result.to_json() for result in results]}
    leave(folder / SUMMARY, summary)
    return summary


def chosen_target(folder: Path, store: ReleaseStore, champion: Release | None) -> tuple[bytes | None, dict[str, Any]]:
    """Return the target model of the next release and where it comes from: the accepted one, or the champion's.

    Returns
    -------
    The model's JSON, None where there is none; and JSON values: ``source`` (challenger, champion or none), ``is_new``,
    and what :func:`train_target` left, where it has run.
    """
    trained = take(folder / SUMMARY) if (folder / SUMMARY).exists() else {"accepted": False, "gates": []}
    kept = None if champion is None or champion.target_trees is None else store.target_json(champion.id)
    if trained["accepted"]:
        model = (folder / MODEL).read_bytes()
        return model, {"source": "challenger", "is_new": model != kept, **trained}
    return kept, {"source": "none" if kept is None else "champion", "is_new": False, **trained}
