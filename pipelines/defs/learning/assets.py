"""Inspected days, labelled intents and attribution by day; the signal model and the engine weights over all days."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from pipelines.attributing import attribute_days
from pipelines.defs.journal.partitions import TRADING_DAYS
from pipelines.defs.policies import LEARNING_POOL, ONE_RUN, RETRY, WAREHOUSE_POOL, only_conflicts_are_retried
from pipelines.defs.resources import WorkDirResource
from pipelines.fitting_microprices import fit_microprices
from pipelines.labelling import label_days
from pipelines.microprice_plot import microprice_plot, trials_markdown
from pipelines.plots import attribution_plot, days_plot, gates_markdown, model_plot, outcomes_plot, weights_plot
from pipelines.quality import inspect_days
from pipelines.quality_policy import QualityCheck
from pipelines.target_training import train_target
from pipelines.training import train_challenger, weigh_engines


@dg.asset(
    key=["learning", "data_quality"],
    group_name="days",
    deps=[["staging", "events"]],
    partitions_def=TRADING_DAYS,
    backfill_policy=ONE_RUN,
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb", "numba"},
    description="What is wrong with each run's day, counted: rows, clocks, gaps, books, sizes, prices; held to limits.",
)
def data_quality(context: dg.AssetExecutionContext, work: WorkDirResource) -> dg.MaterializeResult:
    """Follow the books through the days' events and count."""
    with only_conflicts_are_retried():
        found = inspect_days(work.workdir, list(context.partition_keys))
    irregular: dict[str, float] = dict.fromkeys(sorted(context.partition_keys), 0)
    for each in found:
        irregular[each.day] += sum(not finding.passed for finding in each.findings)
    counted = {str(check): max((each.counts[check] for each in found), default=0) for check in QualityCheck}
    return dg.MaterializeResult(
        metadata={
            "events": sum(each.counts["events"] for each in found),
            **counted,
            "quarantined": [f"{each.day}, run {each.run_id}: {each.reasons}" for each in found if each.quarantined],
            "accepted": [f"{each.day}, run {each.run_id}: {each.accepted}" for each in found if each.accepted],
            "irregularities": days_plot(irregular, "checks above their limit"),
        }
    )


@dg.multi_asset(
    name="labels",
    specs=[
        dg.AssetSpec(
            ["learning", "labelled_intents"],
            group_name="days",
            deps=[["learning", "data_quality"], ["staging", "events"], ["staging", "intents"]],
            kinds={"duckdb", "numba"},
            description="What became of each intent, net of cost, by the triple barrier; never looks past its day.",
        ),
        dg.AssetSpec(
            ["learning", "closing_quotes"],
            group_name="days",
            deps=[["learning", "data_quality"], ["staging", "events"]],
            kinds={"duckdb", "numba"},
            description="Bid and ask at the day's end, which open positions are valued at.",
        ),
    ],
    partitions_def=TRADING_DAYS,
    backfill_policy=ONE_RUN,
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
)
def labels(context: dg.AssetExecutionContext, work: WorkDirResource) -> Iterator[dg.MaterializeResult]:
    """Follow the market through the days' events and label their intents."""
    days = sorted(context.partition_keys)
    with only_conflicts_are_retried():
        found = label_days(work.workdir, days)
    won, lost, unlabelled = (dict.fromkeys(days, 0) for _ in range(3))
    for each in found:
        won[each.day] += each.won
        lost[each.day] += each.labelled - each.won
        unlabelled[each.day] += each.intents - each.labelled
    labelled = sum(each.labelled for each in found)
    yield dg.MaterializeResult(
        asset_key=["learning", "labelled_intents"],
        metadata={
            "dagster/row_count": sum(each.intents for each in found),
            "labelled": labelled,
            "won_share": sum(won.values()) / labelled if labelled else 0.0,
            "net_bps_mean": sum(e.net_bps_mean * e.labelled for e in found) / labelled if labelled else 0.0,
            "features_differ": sum(each.features_differ for each in found),
            "outcomes": outcomes_plot(won, lost, unlabelled),
        },
    )
    yield dg.MaterializeResult(asset_key=["learning", "closing_quotes"], metadata={"days": len(days)})


@dg.asset(
    key=["learning", "attribution"],
    group_name="days",
    deps=[["learning", "closing_quotes"], ["staging", "fills"], ["staging", "decisions"], ["staging", "marks"]],
    partitions_def=TRADING_DAYS,
    backfill_policy=ONE_RUN,
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb"},
    description="Net profit of each engine and symbol: mid alpha - spread - slippage - fees, exact to the nano.",
)
def attribution(context: dg.AssetExecutionContext, work: WorkDirResource) -> dg.MaterializeResult:
    """Split the days' profit."""
    with only_conflicts_are_retried():
        result = attribute_days(work.workdir, list(context.partition_keys))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(result["rows"]),
            "net": {engine: round(parts["net"], 2) for engine, parts in result["engines"].items()},
            "parts": attribution_plot(result["engines"]),
        }
    )


@dg.asset(
    key=["models", "signal_model"],
    group_name="models",
    deps=[["learning", "labelled_intents"], ["learning", "data_quality"], ["staging", "intents"]],
    pool=LEARNING_POOL,
    kinds={"xgboost"},
    description="A challenger trained on all usable days but the last, judged on the last against what is in force.",
)
def signal_model(work: WorkDirResource) -> dg.MaterializeResult:
    """Train and judge; a refusal is a result, not a failure."""
    result = train_challenger(work.workdir)
    evaluation = result.get("evaluation", {})
    metadata: dict[str, Any] = {
        "accepted": result["accepted"],
        "snapshot": result["snapshot"],
        "days": result["days"],
        "examples": result["examples"],
        "gates": gates_markdown(result["gates"]),
    }
    metadata |= {name: evaluation[name] for name in ("auc", "log_loss", "calibration_error") if name in evaluation}
    if "refusal" in result:
        metadata["refusal"] = result["refusal"]
    else:
        metadata["plots"] = model_plot(result)
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    key=["models", "target_model"],
    group_name="models",
    deps=[["learning", "labelled_intents"], ["learning", "data_quality"], ["staging", "intents"]],
    pool=LEARNING_POOL,
    kinds={"xgboost"},
    description="How far the market carries a trade before its stop or its time, in multiples of the stop: shipped "
    "where it predicts the last day's moves better than a constant does.",
)
def target_model(work: WorkDirResource) -> dg.MaterializeResult:
    """Train and judge; a refusal is a result, not a failure."""
    result = train_target(work.workdir)
    evaluation = result.get("evaluation", {})
    metadata: dict[str, Any] = {
        "accepted": result["accepted"],
        "snapshot": result["snapshot"],
        "examples": result["examples"],
        "gates": gates_markdown(result["gates"]),
    }
    metadata |= {
        name: evaluation[name] for name in ("loss", "loss_constant", "gain_low", "reached") if name in evaluation
    }
    if "refusal" in result:
        metadata["refusal"] = result["refusal"]
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    key=["models", "engine_weights"],
    group_name="models",
    deps=[["learning", "attribution"], ["staging", "fills"]],
    pool=LEARNING_POOL,
    kinds={"python"},
    description="What share of its capital each engine has earned by its closed trades, shrunk and bounded.",
)
def engine_weights(work: WorkDirResource) -> dg.MaterializeResult:
    """Weigh the engines by their closed trades."""
    result = weigh_engines(work.workdir)
    return dg.MaterializeResult(metadata={**result, "plot": weights_plot(result["weights"])})


@dg.asset(
    key=["models", "microprice"],
    group_name="models",
    deps=[["staging", "events"], ["learning", "data_quality"]],
    pool=LEARNING_POOL,
    kinds={"numba", "numpy"},
    description="Stoikov's microprice of every instrument from its newest usable days; shipped where it forecasts "
    "later mids better than the mid does, on states that it was not fitted on.",
)
def microprice(work: WorkDirResource) -> dg.MaterializeResult:
    """Fit and judge; that none is accepted is a result, not a failure."""
    result = fit_microprices(work.workdir)
    return dg.MaterializeResult(
        metadata={
            "accepted": sorted(result["accepted"]),
            "snapshot": result["snapshot"],
            "trials": trials_markdown(result["trials"]),
            "adjustments": microprice_plot(result["accepted"]),
        }
    )
