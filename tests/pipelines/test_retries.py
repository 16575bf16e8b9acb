"""A conflict with another writer is tried again; what the user has to mend fails at once."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import duckdb
import pytest

from chimera_platform.errors import WarehouseError
from pipelines.defs.policies import only_conflicts_are_retried


def attempts_of(error: Exception, policy: dg.RetryPolicy) -> tuple[int, dg.ExecuteInProcessResult]:
    calls: list[int] = []

    @dg.asset(retry_policy=policy)
    def writes() -> None:
        calls.append(1)
        with only_conflicts_are_retried():
            raise error

    result = dg.materialize(
        [writes], raise_on_error=False, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    )
    return len(calls), result


@pytest.fixture
def policy() -> Iterator[dg.RetryPolicy]:
    return dg.RetryPolicy(max_retries=2, delay=0.01)  # type: ignore[return-value]


def test_a_conflict_is_tried_again(policy: dg.RetryPolicy) -> None:
    conflict = WarehouseError("cannot be written")
    conflict.__cause__ = duckdb.TransactionException("Transaction conflict")
    assert attempts_of(conflict, policy)[0] == 3
    assert attempts_of(duckdb.TransactionException("Transaction conflict"), policy)[0] == 3


def test_any_other_refusal_fails_at_once_with_its_sentence(policy: dg.RetryPolicy) -> None:
    count, result = attempts_of(WarehouseError("the disk is full"), policy)
    assert count == 1
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    assert "the disk is full" in str(failure.step_failure_data.user_failure_data)
