"""What models said live against what they say of the journaled intents: a difference is skew between the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.errors import ReleaseError
from chimera_platform.execution.records import Engine
from chimera_platform.learning.model_inputs import model_input_rows
from chimera_platform.learning.target_model import predicted_moves
from chimera_platform.releases import Release, ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines.rows import Array, read_rows
from warehouse.connection import connect

_RELEASES = """
SELECT DISTINCT r.run_id, r.release_no, CAST(r.release_id AS VARCHAR)
FROM staging.releases AS r JOIN staging.intents AS n ON n.run_id = r.run_id AND n.release_no = r.release_no
WHERE CAST(r.release_id AS VARCHAR) <> ''{days}
ORDER BY ALL"""
_HEDGE = int(Engine.HEDGE)
_WITHIN = " AND n.day IN (SELECT unnest(?::DATE[]))"


@dataclass(frozen=True)
class PredictionErrors:
    """Counts over the intents that were written under a release; ``without_release``: it is no longer usable."""

    intents: int
    scores_differ: int
    moves_differ: int
    first_difference: str
    without_release: int


def prediction_errors(workdir: WorkDir, days: Sequence[str] | None = None) -> PredictionErrors:
    """Score the engines' intents of the given UTC days (None: all) again and count those that were scored otherwise."""
    store, given = ReleaseStore(workdir.releases), [] if days is None else [list(days)]
    intents = scores = moves = without = 0
    first = ""
    connection = connect(workdir)
    try:
        query = _RELEASES.format(days="" if days is None else _WITHIN)
        for run_id, release_no, release_id in connection.execute(query, given).fetchall():
            within = "" if days is None else " AND day IN (SELECT unnest(?::DATE[]))"
            where = f"run_id = ? AND release_no = ? AND engine <> {_HEDGE}{within}"
            rows = read_rows(connection, "intents", where, [run_id, release_no, *given])
            try:
                release = store.load(release_id)
            except ReleaseError:
                without += len(rows)
                continue
            unlike_score, unlike_move = _unlike(release, rows)
            found = np.flatnonzero(unlike_score | unlike_move)
            if len(found) and not first:
                first = f"run {run_id}, intent {rows['intent_no'][found[0]]}"
            intents += len(rows)
            scores += int(unlike_score.sum())
            moves += int(unlike_move.sum())
    finally:
        connection.close()
    return PredictionErrors(intents, scores, moves, first, without)


def _unlike(release: Release, rows: Array) -> tuple[Array, Array]:
    """Return for each intent whether score and predicted move are others than the release's models give.

    A run that was started without models has neither.
    """
    none = np.full(len(rows), np.nan)
    is_plain = bool(np.isnan(rows["model_score"]).all() and np.isnan(rows["predicted_move"]).all())
    trees, target_trees = (None, None) if is_plain else (release.trees, release.target_trees)
    score = none if trees is None else trees.predict(model_input_rows(rows))
    move = none if target_trees is None else predicted_moves(target_trees, rows)
    return _differ(rows["model_score"], score), _differ(rows["predicted_move"], move)


def _differ(recorded: Array, again: Array) -> np.ndarray[Any, Any]:
    return np.asarray((recorded != again) & ~(np.isnan(recorded) & np.isnan(again)))
