"""Checks that stop what is downstream: unfit data, books that do not agree, skewed features, labels that see ahead."""

import dagster as dg

from pipelines.attribution_check import attribution_errors
from pipelines.defs.resources import WorkDirResource
from pipelines.label_check import label_errors
from pipelines.quality import quarantine
from pipelines.reconciliation import reconcile, reconciliation_checks


def _days(context: dg.AssetCheckExecutionContext) -> list[str] | None:
    """Return the run's days, None where the check was started without any."""
    step = context.op_execution_context
    return sorted(step.partition_keys) if step.has_partition_key or step.has_partition_key_range else None


@dg.asset_check(
    asset=["learning", "data_quality"],
    name="fit_to_learn_from",
    blocking=True,
    description="No missing or duplicate rows, few gaps and crossings; a range of days goes on without bad ones.",
)
def fit_to_learn_from(context: dg.AssetCheckExecutionContext, work: WorkDirResource) -> dg.AssetCheckResult:
    """Fail where none of the run's days is usable; warn where some are quarantined."""
    bad, usable = quarantine(work.workdir, _days(context))
    return dg.AssetCheckResult(
        passed=not bad,
        severity=dg.AssetCheckSeverity.WARN if usable else dg.AssetCheckSeverity.ERROR,
        metadata={"quarantined": bad, "usable": usable},
    )


@dg.asset_check(
    asset=["staging", "fills"],
    name="reconciliation",
    blocking=True,
    additional_deps=[["staging", "intents"], ["staging", "decisions"], ["staging", "orders"], ["staging", "marks"]],
    description="Sums of fills equal orders, positions, cash and marks; every intent has one decision.",
)
def reconciliation(work: WorkDirResource) -> dg.AssetCheckResult:
    """Sum everything up again."""
    findings = reconcile(work.workdir)
    return dg.AssetCheckResult(
        passed=not findings,
        metadata={
            "checked": list(reconciliation_checks()),
            "broken": [f"{f.check}: {f.count} rows, first: {f.example}" for f in findings],
        },
    )


@dg.asset_check(
    asset=["learning", "labelled_intents"],
    name="features_equal_recomputed",
    blocking=True,
    description="The features that the live flow recorded equal those recomputed from the same events: no skew.",
)
def features_equal_recomputed(context: dg.AssetCheckExecutionContext, work: WorkDirResource) -> dg.AssetCheckResult:
    """Count the intents whose features differ."""
    errors = label_errors(work.workdir, _days(context))
    return dg.AssetCheckResult(
        passed=errors.features_differ == 0,
        metadata={"intents": errors.intents, "differ": errors.features_differ, "first": errors.first_difference},
    )


@dg.asset_check(
    asset=["learning", "labelled_intents"],
    name="labels_stay_in_their_day",
    blocking=True,
    description="No label knows the market after its UTC day: training on a day cannot leak the next.",
)
def labels_stay_in_their_day(context: dg.AssetCheckExecutionContext, work: WorkDirResource) -> dg.AssetCheckResult:
    """Count the labels whose horizon is after their day."""
    errors = label_errors(work.workdir, _days(context))
    return dg.AssetCheckResult(
        passed=errors.past_the_day == 0 and errors.missing == 0,
        metadata={"intents": errors.intents, "past_the_day": errors.past_the_day, "missing": errors.missing},
    )


@dg.asset_check(
    asset=["learning", "attribution"],
    name="parts_sum_to_net",
    blocking=True,
    description="Mid alpha - spread - slippage - fees equals net, and net equals cash, fees and closing values.",
)
def parts_sum_to_net(work: WorkDirResource) -> dg.AssetCheckResult:
    """Sum the parts."""
    errors = attribution_errors(work.workdir)
    return dg.AssetCheckResult(passed=not errors, metadata={"broken": errors})
