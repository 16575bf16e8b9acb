"""What does one score of the signal model cost inside the decision path, beside XGBoost's own?

A seeded model of the size that training makes; rows come one by one, as intents do. XGBoost is timed with
``inplace_predict`` on one row and on all rows at once, and both must agree. One thread each, by processor time.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Scale, timed
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, MODEL_INPUT_NAMES
from chimera_platform.learning.trees import Trees

TREES, DEPTH, ROWS, SEED = 200, 4, 20_000, 7
GOAL_US = 10.0
TOLERANCE = 1e-6  # of a probability; XGBoost computes the logistic function in float32


def measure(scale: Scale) -> Iterator[Figure]:
    booster, rows = _model()
    trees = Trees.from_xgboost_json(booster.save_raw("json"))
    difference = float(np.abs(trees.predict(rows) - booster.inplace_predict(rows)).max())
    if difference > TOLERANCE:
        raise AssertionError(f"scores differ from XGBoost's by {difference}; expected at most {TOLERANCE}")
    one = rows[:1]
    ours = timed(lambda: rows, trees.predict, scale.repeats)
    single = timed(lambda: one, lambda row: [booster.inplace_predict(row) for _ in range(1000)], scale.repeats)
    many = timed(lambda: rows, booster.inplace_predict, scale.repeats)
    figure = ours.cpu_ns_per(ROWS) / 1e3
    yield Figure(
        "model_score",
        figure,
        "µs/row",
        GOAL_US,
        {
            "trees": TREES,
            "depth": DEPTH,
            "inputs": MODEL_INPUT_COUNT,
            "rows": ROWS,
            "largest_difference": difference,
            "xgboost_one_row_us": single.cpu_ns_per(1000) / 1e3,
            "xgboost_batch_us_per_row": many.cpu_ns_per(ROWS) / 1e3,
            "times_faster_than_xgboost_one_row": single.cpu_ns_per(1000) / 1e3 / figure,
        },
    )


def _model() -> tuple[Any, np.ndarray[Any, Any]]:
    """Return a booster trained on seeded noise with some signal, and rows to score, some values missing."""
    import xgboost

    random = np.random.default_rng(SEED)
    rows = random.normal(size=(ROWS, MODEL_INPUT_COUNT))
    labels = (rows[:, :3].sum(axis=1) + random.normal(size=ROWS) > 0).astype(np.float64)
    rows[random.random(rows.shape) < 0.02] = np.nan
    data = xgboost.DMatrix(rows, label=labels, feature_names=list(MODEL_INPUT_NAMES))
    options = {"objective": "binary:logistic", "max_depth": DEPTH, "eta": 0.1, "seed": SEED, "nthread": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        booster = xgboost.train(options, data, num_boost_round=TREES)
    booster.set_param({"nthread": 1})
    booster.feature_names = None  # plain arrays are scored below
    return booster, rows
