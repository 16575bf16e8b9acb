"""What all assets share: pools that make writers take turns, retries on conflicts, ranges of days in one run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import dagster as dg
import duckdb

from chimera_platform.errors import ChimeraError
from warehouse.connection import is_conflict

WAREHOUSE_POOL = "warehouse"
LEARNING_POOL = "learning"

RETRY = dg.RetryPolicy(max_retries=3, delay=2.0, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For conflicts that outlast the warehouse's own patience; used with :func:`only_conflicts_are_retried`."""


@contextlib.contextmanager
def only_conflicts_are_retried() -> Iterator[None]:
    """Let a conflict with another writer through to the retry policy; any other refusal fails the step at once."""
    try:
        yield
    except (ChimeraError, duckdb.Error) as error:
        if is_conflict(error) or (error.__cause__ is not None and is_conflict(error.__cause__)):
            raise
        raise dg.Failure(description=str(error), allow_retries=False) from error


ONE_RUN = dg.BackfillPolicy.single_run()
