"""Detections from the warehouse: those of the stream, the same by day or by range, and blind to the next day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.signals.detector_stream import DetectorStream
from chimera_platform.signals.directional import SIGNALS
from chimera_platform.signals.forward_returns import HORIZONS_NS
from chimera_platform.signals.lift import edge
from chimera_platform.signals.market_evidence import gather_evidence
from chimera_platform.signals.records import DETECTION_DTYPE
from chimera_platform.workdir import WorkDir
from pipelines.detecting import CHANGE_COLUMNS, DayDetections, detect_days, undetected_days
from pipelines.detector_scorecard import ALL, MINUTE_NS, SignalEdge, scorecard_of_days
from pipelines.run import derive_learning_tables, detect
from pipelines.signal_plots import detections_plot, scorecard_markdown, scorecard_plots
from tests.pipelines.conftest import DAYS, FEED
from warehouse.connection import connect
from warehouse.ingest import ingest
from warehouse.query import run_sql
from warehouse.rebuild import rebuild

pytestmark = pytest.mark.slow  # three days through every detector, several times

Alter = Callable[[WorkDir, str], None]


@pytest.fixture(scope="module")
def detected(labelled: WorkDir, tmp_path_factory: pytest.TempPathFactory) -> tuple[WorkDir, list[DayDetections]]:
    import shutil

    workdir = WorkDir(shutil.copytree(labelled.path, tmp_path_factory.mktemp("detected") / "work"))
    return workdir, detect_days(workdir)


def stored(workdir: WorkDir, where: str = "true") -> list[tuple[Any, ...]]:
    connection = connect(workdir)
    try:
        return [
            connection.execute(f"SELECT * FROM learning.{table} WHERE {where} ORDER BY ALL").fetchall()
            for table in ("detections", "price_changes", "detection_days")
        ]
    finally:
        connection.close()


def test_the_rows_are_those_of_the_detectors_over_the_stream(
    detected: tuple[WorkDir, list[DayDetections]], trading_days: list[str]
) -> None:
    workdir, found = detected
    assert [each.day for each in found] == trading_days
    source = open_feed(FEED, load_instruments()).source
    events = np.concatenate(list(source.batches(65_536)))
    events = events[: sum(each.events for each in found)]
    said = DetectorStream(source.universe).run(events, 0)
    rows = run_sql(workdir, "FROM learning.detections ORDER BY event_no, detector, detection_no, stage").rows(
        named=True
    )
    said = said[np.lexsort((said["stage"], said["detection_no"], said["detector"], said["event_no"]))]
    assert len(rows) == len(said) == sum(each.rows for each in found) > 100
    names = [name for name in DETECTION_DTYPE.names or () if name != "evidence"]
    for row, expected in zip(rows, said, strict=True):
        assert [row[name] for name in names] == [expected[name].item() for name in names]
        assert [row[f"evidence_{k + 1}"] for k in range(4)] == expected["evidence"].tolist()
    assert {row["signal"] for row in rows} - {None} <= {signal.name for signal in SIGNALS}
    assert all((row["signal"] is None) == (row["direction"] == 0) for row in rows)


def test_a_day_detected_alone_has_the_rows_that_it_has_in_a_range(
    detected: tuple[WorkDir, list[DayDetections]], copy: WorkDir, trading_days: list[str]
) -> None:
    assert undetected_days(copy) == trading_days
    for day in reversed(trading_days):
        detect_days(copy, [day])
    assert stored(copy) == stored(detected[0])
    assert undetected_days(copy) == []


def test_rows_of_a_day_do_not_change_when_the_next_days_events_do(
    copy: WorkDir, trading_days: list[str], alter: Alter
) -> None:
    """Leak test: what comes after the partition is shocked; its detections and their returns stay."""
    first = f"day = DATE '{trading_days[0]}'"
    detect_days(copy)
    before = stored(copy, first)
    assert all(before)
    alter(copy, f"UPDATE staging.events SET price = price + 500 WHERE day > DATE '{trading_days[0]}' AND kind <> 10")
    detect_days(copy)
    assert stored(copy, first) == before


def test_new_events_of_a_day_ask_for_its_detections_again(copy: WorkDir, alter: Alter, trading_days: list[str]) -> None:
    detect(copy)
    assert undetected_days(copy) == []
    alter(copy, f"UPDATE learning.detection_days SET events = events - 1 WHERE day = DATE '{trading_days[1]}'")
    assert undetected_days(copy) == [trading_days[1]]


def test_a_rebuild_makes_the_same_rows(journal_copy: WorkDir, detected: tuple[WorkDir, list[DayDetections]]) -> None:
    ingest(journal_copy)
    derive_learning_tables(journal_copy)
    before = stored(journal_copy)
    assert before == stored(detected[0])
    rebuild(journal_copy)
    derive_learning_tables(journal_copy)
    assert stored(journal_copy) == before


def edges(found: list[SignalEdge]) -> dict[tuple[str, str, int], SignalEdge]:
    return {(e.symbol, e.signal, e.horizon): e for e in found if e.part == ALL}


def test_the_scorecard_of_the_days_is_that_of_the_stream(detected: tuple[WorkDir, list[DayDetections]]) -> None:
    """Days and SQL in between change nothing but the horizons that a day's end cuts off."""
    workdir, days = detected
    source, total = open_feed(FEED, load_instruments()).source, sum(each.events for each in days)

    class Days:
        """The days that were journaled."""

        universe, description = source.universe, "days"

        def batches(self, batch_size: int, start: int = 0):
            events = np.concatenate(list(source.batches(65_536)))
            yield events[:total]

    found = edges(scorecard_of_days(workdir))
    compared = 0
    for symbol in gather_evidence(Days()):
        for name, moments in symbol.moments.items():
            expected = edge(moments, symbol.every, 0, MINUTE_NS)
            if not len(moments):
                assert (symbol.symbol, name, 0) not in found
                continue
            mine = found[symbol.symbol, name, 0].edge
            assert mine.moments == expected.moments
            assert abs(mine.known - expected.known) <= DAYS
            if mine.known == expected.known:
                assert mine.ticks.value == pytest.approx(expected.ticks.value)
                assert mine.lift.value == pytest.approx(expected.lift.value, rel=1e-3)
                compared += 1
    assert compared >= 4


def test_quarantined_days_do_not_count(copy: WorkDir, alter: Alter, trading_days: list[str]) -> None:
    detect_days(copy)
    whole = edges(scorecard_of_days(copy))
    alter(copy, f"UPDATE learning.data_quality SET quarantined = true WHERE day = DATE '{trading_days[0]}'")
    left = edges(scorecard_of_days(copy))
    first = run_sql(copy, f"FROM learning.detections WHERE day = DATE '{trading_days[0]}' AND signal = 'sweep'").height
    both = sum(e.edge.moments for key, e in whole.items() if key[1:] == ("sweep", 0))
    assert sum(e.edge.moments for key, e in left.items() if key[1:] == ("sweep", 0)) == both - first
    alter(copy, "UPDATE learning.data_quality SET quarantined = true")
    assert scorecard_of_days(copy) == []


def test_lift_is_a_query(detected: tuple[WorkDir, list[DayDetections]]) -> None:
    """The mean return of the scorecard is what anybody gets by SQL."""
    workdir, _ = detected
    row = run_sql(
        workdir,
        """SELECT i.symbol, count(d.change_10s) AS n, avg(d.direction * d.change_10s) AS ticks
        FROM detections AS d JOIN instruments AS i USING (run_id, instrument_id)
        WHERE signal = 'sweep' GROUP BY ALL ORDER BY i.symbol LIMIT 1""",
    ).row(0, named=True)
    mine = edges(scorecard_of_days(workdir))[row["symbol"], "sweep", 1].edge
    assert (mine.known, mine.ticks.value) == (row["n"], pytest.approx(row["ticks"]))
    named = run_sql(workdir, "SELECT name FROM enumerations WHERE enumeration = 'Detector' ORDER BY code")
    assert named["name"].to_list()[0] == "sweep"


def test_plots_and_table_hold_what_was_found(detected: tuple[WorkDir, list[DayDetections]]) -> None:
    workdir, days = detected
    found = scorecard_of_days(workdir)
    table = str(scorecard_markdown(found).value)
    assert table.count("\n") == 1 + sum(e.edge.known > 0 for e in found)
    assert "few (n < 30)" in table
    for plot in scorecard_plots(found).values():
        assert "data:image/png;base64," in str(plot.value)
    by_day = {s.name: {d.day: d.signals[s.name] for d in days} for s in SIGNALS}
    assert "data:image/png;base64," in str(detections_plot(by_day).value)
    assert scorecard_plots([]) == {} and len(CHANGE_COLUMNS) == len(HORIZONS_NS)
