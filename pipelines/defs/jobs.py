"""The two jobs: what is done for a day, and what is done with all days."""

from __future__ import annotations

import dagster as dg

DAILY = dg.AssetSelection.groups("staging", "days")
"""Assets with a partition for each day."""

NIGHTLY = dg.AssetSelection.groups("core", "marts", "signals", "risk", "models", "release", "upkeep")
"""Assets over all days."""

DAILY_JOB = dg.define_asset_job(
    "load_day",
    selection=DAILY,
    description="A day of the journal into the warehouse: inspect it, detect, label its intents, attribute its profit.",
)
NIGHTLY_JOB = dg.define_asset_job(
    "nightly_release",
    selection=NIGHTLY,
    description="Judge the signals, measure the risk, train on all days, weigh the engines, build a candidate, promote "
    "it if the gates allow; upkeep.",
)
