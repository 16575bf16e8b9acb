"""The benchmarks' arithmetic and stored results: invariants of numbers, never of times."""

from __future__ import annotations

import json
from datetime import date

import pytest

from benchmarks.figures import Figure, Timing, median_figure, ratio, timed
from benchmarks.results import LATEST, Results
from chimera_platform.errors import DataError


def test_the_figure_of_repeats_is_their_median_and_shows_the_extremes():
    figure = median_figure("x", "s", [5.0, 1.0, 2.0], None)
    assert (figure.figure, figure.detail) == (2.0, {"lowest": 1.0, "highest": 5.0})


def test_a_timing_is_the_median_per_unit_of_work():
    timing = Timing(wall_s=(0.004, 0.001, 0.002), cpu_s=(0.003, 0.001, 0.0015))
    assert timing.median_s == 0.002
    assert timing.cpu_ns_per(1000) == pytest.approx(1500)
    wall = {"wall_ns": 2000, "wall_best_ns": 1000, "wall_worst_ns": 4000}
    assert timing.spread(1000) == pytest.approx({"cpu_ns": 1500, **wall})


def test_warm_up_runs_are_made_but_not_counted():
    prepared: list[int] = []
    worked: list[int] = []
    timing = timed(lambda: prepared.append(1) or len(prepared), worked.append, repeats=3, warm_up=2)
    assert worked == [1, 2, 3, 4, 5]
    assert len(timing.wall_s) == len(timing.cpu_s) == 3


def test_a_ratio_is_figure_over_baseline_and_none_without_one():
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(3.0, None) is None
    assert ratio(3.0, 0.0) is None


@pytest.mark.parametrize(
    ("unit", "figure", "goal", "reached"),
    [
        ("ns/event", 90.0, 100.0, True),
        ("ns/event", 110.0, 100.0, False),
        ("events/s", 110.0, 100.0, True),
        ("events/s", 90.0, 100.0, False),
        ("s", 1.0, None, None),
    ],
)
def test_a_goal_is_reached_from_the_side_that_its_unit_tells(unit, figure, goal, reached):
    assert Figure("x", figure, unit, goal).reached is reached


def _stored(folder, value, unit="ns/event"):
    results = Results(folder)
    rows = results.compare([Figure("book.simulator", value, unit)])
    path = results.store("book", rows, date(2024, 1, 2))
    return rows["book.simulator"], path


def test_a_result_is_compared_with_the_one_stored_before(tmp_path):
    first, path = _stored(tmp_path, 50.0)
    second, _ = _stored(tmp_path, 75.0)
    assert (first["baseline"], first["ratio"]) == (None, None)
    assert (second["baseline"], second["ratio"]) == (50.0, 1.5)
    assert path.name == "2024-01-02-book.json"
    assert json.loads(path.read_text())["results"]["book.simulator"] == second


def test_a_result_in_another_unit_has_no_baseline(tmp_path):
    _stored(tmp_path, 50.0)
    row, _ = _stored(tmp_path, 75.0, "µs/event")
    assert row["baseline"] is None


def test_results_of_another_machine_are_no_baseline(tmp_path):
    _stored(tmp_path, 50.0)
    stored = json.loads((tmp_path / LATEST).read_text())
    stored["machine"]["processor"] = "another"
    (tmp_path / LATEST).write_text(json.dumps(stored))
    row, _ = _stored(tmp_path, 75.0)
    assert row["baseline"] is None


def test_storing_one_benchmark_keeps_the_others_and_drops_its_own_old_figures(tmp_path):
    results = Results(tmp_path)
    results.store("ingest", results.compare([Figure("ingest", 1.0, "rows/s"), Figure("ingest.again", 1.0, "ms")]))
    results.store("book", results.compare([Figure("book.simulator", 1.0, "ns/event")]))
    results.store("ingest", results.compare([Figure("ingest", 2.0, "rows/s")]))
    assert set(json.loads((tmp_path / LATEST).read_text())["results"]) == {"ingest", "book.simulator"}


def test_a_damaged_results_file_is_named(tmp_path):
    (tmp_path / LATEST).write_text("{")
    with pytest.raises(DataError, match=LATEST):
        Results(tmp_path)
