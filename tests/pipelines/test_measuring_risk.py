"""Value at risk in the warehouse: from the marks of each run, by period, with the forecasts judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chimera_platform.risk.value_at_risk import historical
from chimera_platform.workdir import WorkDir
from pipelines.measuring_risk import PERIOD_S, WINDOW, coverage_failures, measure_risk, returns_of, risk_row
from warehouse.query import run_sql

Alter = Callable[[WorkDir, str], None]


def test_the_stored_value_at_risk_is_that_of_the_returns_between_periods_with_marks(copy: WorkDir) -> None:
    rows = measure_risk(copy)
    marks = run_sql(
        copy, f"SELECT ts_event // {PERIOD_S * 10**9} AS period, equity_nanos FROM staging.marks ORDER BY mark_no"
    )
    last = dict(marks.iter_rows())
    equity = np.array([last[period] for period in sorted(last)], float)
    expected = historical(equity[1:] / equity[:-1] - 1.0, 0.95)
    stored = run_sql(copy, "FROM learning.value_at_risk WHERE method = 'historical'").row(0, named=True)
    assert stored["periods"] == len(equity) - 1 > 100
    assert (stored["value_at_risk"], stored["expected_shortfall"]) == pytest.approx(
        (expected.value_at_risk, expected.expected_shortfall), rel=1e-12
    )
    assert {row["method"] for row in rows} == {"historical", "cornish_fisher", "filtered"}
    assert stored["forecasts"] == stored["periods"] - WINDOW


def test_measuring_again_replaces_the_rows(copy: WorkDir) -> None:
    first = measure_risk(copy)
    assert measure_risk(copy) == first
    assert run_sql(copy, "SELECT count(*) AS n FROM learning.value_at_risk").item() == len(first)


def test_forecasts_that_a_test_rejects_are_named(copy: WorkDir, alter: Alter) -> None:
    measure_risk(copy)
    alter(copy, "UPDATE learning.value_at_risk SET kupiec_p = 0.5, independence_p = 0.5")
    assert coverage_failures(copy) == []
    alter(copy, "UPDATE learning.value_at_risk SET kupiec_p = 0.002 WHERE method = 'filtered'")
    (failure,) = coverage_failures(copy)
    assert "run run, filtered" in failure and "Kupiec p = 0.0020" in failure


def test_too_few_returns_give_no_estimate_and_no_forecast() -> None:
    row = risk_row(np.full(19, -0.01), "filtered")
    assert (row["periods"], row["forecasts"]) == (19, 0)
    assert row["value_at_risk"] is row["expected_shortfall"] is row["kupiec_p"] is None


def test_returns_end_where_equity_is_gone() -> None:
    assert returns_of(np.array([100.0, 110.0, 99.0, 0.0, 50.0])) == pytest.approx([0.1, -0.1])
    assert len(returns_of(np.zeros(0))) == 0
