"""Everything that Dagster knows: `dagster dev` loads it through workspace.yaml."""

from __future__ import annotations

from typing import Any

import dagster as dg

from pipelines.defs.jobs import DAILY_JOB, NIGHTLY_JOB
from pipelines.defs.journal.assets import journal_segments
from pipelines.defs.journal.sensors import new_segments
from pipelines.defs.learning import assets as learning
from pipelines.defs.learning import checks as learning_checks
from pipelines.defs.release import assets as release
from pipelines.defs.release.checks import gates
from pipelines.defs.release.schedules import NIGHTLY_SCHEDULE
from pipelines.defs.report import assets as report
from pipelines.defs.resources import WorkDirResource
from pipelines.defs.risk import assets as risk
from pipelines.defs.signals import assets as signals
from pipelines.defs.warehouse import assets as warehouse

ASSETS: list[Any] = [
    journal_segments,
    warehouse.staging,
    warehouse.models,
    warehouse.upkeep,
    learning.data_quality,
    signals.detections,
    learning.labels,
    learning.attribution,
    learning.signal_model,
    learning.target_model,
    learning.engine_weights,
    learning.microprice,
    signals.scorecard,
    risk.value_at_risk,
    risk.gate_counterfactuals,
    risk.stress,
    report.day_report,
    release.candidate,
    release.promoted,
]
CHECKS = [
    learning_checks.data_quality_checks,
    learning_checks.reconciliation,
    learning_checks.features_equal_recomputed,
    learning_checks.predictions_equal_recomputed,
    learning_checks.labels_stay_in_their_day,
    learning_checks.parts_sum_to_net,
    risk.forecasts_cover,
    risk.controls_reproduce,
    gates,
]


def build(work: WorkDirResource) -> dg.Definitions:
    """Return all definitions over one work folder."""
    return dg.Definitions(
        assets=ASSETS,
        asset_checks=CHECKS,
        jobs=[DAILY_JOB, NIGHTLY_JOB],
        schedules=[NIGHTLY_SCHEDULE],
        sensors=[new_segments],
        resources={"work": work},
        executor=dg.in_process_executor,  # steps are short; a process for each would spend its time importing
    )


defs = build(WorkDirResource())
