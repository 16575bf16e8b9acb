"""Value at risk of what is held: the warehouse's figures on the profits of the present positions, to 1e-12."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.risk.live_value_at_risk import (
    ValueAtRiskSettings,
    VarMethod,
    gate_value_at_risk,
    measure,
    new_return_ring,
    new_value_at_risk,
    note_returns,
    value_at_risk_record,
)
from chimera_platform.risk.value_at_risk import METHODS, filtered

SEED = 23
MINUTE, HOUR = 60_000_000_000, 3_600_000_000_000
FIGURES = [f"{figure}_{method}" for figure in ("var", "es") for method in METHODS]


class Live:
    """The state of one account's live estimate."""

    def __init__(self, instruments: int, horizon_ns: int = MINUTE, **changes: object) -> None:
        self.settings = ValueAtRiskSettings.model_validate({"window": 100, "min_samples": 20, **changes})
        self.var = new_value_at_risk()
        self.ring = new_return_ring(instruments, self.settings.window)
        self.profits, self.scratch = np.zeros(self.settings.window), np.zeros(self.settings.window)
        self.record = value_at_risk_record(self.settings, MINUTE, horizon_ns)

    def note(self, returns: np.ndarray) -> None:
        """Enter relative returns, which come as logarithms."""
        for row in np.log1p(returns):
            note_returns(self.var[0], self.ring, row)

    def measure(self, values: list[float] | np.ndarray, equity: float) -> dict[str, float]:
        held = np.asarray(values, float)
        measure(self.var[0], self.ring, self.profits, self.scratch, held, equity, self.record[0])
        return {name: float(self.var[0][name]) for name in FIGURES}

    @property
    def gate(self) -> float:
        return float(gate_value_at_risk(self.var[0], self.record[0]))


def expected(returns: np.ndarray, level: float, factor: float = 1.0) -> dict[str, float]:
    found = {}
    for name, method in METHODS.items():
        risk = method(returns, level)
        found |= {f"var_{name}": risk.value_at_risk * factor, f"es_{name}": risk.expected_shortfall * factor}
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(20, 330),
    st.sampled_from([0.9, 0.95, 0.99]),
    st.booleans(),
)
def test_the_figures_are_the_batch_figures_of_the_present_positions(
    seed: int, instruments: int, samples: int, level: float, is_fat: bool
) -> None:
    """measure == METHODS(past returns of what is held now), however often the ring has turned."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(3, (samples, instruments)) if is_fat else rng.normal(size=(samples, instruments))
    returns *= 1e-3
    values = np.where(rng.random(instruments) < 0.7, rng.normal(size=instruments) * 1e5, 0.0)
    values[0] = -2e5
    live = Live(instruments, var_confidence=level)
    live.note(returns)
    found = live.measure(values, 1e6)
    assert found == pytest.approx(expected(returns[-100:] @ values / 1e6, level), rel=1e-12, abs=1e-15)
    assert live.var[0]["samples"] == min(samples, 100)
    assert live.gate == max(0.0, *(found[f"var_{name}"] for name in METHODS))


def test_figures_over_the_horizon_grow_with_the_root_of_time() -> None:
    returns = np.random.default_rng(SEED).normal(0.0, 1e-3, (100, 2))
    minute, hour = Live(2), Live(2, HOUR)
    for live in (minute, hour):
        live.note(returns)
    one, sixty = (live.measure([1e5, 5e4], 1e6) for live in (minute, hour))
    assert sixty == pytest.approx({name: figure * math.sqrt(60.0) for name, figure in one.items()}, rel=1e-12)


def test_a_hedged_book_has_no_risk_where_both_sides_move_alike() -> None:
    moves = np.random.default_rng(SEED).normal(0.0, 1e-3, 100)
    live = Live(2)
    live.note(np.column_stack([moves, 2.0 * moves]))
    assert live.measure([2e5, -1e5], 1e6) == pytest.approx(dict.fromkeys(FIGURES, 0.0), abs=1e-12)
    assert min(live.measure([2e5, 1e5], 1e6).values()) > 1e-4


def test_before_enough_samples_risk_is_unknown_and_the_gate_lets_pass() -> None:
    live = Live(1)
    live.note(np.full((19, 1), -1e-3))
    assert all(math.isnan(figure) for figure in live.measure([1e5], 1e6).values())
    assert (live.gate, live.var[0]["samples"]) == (0.0, 0)
    live.note(np.full((1, 1), -1e-3))
    assert live.measure([1e5], 1e6)["var_historical"] == pytest.approx(1e-4, rel=1e-12)
    assert live.gate == pytest.approx(1e-4, rel=1e-12)


def test_samples_with_an_unknown_return_of_a_held_instrument_are_left_out() -> None:
    returns = np.random.default_rng(SEED).normal(0.0, 1e-3, (100, 2))
    returns[:40, 1] = math.nan
    live = Live(2)
    live.note(returns)
    both = live.measure([1e5, 1e5], 1e6)
    assert live.var[0]["samples"] == 60
    assert both == pytest.approx(expected(returns[40:].sum(axis=1) * 0.1, 0.95), rel=1e-12)
    one = live.measure([1e5, 0.0], 1e6)
    assert live.var[0]["samples"] == 100
    assert one == pytest.approx(expected(returns[:, 0] * 0.1, 0.95), rel=1e-12)


def test_what_is_held_at_an_unknown_price_risks_an_unknown_amount() -> None:
    live = Live(2)
    live.note(np.random.default_rng(SEED).normal(0.0, 1e-3, (50, 2)))
    assert all(math.isnan(figure) for figure in live.measure([1e5, math.nan], 1e6).values())


def test_a_sample_without_any_return_is_none() -> None:
    returns = np.random.default_rng(SEED).normal(0.0, 1e-3, (130, 2))
    live, other = Live(2), Live(2)
    live.note(returns)
    other.note(np.insert(returns, [0, 70, 129], math.nan, axis=0))
    other.note(np.full((7, 2), math.nan))
    assert live.measure([1e5, -3e5], 1e6) == other.measure([1e5, -3e5], 1e6)
    assert live.ring.tobytes() == other.ring.tobytes() and live.var.tobytes() == other.var.tobytes()


def test_nothing_held_is_no_risk_and_no_equity_is_all_of_it() -> None:
    live = Live(2)
    live.note(np.random.default_rng(SEED).normal(0.0, 1e-3, (50, 2)))
    live.measure([1e5, 0.0], 1e6)
    assert live.measure([0.0, 0.0], 1e6) == dict.fromkeys(FIGURES, 0.0)
    assert (live.gate, live.var[0]["samples"]) == (0.0, 0)
    for equity in (0.0, -1.0, math.nan):
        assert live.measure([1e5, 0.0], equity) == dict.fromkeys(FIGURES, math.inf)
        assert live.gate == math.inf


@pytest.mark.parametrize("method", list(VarMethod))
def test_the_gate_reads_the_method_that_the_settings_name(method: VarMethod) -> None:
    live = Live(1, method=method)
    live.note(np.random.default_rng(SEED).standard_t(3, (100, 1)) * 1e-3)
    figures = live.measure([1e6], 1e6)
    worst = max(figures[f"var_{name}"] for name in METHODS)
    assert live.gate == (worst if method is VarMethod.WORST else figures[f"var_{method}"])


def test_a_gain_in_nearly_every_interval_is_not_a_negative_risk_at_the_gate() -> None:
    live = Live(1, method="historical")
    live.note(np.full((30, 1), 1e-3))
    assert live.measure([1e5], 1e6)["var_historical"] < 0.0
    assert live.gate == 0.0


def test_the_filter_s_decay_is_a_setting() -> None:
    returns = np.random.default_rng(SEED).normal(0.0, 1e-3, (100, 1))
    live = Live(1, filter_decay=0.8)
    live.note(returns)
    found = live.measure([1e6], 1e6)["var_filtered"]
    assert found == pytest.approx(filtered(returns[:, 0], 0.95, 0.8).value_at_risk, rel=1e-12)
    assert abs(found / filtered(returns[:, 0]).value_at_risk - 1.0) > 1e-3


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 150))
def test_what_was_measured_in_between_changes_nothing(seed: int, samples: int) -> None:
    """measure is a function of the ring and the positions: any measurements before leave no trace."""
    rng = np.random.default_rng(seed)
    returns, values = rng.normal(0.0, 1e-3, (samples, 3)), rng.normal(size=3) * 1e5
    watched, plain = Live(3), Live(3)
    for row in returns:
        watched.note(row[None])
        watched.measure(rng.normal(size=3) * 1e5, 1e6)
    plain.note(returns)
    watched.measure(values, 1e6)
    plain.measure(values, 1e6)
    assert watched.var.tobytes() == plain.var.tobytes()
    assert watched.ring.tobytes() == plain.ring.tobytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window": 19}, "greater than or equal to 20"),
        ({"window": 50, "min_samples": 60}, r"min_samples is 60; expected no more than window \(50\)"),
        ({"var_confidence": 1.0}, "less than or equal to 0.999"),
        ({"filter_decay": 1.0}, "less than 1"),
        ({"method": "guess"}, "'worst', 'historical', 'cornish_fisher' or 'filtered'"),
    ],
)
def test_settings_out_of_bounds_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ValueAtRiskSettings.model_validate(changes)
