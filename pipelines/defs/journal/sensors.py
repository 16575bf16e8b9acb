"""The sensor: segments that have been sealed since the last look bring their day through the daily assets."""

import json

import dagster as dg

from pipelines.defs.jobs import DAILY_JOB
from pipelines.defs.journal.partitions import PARTITIONS, TRADING_DAYS
from pipelines.defs.resources import WorkDirResource
from pipelines.journal_days import journal_days


@dg.sensor(
    job=DAILY_JOB,
    minimum_interval_seconds=60,
    description="Requests a run for each UTC day with new journal segments; the cursor holds each day's version.",
)
def new_segments(context: dg.SensorEvaluationContext, work: WorkDirResource) -> dg.SensorResult | dg.SkipReason:
    """Compare the versions of the journal's days with the cursor's."""
    seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    days = journal_days(work.workdir)
    changed = [each for each in days if seen.get(each.day) != each.version]
    if not changed:
        return dg.SkipReason("no new segments")
    known = set(context.instance.get_dynamic_partitions(PARTITIONS))
    missing = [each.day for each in changed if each.day not in known]
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"{each.day}:{each.version}", partition_key=each.day) for each in changed],
        dynamic_partitions_requests=[TRADING_DAYS.build_add_request(missing)] if missing else [],
        cursor=json.dumps({each.day: each.version for each in days}, sort_keys=True),
    )
