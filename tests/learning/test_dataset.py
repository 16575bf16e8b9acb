"""Examples are what was recorded, and no period of a split knows the next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import DataError
from chimera_platform.execution.records import INTENT_DTYPE, Engine
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.learning.dataset import Examples, empty_examples, examples_of, joined, split
from chimera_platform.learning.labels import LABEL_DTYPE, LabelOutcome
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, ModelInput, model_input_rows
from chimera_platform.microstructure.feature_names import FEATURE_COUNT, Feature
from chimera_platform.regimes.names import Regime
from tests.learning.planted import planted_examples


def recorded(n: int) -> np.ndarray:
    intents = np.zeros(n, INTENT_DTYPE)
    intents["intent_no"] = np.arange(n)
    intents["ts_event"] = np.arange(n)[::-1]
    intents["features"] = np.random.default_rng(0).normal(size=(n, FEATURE_COUNT))
    intents["side"] = np.where(np.arange(n) % 2, -1, 1)
    intents["engine"] = np.arange(n) % 2
    intents["reason"] = 1 + np.arange(n) % 9
    intents["confidence"] = 0.25
    return intents


def test_model_inputs_are_the_recorded_features_in_the_direction_of_the_trade() -> None:
    intents = recorded(2)
    rows = model_input_rows(intents)
    features = intents["features"]
    for n, side in ((0, 1), (1, -1)):
        assert rows[n, ModelInput.QUEUE_IMBALANCE] == side * features[n, Feature.QUEUE_IMBALANCE]
        assert rows[n, ModelInput.MID_RETURN_10S] == side * features[n, Feature.MID_RETURN_10S]
        assert rows[n, ModelInput.SPREAD_Z] == features[n, Feature.SPREAD_Z]
        assert rows[n, ModelInput.SPREAD_TO_MID] == features[n, Feature.SPREAD] / features[n, Feature.MID]
    assert rows[:, ModelInput.ENGINE].tolist() == [Engine.HFT, Engine.STRUCTURE]
    assert rows[:, ModelInput.REASON].tolist() == [1, 2]
    assert rows[:, ModelInput.CONFIDENCE].tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("regime", "buy", "sell"),
    [
        (-1, np.nan, np.nan), (Regime.QUIET_RANGE, 0, 0), (Regime.ACTIVE_RANGE, 1, 1), (Regime.TREND_UP, 2, 3),
        (Regime.TREND_DOWN, 3, 2), (Regime.BREAKOUT, 4, 4), (Regime.STRESSED, 5, 5),
    ],
)  # fmt: skip
def test_a_trend_is_with_or_against_the_trade(regime: int, buy: float, sell: float) -> None:
    intents = recorded(2)
    intents["regime"] = regime
    np.testing.assert_array_equal(model_input_rows(intents)[:, ModelInput.REGIME], [buy, sell])


def test_every_input_has_a_feature_or_a_field_of_the_intent() -> None:
    intents = recorded(1)
    assert not np.isnan(model_input_rows(intents)).any()


def test_a_buy_and_the_mirrored_sell_are_the_same_example() -> None:
    buy = recorded(1)
    sell = buy.copy()
    sell["side"] = -1
    unsigned = (Feature.MID, Feature.SPREAD, Feature.MICROPRICE, Feature.REALISED_VOL_60S, Feature.SPREAD_Z)
    for feature in Feature:
        if feature not in unsigned:
            sell["features"][:, feature] *= -1.0
    buy["regime"], sell["regime"] = Regime.TREND_UP, Regime.TREND_DOWN
    assert np.array_equal(model_input_rows(buy), model_input_rows(sell))


def test_undefined_features_stay_undefined() -> None:
    intents = recorded(1)
    intents["features"] = np.nan
    known = (ModelInput.ENGINE, ModelInput.REASON, ModelInput.CONFIDENCE, ModelInput.REGIME)
    assert np.isnan(np.delete(model_input_rows(intents)[0], known)).all()


def test_only_labelled_intents_become_examples_and_they_stand_in_time_order() -> None:
    intents, labels = recorded(4), np.zeros(4, LABEL_DTYPE)
    labels["intent_no"] = np.arange(4)
    labels["outcome"] = [
        LabelOutcome.TARGET,
        LabelOutcome.HORIZON_PASSES_END,
        LabelOutcome.TIME,
        LabelOutcome.NOT_TRADABLE,
    ]
    labels["won"] = [1, 0, 0, 0]
    examples = examples_of(intents, labels)
    assert examples.ts.tolist() == [1, 3]
    assert examples.won.tolist() == [0.0, 1.0]


def test_labels_of_other_intents_are_refused() -> None:
    with pytest.raises(DataError, match="intent_no differ"):
        examples_of(recorded(2), np.zeros(2, LABEL_DTYPE))


def test_the_test_period_is_the_last_day() -> None:
    parts = split(planted_examples(days=3, per_day=100))
    assert parts.test.days == ["2013-10-24"]
    assert set(parts.train.days) | set(parts.validation.days) == {"2013-10-22", "2013-10-23"}


def test_nothing_splits_into_nothing() -> None:
    parts = split(empty_examples())
    assert len(parts.train) == len(parts.validation) == len(parts.test) == 0
    assert len(joined([])) == 0


@given(
    st.lists(st.tuples(st.integers(0, 3 * NS_PER_DAY), st.integers(0, NS_PER_DAY // 4)), min_size=4, max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_no_label_of_a_period_looks_into_the_next(rows: list[tuple[int, int]]) -> None:
    """For any intents: horizon of train < start of validation, horizon of validation < start of test."""
    rows.sort()
    ts = np.array([r[0] for r in rows])
    n = len(rows)
    examples = Examples(
        np.zeros((n, MODEL_INPUT_COUNT)),
        np.zeros(n),
        np.zeros(n),
        ts,
        ts + np.array([r[1] for r in rows]),
        np.zeros(n, np.int64),
    )
    parts = split(examples)
    for earlier, later in ((parts.train, parts.validation), (parts.validation, parts.test), (parts.train, parts.test)):
        if len(earlier) and len(later):
            assert earlier.horizon_end.max() < later.ts.min()
