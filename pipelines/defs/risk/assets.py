"""Value at risk and stress of every account, and the check of its forecasts."""

import dagster as dg

from pipelines.defs.policies import RETRY, WAREHOUSE_POOL, only_conflicts_are_retried
from pipelines.defs.resources import WorkDirResource
from pipelines.live_coverage import judge_live_forecasts, live_markdown
from pipelines.measuring_risk import coverage_failures, equity_failures, measure_risk, risk_markdown
from pipelines.stressing import stress_days, stress_markdown


@dg.asset(
    key=["risk", "value_at_risk"],
    group_name="risk",
    deps=[["staging", name] for name in ("events", "fills", "marks", "risk_marks")],
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb", "numpy"},
    description="Value at risk and expected shortfall at 95 % of every run's account: historical, Cornish-Fisher, "
    "filtered by volatility; with what past forecasts of it were worth, here and in the flow itself.",
)
def value_at_risk(work: WorkDirResource) -> dg.MaterializeResult:
    """Estimate, and forecast the past from what was known then."""
    with only_conflicts_are_retried():
        rows = measure_risk(work.workdir)
        live = judge_live_forecasts(work.workdir)
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(rows), "figures": risk_markdown(rows), "live_forecasts": live_markdown(live)}
    )


@dg.asset(
    key=["risk", "stress"],
    group_name="risk",
    deps=[["staging", "fills"], ["staging", "marks"], ["learning", "closing_quotes"], ["core", "bars_1m"]],
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb", "numba"},
    description="What every account would have lost from each day's end on: at a multiple of the spread, in a gap of "
    "all prices up or down, and with every correlation at its worst.",
)
def stress(work: WorkDirResource) -> dg.MaterializeResult:
    """Apply the scenarios to what was held at each day's end."""
    with only_conflicts_are_retried():
        rows = stress_days(work.workdir)
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), "losses": stress_markdown(rows)})


@dg.asset_check(
    asset=["risk", "value_at_risk"],
    name="forecasts_cover",
    description="Losses exceed their forecasts, those made afterwards here and those of the flow for what it held, as "
    "often as the level says (Kupiec) and do not cluster (Christoffersen), at 1 %. A model that fails warns: trading "
    "goes on under the other limits. How often equity fell further, costs and trades of the period included, stands "
    "beside it.",
)
def forecasts_cover(work: WorkDirResource) -> dg.AssetCheckResult:
    """Name the series of forecasts that a test rejects."""
    failures = coverage_failures(work.workdir)
    return dg.AssetCheckResult(
        passed=not failures,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rejected": failures, "rejected_by_equity": equity_failures(work.workdir)},
    )
