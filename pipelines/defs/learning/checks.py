"""Checks that stop what is downstream: unfit data, books that do not agree, skewed features, labels that see ahead."""

from collections.abc import Iterator

import dagster as dg

from pipelines.attribution_check import attribution_errors
from pipelines.defs.resources import WorkDirResource
from pipelines.label_check import label_errors
from pipelines.prediction_check import prediction_errors
from pipelines.quality import check_results
from pipelines.quality_policy import SENTENCES
from pipelines.reconciliation import reconcile, reconciliation_checks


def _days(context: dg.AssetCheckExecutionContext) -> list[str] | None:
    """Return the run's days, None where the check was started without any."""
    step = context.op_execution_context
    return sorted(step.partition_keys) if step.has_partition_key or step.has_partition_key_range else None


@dg.multi_asset_check(
    name="data_quality_checks",
    specs=[
        dg.AssetCheckSpec(
            str(check),
            asset=["learning", "data_quality"],
            blocking=True,
            description=f"Few enough {sentence}; where some of the run's days are usable, it goes on with those.",
        )
        for check, sentence in SENTENCES.items()
    ],
)
def data_quality_checks(context: dg.AssetCheckExecutionContext, work: WorkDirResource) -> Iterator[dg.AssetCheckResult]:
    """Say what each check found; stop what is downstream where none of the run's days is usable."""
    results, usable = check_results(work.workdir, _days(context))
    for check, result in results.items():
        yield dg.AssetCheckResult(
            check_name=str(check),
            asset_key=["learning", "data_quality"],
            passed=not result.failed,
            severity=dg.AssetCheckSeverity.WARN if usable else dg.AssetCheckSeverity.ERROR,
            metadata={
                "largest": result.largest,
                "allowed": result.allowed,
                "failed": result.failed,
                "accepted": result.accepted,
                "usable": usable,
            },
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
    asset=["staging", "intents"],
    name="predictions_equal_recomputed",
    blocking=True,
    additional_deps=[["staging", "releases"]],
    description="What the releases' models said of each intent equals what they say of its row: no skew.",
)
def predictions_equal_recomputed(context: dg.AssetCheckExecutionContext, work: WorkDirResource) -> dg.AssetCheckResult:
    """Score the intents again."""
    errors = prediction_errors(work.workdir, _days(context))
    return dg.AssetCheckResult(
        passed=errors.scores_differ + errors.moves_differ == 0,
        metadata={
            "intents": errors.intents,
            "scores_differ": errors.scores_differ,
            "moves_differ": errors.moves_differ,
            "first": errors.first_difference,
            "without_release": errors.without_release,
        },
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
