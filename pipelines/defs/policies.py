"""What all assets share: pools that make writers take turns, retries on conflicts, ranges of days in one run."""

from __future__ import annotations

import dagster as dg

WAREHOUSE_POOL = "warehouse"
LEARNING_POOL = "learning"

RETRY = dg.RetryPolicy(max_retries=3, delay=2.0, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For conflicts that outlast the warehouse's own patience; everything here may be done twice."""

ONE_RUN = dg.BackfillPolicy.single_run()
