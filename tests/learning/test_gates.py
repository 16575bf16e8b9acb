"""The gates let a model through that earns more on unseen days, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from chimera_platform.learning.dataset import Examples, split
from chimera_platform.learning.gates import Gate, GateResult, GateSettings, all_passed, longest_path, model_gates
from chimera_platform.learning.signal_model import SignalModel, train_signal_model
from chimera_platform.learning.validation import (
    Policy,
    area_under_curve,
    block_length,
    bootstrap_rows,
    calibration_error,
    calibration_table,
    evaluate,
    log_loss,
    share_above_zero,
)
from tests.learning.planted import planted_examples, with_shuffled_outcomes

TAKE_ALL = Policy(None, 0.0)


def judge(
    examples: Examples, champion: Policy = TAKE_ALL, settings: GateSettings | None = None
) -> tuple[SignalModel, dict[Gate, GateResult]]:
    parts = split(examples)
    model = train_signal_model(parts.train, parts.validation)
    evaluation = evaluate(Policy(model.trees, model.threshold), champion, parts.test)
    results = model_gates(evaluation, len(parts.train), model.trees, len(model.model_json), settings)
    return model, {r.gate: r for r in results}


def test_a_model_of_a_planted_signal_passes_every_gate() -> None:
    _, results = judge(planted_examples())
    assert all_passed(list(results.values())), [r.reason for r in results.values() if not r.passed]


@pytest.mark.parametrize("seed", range(6))
def test_a_model_of_shuffled_outcomes_is_refused_with_reasons(seed: int) -> None:
    _, results = judge(with_shuffled_outcomes(planted_examples(), seed))
    failed = [r for r in results.values() if not r.passed]
    assert {Gate.SELECTIVE, Gate.DISCRIMINATES} & {r.gate for r in failed}
    assert all(r.reason for r in failed)


def test_dropping_trades_of_a_losing_market_at_random_is_no_skill() -> None:
    """Where every intent loses on average, taking fewer of them gains on the champion: that alone must not pass."""
    losing = with_shuffled_outcomes(planted_examples(strength=0.5))
    parts = split(losing)
    model = train_signal_model(parts.train, parts.validation)
    noise = Policy(model.trees, float(np.quantile(model.trees.predict(parts.test.inputs), 0.8)))
    evaluation = evaluate(noise, TAKE_ALL, parts.test)
    assert parts.test.net_bps.mean() < 0
    assert evaluation["gain_over_champion"] > 0.9
    assert evaluation["selection"] < 0.9


def test_the_same_model_again_is_not_better_than_itself() -> None:
    model, _ = judge(planted_examples())
    _, results = judge(planted_examples(), Policy(model.trees, model.threshold))
    assert not results[Gate.BETTER_THAN_CHAMPION].passed


def test_a_worse_challenger_does_not_displace_a_good_champion() -> None:
    good, _ = judge(planted_examples())
    parts = split(planted_examples(seed=9))
    weak = train_signal_model(with_shuffled_outcomes(parts.train), parts.validation)
    evaluation = evaluate(
        Policy(weak.trees, weak.threshold), Policy(good.trees, good.threshold), split(planted_examples(seed=5)).test
    )
    assert evaluation["gain_over_champion"] < 0.5


def test_too_few_examples_are_refused() -> None:
    _, results = judge(planted_examples(days=2, per_day=120))
    assert not results[Gate.ENOUGH_EXAMPLES].passed
    assert "0.4" in results[Gate.ENOUGH_EXAMPLES].reason


def test_a_model_that_is_sure_of_what_it_does_not_know_is_refused() -> None:
    parts = split(planted_examples())
    model = train_signal_model(parts.train, parts.validation)
    rare = parts.test
    rare = Examples(
        rare.inputs,
        rare.won * (np.arange(len(rare)) % 3 == 0),
        *(getattr(rare, f) for f in ("net_bps", "ts", "horizon_end", "engine")),
    )
    evaluation = evaluate(Policy(model.trees, model.threshold), TAKE_ALL, rare)
    results = {r.gate: r for r in model_gates(evaluation, 5_000, model.trees, 1)}
    assert not results[Gate.CALIBRATED].passed


def test_a_model_over_the_budget_is_refused() -> None:
    model, results = judge(planted_examples(), settings=GateSettings(comparisons_max=5))
    assert not results[Gate.WITHIN_BUDGET].passed
    assert longest_path(model.trees) <= 3 * len(model.trees.roots)


def test_a_gate_without_a_figure_fails_and_its_value_is_null() -> None:
    results = model_gates({"examples": 0}, 0, judge(planted_examples(days=2))[0].trees, 1)
    failed = {r.gate: r.to_json() for r in results if not r.passed}
    assert failed[Gate.BETTER_THAN_CHAMPION]["value"] is None
    assert Gate.WITHIN_BUDGET not in failed


def test_the_area_under_the_curve_and_the_log_loss_equal_scikit_learns() -> None:
    random = np.random.default_rng(4)
    won = (random.random(500) < 0.3).astype(float)
    scores = np.round(random.random(500), 2)  # with ties
    assert area_under_curve(won, scores) == pytest.approx(roc_auc_score(won, scores), abs=1e-12)
    inner = np.clip(scores, 0.01, 0.99)
    assert log_loss(won, inner) == pytest.approx(sklearn_log_loss(won, inner), abs=1e-12)


def test_a_calibrated_score_has_a_small_calibration_error_and_a_skewed_one_a_large() -> None:
    random = np.random.default_rng(4)
    chance = random.random(20_000)
    won = (random.random(20_000) < chance).astype(float)
    assert calibration_error(calibration_table(won, chance)) < 0.02
    assert calibration_error(calibration_table(won, np.clip(chance + 0.2, 0, 1))) > 0.1


def test_the_bootstrap_is_wider_for_dependent_samples() -> None:
    random = np.random.default_rng(4)
    persistent = np.repeat(random.normal(size=40), 25)
    single = persistent[bootstrap_rows(1_000, 1, 500, 1)].mean(axis=1).std()
    block = persistent[bootstrap_rows(1_000, 50, 500, 1)].mean(axis=1).std()
    assert block > 2 * single


def test_the_evidence_of_a_clear_gain_is_one_and_of_a_loss_zero() -> None:
    rows = bootstrap_rows(100, 5, 200, 1)
    assert share_above_zero(np.ones(100), rows) == 1.0
    assert share_above_zero(-np.ones(100), rows) == 0.0


def test_the_block_is_as_long_as_labels_overlap() -> None:
    examples = planted_examples(days=1, per_day=800)
    longer = Examples(
        examples.inputs,
        examples.won,
        examples.net_bps,
        examples.ts,
        examples.ts + 3_600_000_000_000,
        examples.engine,
    )
    assert block_length(examples) == 9
    assert block_length(longer) > 50
