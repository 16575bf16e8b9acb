"""Value at risk and stress of every account, and the check of its forecasts."""

import dagster as dg

from pipelines.defs.policies import RETRY, WAREHOUSE_POOL, only_conflicts_are_retried
from pipelines.defs.resources import WorkDirResource
from pipelines.gate_controls import control_failures, controls_markdown
from pipelines.gate_counterfactuals import carry_out_gated
from pipelines.gate_intervals import gates_markdown, value_gates
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


@dg.asset(
    key=["risk", "gate_counterfactuals"],
    group_name="risk",
    deps=[
        ["staging", "events"],
        ["staging", "intents"],
        ["staging", "decisions"],
        ["staging", "fills"],
        ["learning", "data_quality"],
    ],
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb", "numba"},
    description="Each intent that a gate refused or resized, carried out alone in the venue model on the market as it "
    "was: what the gate saved or cost, by session and engine, with an interval.",
)
def gate_counterfactuals(work: WorkDirResource) -> dg.MaterializeResult:
    """Carry out what was held back in runs with new events, and value the gates of all runs."""
    with only_conflicts_are_retried():
        controls = carry_out_gated(work.workdir)
        rows = value_gates(work.workdir)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "gates": gates_markdown(rows),
            "controls": controls_markdown(controls),
        }
    )


@dg.asset_check(
    asset=["risk", "gate_counterfactuals"],
    name="controls_reproduce",
    blocking=True,
    description="Approved intents, carried out again in the same way as refused ones, earn what they really earned, to "
    "the nano, where no other order of the account traded beside them.",
)
def controls_reproduce(work: WorkDirResource) -> dg.AssetCheckResult:
    """Name the runs in which they do not."""
    failures = control_failures(work.workdir)
    return dg.AssetCheckResult(passed=not failures, metadata={"failures": failures})


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
