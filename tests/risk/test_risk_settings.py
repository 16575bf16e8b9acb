"""Settings of the governor: limits in order, the documents' defaults, and the factor between two limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from chimera_platform.risk.gates.multipliers import drawdown_factor
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from chimera_platform.settings import Settings, record_dtype, to_record
from tests.reference.decision_rows import decision_row


def test_a_soft_limit_above_the_hard_one_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match=r"soft_drawdown is 0\.2; expected less than hard_drawdown"):
        RiskSettings(soft_drawdown=0.2, hard_drawdown=0.1)


@pytest.mark.parametrize("section", [RiskSettings, RiskAdaptiveSettings])
def test_every_setting_says_what_it_is_has_bounds_and_reaches_the_kernels(section: type[Settings]) -> None:
    for name, field in section.model_fields.items():
        assert field.description, name
        assert len(field.metadata) >= 2, f"{name}: a lower and an upper bound"
    assert set(record_dtype(section).names or ()) == set(section.model_fields)


def test_the_documents_values_are_the_defaults() -> None:
    adaptive, risk = RiskAdaptiveSettings(), RiskSettings()
    shares = (adaptive.spread_threshold_london, adaptive.spread_threshold_newyork, adaptive.spread_threshold_asia)
    assert shares == (0.4, 0.5, 0.3)
    assert (adaptive.latency_threshold_ms, adaptive.reject_escalation_threshold) == (50.0, 10.0)
    assert (risk.max_risk_per_trade, risk.max_portfolio_risk) == (0.02, 0.10)


@pytest.mark.parametrize(
    ("equity", "factor"), [(1_000, 1.0), (900, 1.0), (850, 0.75), (800, 0.5), (700, 0.0), (100, 0.0), (-50, 0.0)]
)
def test_the_drawdowns_factor_is_linear_between_the_limits_and_zero_beyond(equity: int, factor: float) -> None:
    settings: Any = to_record(RiskSettings(soft_drawdown=0.1, hard_drawdown=0.3))[0]
    row = decision_row(equity_nanos=equity, drawdown_nanos=1_000 - equity)
    np.testing.assert_allclose(drawdown_factor(row[0], settings), factor, atol=1e-12)


def test_an_account_that_never_had_anything_is_in_full_drawdown() -> None:
    row = decision_row(equity_nanos=0, drawdown_nanos=0)
    assert drawdown_factor(row[0], to_record(RiskSettings())[0]) == 0.0
