"""The nightly schedule."""

from __future__ import annotations

import dagster as dg

from pipelines.defs.jobs import NIGHTLY_JOB

NIGHTLY_SCHEDULE = dg.ScheduleDefinition(
    name="nightly_release_schedule",
    job=NIGHTLY_JOB,
    cron_schedule="30 0 * * *",
    execution_timezone="UTC",
    description="Half an hour into the UTC day, when the day before is sealed and loaded.",
)
