"""From the warehouse to a release: examples at a snapshot, a challenger, its judgement, a candidate, a promotion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from chimera_platform.errors import DataError, ReleaseError
from chimera_platform.journal.schema import table_named
from chimera_platform.journal.storage import make_folder, write_atomically
from chimera_platform.learning.dataset import Examples, examples_of, split
from chimera_platform.learning.gates import Gate, GateResult, GateSettings, all_passed, at_least, at_most, model_gates
from chimera_platform.learning.labels import LABEL_DTYPE
from chimera_platform.learning.signal_model import SignalModelSettings, train_signal_model
from chimera_platform.learning.validation import Policy, evaluate
from chimera_platform.release_microprice import tables_of
from chimera_platform.releases import Release, ReleaseStore, canonical_json
from chimera_platform.workdir import WorkDir
from pipelines.attributing import weights_from_fills
from pipelines.fitting_microprices import differ
from warehouse.connection import connect
from warehouse.snapshots import current_snapshot

WEIGHT_STEP = 0.01
"""A weight that moves by less is no change."""

_EXAMPLES = """
WITH usable AS (
    SELECT n.*, l.* EXCLUDE (run_id, day, intent_no), i.symbol, r.created
    FROM learning.labelled_intents AS l {at}
    JOIN staging.intents AS n {at} ON n.run_id = l.run_id AND n.intent_no = l.intent_no
    JOIN staging.instruments AS i {at} ON i.run_id = n.run_id AND i.instrument_id = n.instrument_id
    JOIN staging.runs AS r {at} ON r.run_id = n.run_id
    JOIN learning.data_quality AS q {at} ON q.run_id = n.run_id AND q.day = n.day AND NOT q.quarantined
    WHERE l.features_equal
)
FROM usable
QUALIFY row_number() OVER (PARTITION BY symbol, ts_event, seq, engine, side ORDER BY created DESC, run_id) = 1
ORDER BY ts_event, run_id, intent_no
"""
"""Intents of days that passed inspection, whose features could be recomputed; one seen by several runs counts once."""


def learning_folder(workdir: WorkDir) -> Path:
    """Return the folder in which one step leaves what the next one takes up."""
    return workdir.path / "learning"


def load_examples(connection: duckdb.DuckDBPyConnection, snapshot: int) -> tuple[Examples, list[str]]:
    """Return the labelled intents as they were at a snapshot of the warehouse, and the runs that they come from."""
    rows = connection.execute(_EXAMPLES.format(at=f"AT (VERSION => {snapshot})")).to_arrow_table()
    intents = table_named("intents").from_arrow(rows)
    labels = np.zeros(rows.num_rows, LABEL_DTYPE)
    for name in LABEL_DTYPE.names or ():
        labels[name] = rows.column(name).to_numpy()
    return examples_of(intents, labels), sorted(set(rows.column("run_id").to_pylist()))


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
    _leave(folder / "challenger.json", summary)
    return summary


def champion_policy(store: ReleaseStore) -> Policy:
    """Return what is in force as a policy; without a release, or without a model in it, every intent is taken."""
    release = champion_release(store)
    return Policy(None, 0.0) if release is None else Policy(release.trees, release.threshold)


def champion_release(store: ReleaseStore) -> Release | None:
    """Return the release in force; None before the first one, and where the one in force is no longer usable."""
    current = store.current()
    if current is None:
        return None
    try:
        return store.load(current)
    except ReleaseError:
        return None


def weigh_engines(workdir: WorkDir) -> dict[str, Any]:
    """Work out the engine weights from closed trades and leave them for the candidate."""
    result = weights_from_fills(workdir)
    make_folder(learning_folder(workdir))
    _leave(learning_folder(workdir) / "weights.json", result)
    return result


def build_candidate(workdir: WorkDir, gates: GateSettings | None = None) -> dict[str, Any]:
    """Put together what has earned its place: accepted model and microprices or the champion's, and earned weights.

    Returns
    -------
    JSON values: ``release_id`` (None where nothing differs from what is in force), ``changes``, ``weights``,
    ``microprices`` (symbols), ``model`` (challenger, champion or none), ``gates`` (all of them) and ``promotable``.
    """
    gates = gates or GateSettings.model_validate({})
    folder, store = learning_folder(workdir), ReleaseStore(workdir.releases)
    challenger, weighed = _take(folder / "challenger.json"), _take(folder / "weights.json")
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
    fitted = _take(folder / "microprice.json") if (folder / "microprice.json").exists() else {"accepted": {}}
    old_tables = {} if champion is None else champion.microprice
    new_tables = tables_of(fitted["accepted"], str(folder / "microprice.json"))
    refitted = differ(new_tables, old_tables)
    tables = {**old_tables, **new_tables} if refitted else old_tables
    parts = (("model", challenger["accepted"]), ("weights", moved), ("microprice", refitted))
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
            "gates": results,
        }
        parameters = {} if champion is None else champion.parameters
        release_id = store.create(parameters, weights, model, threshold, provenance, tables).id
    clean = all(result["passed"] for result in results if result["gate"] == Gate.DATA_QUALITY)
    candidate = {
        "release_id": release_id,
        "changes": changes,
        "model": source,
        "model_accepted": challenger["accepted"],
        "threshold": threshold if source != "none" else None,
        "weights": weights,
        "microprices": sorted(tables),
        "gates": results,
        "promotable": bool(changes) and clean,
    }
    _leave(folder / "candidate.json", candidate)
    return candidate


def last_candidate(workdir: WorkDir) -> dict[str, Any]:
    """Return what :func:`build_candidate` left."""
    return _take(learning_folder(workdir) / "candidate.json")


def last_promotion(workdir: WorkDir) -> dict[str, Any]:
    """Return what :func:`promote_candidate` left."""
    return _take(learning_folder(workdir) / "promotion.json")


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
    _leave(learning_folder(workdir) / "promotion.json", result)
    return result


def _leave(path: Path, value: dict[str, Any]) -> None:
    write_atomically(path, canonical_json(value))


def _take(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the step before has not run; `chimera train` runs them all") from None
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); `chimera train` makes it anew") from error
    return value
