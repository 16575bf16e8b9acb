"""The day's report: a page for each run, linked from here."""

import dagster as dg

from pipelines.defs.journal.assets import journal_segments
from pipelines.defs.journal.partitions import TRADING_DAYS
from pipelines.defs.policies import ONE_RUN
from pipelines.defs.resources import WorkDirResource
from pipelines.reporting import report_metadata, write_day_reports


@dg.asset(
    key=["reports", "day"],
    group_name="days",
    deps=[journal_segments],
    partitions_def=TRADING_DAYS,
    backfill_policy=ONE_RUN,
    pool="reports",
    kinds={"html", "parquet"},
    description="Performance, attribution, execution costs and Monte Carlo of each run's day as one page that needs "
    "nothing beside it.",
)
def day_report(context: dg.AssetExecutionContext, work: WorkDirResource) -> dg.MaterializeResult:
    """Write the days' pages from the journal; writing one again replaces it."""
    return dg.MaterializeResult(
        metadata=report_metadata(write_day_reports(work.workdir, sorted(context.partition_keys)))
    )
