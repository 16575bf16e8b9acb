"""From the warehouse to a release: examples at a snapshot, a challenger, its judgement, a candidate, a promotion."""

from __future__ import annotations

from typing import Any

import duckdb

from chimera_platform.errors import DataError
from chimera_platform.journal.storage import make_folder, write_atomically
from chimera_platform.learning.dataset import Examples, examples_of, split
from chimera_platform.learning.gates import Gate, GateResult, GateSettings, all_passed, at_least, at_most, model_gates
from chimera_platform.learning.signal_model import SignalModelSettings, train_signal_model
from chimera_platform.learning.validation import Policy, evaluate
from chimera_platform.release_microprice import tables_of
from chimera_platform.releases import ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines.attributing import weights_from_fills
from pipelines.fitting_microprices import differ
from pipelines.target_training import chosen_target
from pipelines.training_folder import champion_release, learning_folder, leave, load_labelled, take
from warehouse.connection import connect
from warehouse.snapshots import current_snapshot

WEIGHT_STEP = 0.01
"""A weight that moves by less is no change."""


def load_examples(connection: duckdb.DuckDBPyConnection, snapshot: int) -> tuple[Examples, list[str]]:
    """Return the labelled intents as they were at a snapshot of the warehouse, and the runs that they come from."""
    intents, labels, run_ids = load_labelled(connection, snapshot)
    return examples_of(intents, labels), run_ids


def newest_day_failures(connection: duckdb.DuckDBPyConnection, snapshot: int) -> tuple[int, list[str]]:
    """Return on how many runs the newest inspected day is quarantined, and why."""
    query = f"""
        FROM learning.data_quality AT (VERSION => {snapshot})
        SELECT CAST(day AS VARCHAR) || ', run ' || run_id || ': ' || reasons
        WHERE quarantined AND day = (SELECT max(day) FROM learning.data_quality AT (VERSION => {snapshot}))
        ORDER BY ALL"""
    reasons = [reason for (reason,) in connection.execute(query).fetchall()]
    return len(reasons), reasons


def train_challenger(
    workdir: WorkDir, seed: int = 7, settings: SignalModelSettings | None = None, gates: GateSettings | None = None
) -> dict[str, Any]:
    """Train a signal model on the warehouse and judge it against what is in force; leave both for the candidate.

    Returns
    -------
    JSON values: ``snapshot``, ``run_ids``, ``days``, ``examples``, ``threshold``, ``report``, ``evaluation``,
    ``gates``, ``accepted``. Too little data is a normal outcome: ``accepted`` is false with the reason.
    """
    settings = (settings or SignalModelSettings.model_validate({})).model_copy(update={"seed": seed})
    connection = connect(workdir)
    try:
        snapshot = current_snapshot(connection)
        examples, run_ids = load_examples(connection, snapshot)
        failures, failed = newest_day_failures(connection, snapshot)
    finally:
        connection.close()
    quality = at_most(Gate.DATA_QUALITY, failures, 0)
    parts = split(examples)
    summary: dict[str, Any] = {
        "snapshot": snapshot,
        "run_ids": run_ids,
        "days": examples.days,
        "examples": {name: len(getattr(parts, name)) for name in ("train", "validation", "test")},
        "test_days": parts.test.days,
        "quarantined": failed,
        "seed": seed,
    }
    folder = learning_folder(workdir)
    make_folder(folder)
    try:
        model = train_signal_model(parts.train, parts.validation, settings)
    except DataError as error:
        enough = GateResult(Gate.ENOUGH_EXAMPLES, False, 0.0, 1.0)
        summary |= {"accepted": False, "refusal": str(error), "gates": [quality.to_json(), enough.to_json()]}
    else:
        champion = champion_policy(ReleaseStore(workdir.releases))
        evaluation = evaluate(Policy(model.trees, model.threshold), champion, parts.test)
        results = [quality, *model_gates(evaluation, len(parts.train), model.trees, len(model.model_json), gates)]
        write_atomically(folder / "challenger.model.json", model.model_json)
        summary |= {
            "accepted": all_passed(results),
            "threshold": model.threshold,
            "report": model.report,
            "evaluation": evaluation,
            "gates": [result.to_json() for result in results],
        }
    leave(folder / "challenger.json", summary)
    return summary


def champion_policy(store: ReleaseStore) -> Policy:
    """Return what is in force as a policy; without a release, or without a model in it, every intent is taken."""
    release = champion_release(store)
    return Policy(None, 0.0) if release is None else Policy(release.trees, release.threshold)


def weigh_engines(workdir: WorkDir) -> dict[str, Any]:
    """Work out the engine weights from closed trades and leave them for the candidate."""
    result = weights_from_fills(workdir)
    make_folder(learning_folder(workdir))
    leave(learning_folder(workdir) / "weights.json", result)
    return result


def build_candidate(workdir: WorkDir, gates: GateSettings | None = None) -> dict[str, Any]:
    """Put together what has earned its place: accepted models and microprices or the champion's, and earned weights.

    Returns
    -------
    JSON values: ``release_id`` (None where nothing differs from what is in force), ``changes``, ``weights``,
    ``microprices`` (symbols), ``model`` and ``target_model`` (challenger, champion or none), ``gates`` (of all but the
    target model), ``target_gates`` and ``promotable``.
    """
    gates = gates or GateSettings.model_validate({})
    folder, store = learning_folder(workdir), ReleaseStore(workdir.releases)
    challenger, weighed = take(folder / "challenger.json"), take(folder / "weights.json")
    champion = champion_release(store)
    trades = at_least(Gate.ENOUGH_TRADES, sum(weighed["trades"].values()), gates.trades_min)
    in_force = {} if champion is None else champion.weights
    weights = weighed["weights"] if trades.passed else in_force
    moved = any(abs(weight - in_force.get(name, 1.0)) >= WEIGHT_STEP for name, weight in weights.items())
    weights = weights if moved else in_force
    model, threshold, source = None, 0.0, "none"
    if challenger["accepted"]:
        model, threshold = (folder / "challenger.model.json").read_bytes(), challenger["threshold"]
        source = "challenger"
    elif champion is not None and champion.trees is not None:
        model, threshold, source = store.model_json(champion.id), champion.threshold, "champion"
    fitted = take(folder / "microprice.json") if (folder / "microprice.json").exists() else {"accepted": {}}
    old_tables = {} if champion is None else champion.microprice
    new_tables = tables_of(fitted["accepted"], str(folder / "microprice.json"))
    refitted = differ(new_tables, old_tables)
    tables = {**old_tables, **new_tables} if refitted else old_tables
    target_json, target = chosen_target(folder, store, champion)
    parts = (
        ("model", challenger["accepted"]),
        ("weights", moved),
        ("microprice", refitted),
        ("target model", target["is_new"]),
    )
    changes = [name for name, there in parts if there]
    changed = at_least(Gate.CHANGES_SOMETHING, len(changes), 1)
    results = [*challenger["gates"], trades.to_json(), changed.to_json()]
    release_id = None
    if changes:
        provenance = {
            "warehouse_snapshot": challenger["snapshot"],
            "trained_days": challenger["days"],
            "run_ids": challenger["run_ids"],
            "champion": None if champion is None else champion.id,
            "model": source,
            "validation": challenger,
            "engine_weights": weighed,
            "microprices": fitted.get("trials", {}),
            "target": target,
            "gates": results,
        }
        parameters = {} if champion is None else champion.parameters
        release_id = store.create(parameters, weights, model, threshold, provenance, tables, target_json).id
    clean = all(result["passed"] for result in results if result["gate"] == Gate.DATA_QUALITY)
    candidate = {
        "release_id": release_id,
        "changes": changes,
        "model": source,
        "model_accepted": challenger["accepted"],
        "threshold": threshold if source != "none" else None,
        "weights": weights,
        "microprices": sorted(tables),
        "target_model": target["source"],
        "target_gates": target["gates"],
        "gates": results,
        "promotable": bool(changes) and clean,
    }
    leave(folder / "candidate.json", candidate)
    return candidate


def last_candidate(workdir: WorkDir) -> dict[str, Any]:
    """Return what :func:`build_candidate` left."""
    return take(learning_folder(workdir) / "candidate.json")


def last_promotion(workdir: WorkDir) -> dict[str, Any]:
    """Return what :func:`promote_candidate` left."""
    return take(learning_folder(workdir) / "promotion.json")


def promote_candidate(workdir: WorkDir) -> dict[str, Any]:
    """Promote the candidate if it is promotable; return it with ``promoted`` and the ``reason`` either way."""
    candidate = last_candidate(workdir)
    store = ReleaseStore(workdir.releases)
    if candidate["promotable"]:
        reason = f"new {' and '.join(candidate['changes'])}"
        if not candidate["model_accepted"]:
            model_gates_failed = [g["gate"] for g in candidate["gates"] if not g["passed"]]
            reason += f"; the challenger model was refused: {', '.join(model_gates_failed)}"
        store.promote(candidate["release_id"], reason)
    else:
        failed = [result["reason"] for result in candidate["gates"] if not result["passed"]]
        reason = "; ".join(failed)
    result = candidate | {"promoted": candidate["promotable"], "reason": reason, "current": store.current()}
    leave(learning_folder(workdir) / "promotion.json", result)
    return result
