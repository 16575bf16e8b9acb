"""Reconciliation: the books of a clean run agree, and each kind of error is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chimera_platform.workdir import WorkDir
from pipelines.attributing import attribute_days
from pipelines.attribution_check import attribution_errors
from pipelines.reconciliation import reconcile, reconciliation_checks

Alter = Callable[[WorkDir, str], None]


def test_the_books_of_a_clean_run_agree(labelled: WorkDir) -> None:
    assert reconcile(labelled) == []


PLANTED = {
    "every intent has exactly one decision": "DELETE FROM staging.decisions WHERE intent_no = 5",
    "every fill is of an approved intent": (
        "UPDATE staging.decisions SET approved = 0 WHERE intent_no = (SELECT min(intent_no) FROM staging.fills)"
    ),
    "the fills of an order sum to what the order says": (
        "UPDATE staging.orders SET filled = filled + 1 WHERE order_event_no = "
        "(SELECT min(order_event_no) FROM staging.orders WHERE filled > 0)"
    ),
    "the fills sum to the position that each states": (
        "UPDATE staging.fills SET position_after = position_after + 1 WHERE fill_no = 3"
    ),
    "cash is price times size": "UPDATE staging.fills SET cash_nanos = cash_nanos + 1 WHERE fill_no = 3",
    "marks agree with the fills before them": (
        "UPDATE staging.marks SET fees_nanos = fees_nanos + 1 WHERE mark_no = "
        "(SELECT max(mark_no) FROM staging.marks WHERE event_no <= (SELECT max(event_no) FROM staging.fills))"
    ),
}


def test_an_error_is_planted_for_every_check() -> None:
    assert set(PLANTED) == set(reconciliation_checks())


@pytest.mark.parametrize("check", PLANTED)
def test_a_planted_error_is_found_and_the_row_is_named(copy: WorkDir, alter: Alter, check: str) -> None:
    alter(copy, PLANTED[check])
    findings = {finding.check: finding for finding in reconcile(copy)}
    assert check in findings
    assert findings[check].count >= 1
    assert "run_id run" in findings[check].example


def test_rows_that_a_running_flow_has_not_sealed_yet_are_no_error(copy: WorkDir, alter: Alter) -> None:
    half = "(SELECT max(event_no) // 2 FROM staging.events)"
    for table in ("decisions", "fills", "marks"):
        alter(copy, f"DELETE FROM staging.{table} WHERE event_no > {half}")
    assert reconcile(copy) == []


def test_an_attribution_that_does_not_add_up_is_found(copy: WorkDir, alter: Alter) -> None:
    attribute_days(copy)
    assert attribution_errors(copy) == []
    alter(copy, "UPDATE learning.attribution SET slippage_nanos = slippage_nanos + 1 WHERE fills > 0")
    assert "off net by -1 nanos" in attribution_errors(copy)[0]


def test_an_attribution_whose_net_is_not_what_the_fills_say_is_found(copy: WorkDir, alter: Alter) -> None:
    attribute_days(copy)
    alter(
        copy,
        "UPDATE learning.attribution SET net_nanos = net_nanos + 1000, mid_alpha_nanos = mid_alpha_nanos + 1000 "
        "WHERE fills > 0 AND engine = 0",
    )
    assert any("fills and closing value say" in error for error in attribution_errors(copy))
