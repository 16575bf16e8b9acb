"""Labelling from the warehouse: no skew, no knowledge of the next day, the same by day or by range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chimera_platform.execution.records import Engine
from chimera_platform.workdir import WorkDir
from pipelines.label_check import label_errors
from pipelines.labelling import label_days, unlabelled_days
from pipelines.quality import uninspected_days
from warehouse.connection import connect

Alter = Callable[[WorkDir, str], None]


def stored(workdir: WorkDir, where: str = "true") -> list[tuple[Any, ...]]:
    connection = connect(workdir)
    try:
        query = (
            "SELECT * REPLACE (CASE WHEN isnan(net_bps) THEN NULL ELSE net_bps END AS net_bps) "
            f"FROM learning.labelled_intents WHERE {where} ORDER BY run_id, intent_no"
        )
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_every_intent_is_labelled_or_has_a_reason_and_no_features_are_skewed(labelled: WorkDir) -> None:
    errors = label_errors(labelled)
    assert errors.intents > 1_000
    assert (errors.features_differ, errors.missing, errors.past_the_day) == (0, 0, 0)
    assert unlabelled_days(labelled) == []


def test_a_day_labelled_alone_has_the_labels_that_it_has_in_a_range(
    copy: WorkDir, trading_days: list[str], alter: Alter
) -> None:
    before = stored(copy)
    alter(copy, "DELETE FROM learning.labelled_intents")
    for day in reversed(trading_days):
        label_days(copy, [day])
    assert stored(copy) == before


def test_labels_of_a_day_do_not_change_when_the_next_days_events_do(
    copy: WorkDir, trading_days: list[str], alter: Alter
) -> None:
    """Leak test: what comes after the partition is shocked; its labels stay."""
    first = f"day = DATE '{trading_days[0]}'"
    before = stored(copy, first)
    alter(copy, f"UPDATE staging.events SET price = price + 500 WHERE day > DATE '{trading_days[0]}' AND kind <> 10")
    label_days(copy, [trading_days[0]])
    assert stored(copy, first) == before


def test_a_recorded_feature_that_differs_from_the_recomputed_one_is_found(copy: WorkDir, alter: Alter) -> None:
    alter(copy, "UPDATE staging.intents SET queue_imbalance = queue_imbalance + 1e-12 WHERE intent_no = 7")
    label_days(copy)
    errors = label_errors(copy)
    assert errors.features_differ == 1
    assert errors.first_difference == "run run, intent 7"


def test_hedges_get_no_label_and_are_not_missed(copy: WorkDir, alter: Alter) -> None:
    hedge = f"engine = {int(Engine.HEDGE)}, queue_imbalance = 'nan'"
    alter(copy, f"UPDATE staging.intents SET {hedge} WHERE intent_no IN (7, 8)")
    label_days(copy)
    errors = label_errors(copy)
    assert (errors.features_differ, errors.missing) == (0, 0)
    assert unlabelled_days(copy) == []
    assert stored(copy, "intent_no IN (7, 8)") == []
    assert len(stored(copy)) == errors.intents > 1_000


def test_intents_whose_events_are_not_sealed_yet_wait(copy: WorkDir, alter: Alter, trading_days: list[str]) -> None:
    last = "(SELECT max(event_no) - 5000 FROM staging.events)"
    alter(copy, f"UPDATE staging.segments SET last_row = {last} WHERE table_name = 'events' AND last_row > {last}")
    alter(copy, f"DELETE FROM staging.events WHERE event_no > {last}")
    results = label_days(copy, [trading_days[-1]])
    errors = label_errors(copy)
    assert sum(r.features_differ for r in results) == 0
    assert (errors.missing, errors.features_differ) == (0, 0)
    assert unlabelled_days(copy) == [trading_days[-1]]


def test_new_events_of_a_day_ask_for_its_inspection_again(copy: WorkDir, alter: Alter, trading_days: list[str]) -> None:
    assert uninspected_days(copy) == []
    alter(copy, f"UPDATE learning.data_quality SET events = events - 1 WHERE day = DATE '{trading_days[1]}'")
    assert uninspected_days(copy) == [trading_days[1]]
