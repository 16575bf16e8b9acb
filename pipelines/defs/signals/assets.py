"""Detections and what the price did afterwards by day; the detectors' scorecard over all days."""

from collections.abc import Iterator

import dagster as dg

from chimera_platform.signals.directional import SIGNALS
from pipelines.defs.journal.partitions import TRADING_DAYS
from pipelines.defs.policies import ONE_RUN, RETRY, WAREHOUSE_POOL, only_conflicts_are_retried
from pipelines.defs.resources import WorkDirResource
from pipelines.detecting import detect_days
from pipelines.detector_scorecard import scorecard_of_days
from pipelines.signal_plots import detections_plot, scorecard_markdown, scorecard_plots

_UPSTREAM = [["learning", "data_quality"], ["staging", "events"]]


@dg.multi_asset(
    name="detections",
    specs=[
        dg.AssetSpec(
            ["learning", "detections"],
            group_name="days",
            deps=_UPSTREAM,
            kinds={"duckdb", "numba"},
            description="What every detector said, a row a change of stage, and the mid's change over 1 to 300 s from "
            "then on; never looks past its day.",
        ),
        dg.AssetSpec(
            ["learning", "price_changes"],
            group_name="days",
            deps=_UPSTREAM,
            kinds={"duckdb", "numba"},
            description="What the mid does over the same times after any second's first event, summed by minute.",
        ),
    ],
    partitions_def=TRADING_DAYS,
    backfill_policy=ONE_RUN,
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
)
def detections(context: dg.AssetExecutionContext, work: WorkDirResource) -> Iterator[dg.MaterializeResult]:
    """Run the detectors through the days' events, under the settings of each run."""
    days = sorted(context.partition_keys)
    with only_conflicts_are_retried():
        found = detect_days(work.workdir, days)
    by_day = {signal.name: dict.fromkeys(days, 0) for signal in SIGNALS}
    for each in found:
        for name, count in each.signals.items():
            by_day[name][each.day] += count
    yield dg.MaterializeResult(
        asset_key=["learning", "detections"],
        metadata={
            "dagster/row_count": sum(each.rows for each in found),
            "events": sum(each.events for each in found),
            **{name: sum(counts.values()) for name, counts in by_day.items()},
            "signals": detections_plot(by_day),
        },
    )
    yield dg.MaterializeResult(asset_key=["learning", "price_changes"], metadata={"days": len(days)})


@dg.asset(
    key=["signals", "scorecard"],
    group_name="signals",
    deps=[["learning", "detections"], ["learning", "price_changes"], ["learning", "data_quality"]],
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb", "polars"},
    description="Lift and forward returns of every signal over all usable days, with block-bootstrap intervals.",
)
def scorecard(work: WorkDirResource) -> dg.MaterializeResult:
    """Judge the signals; that none shows an edge is a result, not a failure."""
    with only_conflicts_are_retried():
        found = scorecard_of_days(work.workdir)
    return dg.MaterializeResult(
        metadata={"cells": len(found), "figures": scorecard_markdown(found), **scorecard_plots(found)}
    )
