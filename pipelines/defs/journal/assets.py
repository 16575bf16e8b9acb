"""The journal's segments: written by flows, observed here."""

import dagster as dg

from pipelines.defs.journal.partitions import TRADING_DAYS
from pipelines.defs.resources import WorkDirResource
from pipelines.journal_days import journal_days


@dg.observable_source_asset(
    key=["journal", "segments"],
    group_name="journal",
    partitions_def=TRADING_DAYS,
    description="Immutable Parquet segments that the flows seal: events, intents, decisions, orders, fills, marks.",
)
def journal_segments(work: WorkDirResource) -> dg.DataVersionsByPartition:
    """Observe what is sealed of each day; a day's version changes when segments come."""
    return dg.DataVersionsByPartition({each.day: each.version for each in journal_days(work.workdir)})
