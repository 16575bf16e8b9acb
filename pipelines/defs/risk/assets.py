"""Value at risk of every account, and the check of its forecasts."""

import dagster as dg

from pipelines.defs.policies import RETRY, WAREHOUSE_POOL, only_conflicts_are_retried
from pipelines.defs.resources import WorkDirResource
from pipelines.measuring_risk import coverage_failures, measure_risk, risk_markdown


@dg.asset(
    key=["risk", "value_at_risk"],
    group_name="risk",
    deps=[["staging", "marks"]],
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb", "numpy"},
    description="Value at risk and expected shortfall at 95 % of every run's account: historical, Cornish-Fisher, "
    "filtered by volatility; with what past forecasts of it were worth.",
)
def value_at_risk(work: WorkDirResource) -> dg.MaterializeResult:
    """Estimate, and forecast the past from what was known then."""
    with only_conflicts_are_retried():
        rows = measure_risk(work.workdir)
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), "figures": risk_markdown(rows)})


@dg.asset_check(
    asset=["risk", "value_at_risk"],
    name="forecasts_cover",
    description="Losses exceed their forecasts as often as the level says (Kupiec) and do not cluster "
    "(Christoffersen), at 1 %. A model that fails warns: trading goes on under the other limits.",
)
def forecasts_cover(work: WorkDirResource) -> dg.AssetCheckResult:
    """Name the series of forecasts that a test rejects."""
    failures = coverage_failures(work.workdir)
    return dg.AssetCheckResult(
        passed=not failures, severity=dg.AssetCheckSeverity.WARN, metadata={"rejected": failures}
    )
