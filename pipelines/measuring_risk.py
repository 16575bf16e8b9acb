"""Value at risk of every run's account from its marks, and how past forecasts of it did."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import dagster as dg
import numpy as np

from chimera_platform.risk.value_at_risk import METHODS, coverage, rolling_forecasts
from chimera_platform.workdir import WorkDir
from pipelines.rows import replace_days, run_days, tables_by_day
from warehouse.connection import connect

PERIOD_S = 900
LEVEL = 0.95
WINDOW = 100  # returns that a forecast is made from
RETURNS_MIN = 20  # below that a 5 % tail is less than one return
SIGNIFICANCE = 0.01  # of the coverage tests: a right model warns once in a hundred times

_EQUITY = """
    SELECT equity FROM (
        SELECT ts_event // ? AS period, max_by(equity_nanos, mark_no) AS equity
        FROM staging.marks WHERE run_id = ? GROUP BY ALL
    ) ORDER BY period"""


def measure_risk(workdir: WorkDir) -> list[dict[str, Any]]:
    """Estimate each run's value at risk by every method, write ``learning.value_at_risk``, return its rows.

    A return is the change of equity from one period with marks to the next such one, as a fraction of equity: periods
    in which the account holds nothing are not risk, and would make the tail look thin.
    """
    connection = connect(workdir)
    try:
        rows = []
        for run_id, days in run_days(connection).items():
            found = connection.execute(_EQUITY, [PERIOD_S * 1_000_000_000, run_id]).fetchnumpy()["equity"]
            returns = returns_of(np.asarray(found, float))
            rows += [{"run_id": run_id, "day": days[-1]} | risk_row(returns, method) for method in METHODS]
    finally:
        connection.close()
    replace_days(workdir, tables_by_day("value_at_risk", rows))
    return rows


def returns_of(equity: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the relative changes of ``equity``, shape (n,), up to the first value that is not positive."""
    ruined = np.flatnonzero(equity <= 0.0)
    solvent = equity[: ruined[0]] if len(ruined) else equity
    return solvent[1:] / solvent[:-1] - 1.0


def risk_row(returns: np.ndarray[Any, Any], method: str) -> dict[str, Any]:
    """Return the columns of ``learning.value_at_risk`` but run and day for one series of returns, shape (n,)."""
    risk = METHODS[method](returns, LEVEL) if len(returns) >= RETURNS_MIN else None
    forecasts = rolling_forecasts(returns, WINDOW, method, LEVEL) if len(returns) > WINDOW else np.zeros(0)
    tested = asdict(coverage(returns[WINDOW:], forecasts, LEVEL))
    return {
        "method": method,
        "level": LEVEL,
        "period_s": PERIOD_S,
        "periods": len(returns),
        "value_at_risk": risk.value_at_risk if risk else None,
        "expected_shortfall": risk.expected_shortfall if risk else None,
        "forecasts": tested.pop("periods"),
        **{name: None if math.isnan(value) else value for name, value in tested.items()},
    }


def coverage_failures(workdir: WorkDir) -> list[str]:
    """Return a sentence for each latest series of forecasts that a coverage test rejects.

    Those made here of the account's returns, and the flow's own of the positions that it held.
    """
    return _failures(
        workdir,
        f"""
        SELECT run_id, method, {_COUNTS} FROM learning.value_at_risk
        QUALIFY day = max(day) OVER (PARTITION BY run_id)
        UNION ALL {_LIVE.format(basis="positions")}""",
    )


def equity_failures(workdir: WorkDir) -> list[str]:
    """Return a sentence for each of the flow's forecasts that equity, costs and trades included, does not bear out."""
    return _failures(workdir, _LIVE.format(basis="equity"))


_COUNTS = "forecasts, exceptions, expected, kupiec_p, independence_p"
_LIVE = f"""
    SELECT run_id, method || ', live over ' || CAST(round(period_s) AS BIGINT) || ' s', {_COUNTS}
    FROM learning.live_coverage WHERE basis = '{{basis}}'
    QUALIFY day = max(day) OVER (PARTITION BY run_id)"""


def _failures(workdir: WorkDir, query: str) -> list[str]:
    connection = connect(workdir)
    try:
        rows = connection.execute(f"FROM ({query}) ORDER BY ALL").fetchall()
    finally:
        connection.close()
    failures = []
    for run_id, method, forecasts, exceptions, expected, *tests in rows:
        for test, p in zip(("Kupiec", "Christoffersen"), tests, strict=True):
            if p is not None and p < SIGNIFICANCE:
                failures.append(
                    f"run {run_id}, {method}: {exceptions} exceptions in {forecasts} forecasts, {expected:.1f} "
                    f"expected; {test} p = {p:.4f}"
                )
    return failures


def risk_markdown(rows: list[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """Return the rows as a table."""
    lines = [
        "| run | method | returns | VaR | ES | forecasts | exceptions | expected | Kupiec p | Christoffersen p |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = " | ".join(_text(row[name], ".4%") for name in ("value_at_risk", "expected_shortfall"))
        tests = " | ".join(_text(row[name], ".3f") for name in ("kupiec_p", "independence_p"))
        counts = f"{row['forecasts']} | {row['exceptions']} | {row['expected']:.1f}"
        lines.append(f"| {row['run_id']} | {row['method']} | {row['periods']} | {shares} | {counts} | {tests} |")
    return dg.MetadataValue.md("\n".join(lines))


def _text(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
