"""`chimera bench`: what it prints, what it stores, what it refuses."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import runner
from benchmarks.figures import Scale
from benchmarks.results import LATEST, Results
from chimera_platform.cli import bench as bench_command
from chimera_platform.errors import ConfigurationError

CHECKOUT = Path(__file__).resolve().parents[2]
TINY = Scale(events=2_000, repeats=2, seconds=0.2)


def chimera(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chimera_platform", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
        cwd=CHECKOUT,
    )


@pytest.mark.parametrize("name", runner.BENCHMARKS)
def test_every_registered_benchmark_has_its_module_with_a_question_and_a_measure_function(name):
    module = importlib.import_module(f"benchmarks.{name}")
    assert callable(module.measure)
    assert (module.__doc__ or "").splitlines()[0] == runner.BENCHMARKS[name]


def test_a_wrong_name_is_refused_naming_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"'bok'.*book_and_features.*start_up"):
        runner.selected(["backtest", "bok"])


def test_no_name_means_all_and_a_repeated_one_counts_once():
    assert runner.selected([]) == list(runner.BENCHMARKS)
    assert runner.selected(["backtest", "backtest"]) == ["backtest"]


def test_the_command_refuses_a_wrong_name_as_wrong_usage():
    done = chimera("bench", "bok")
    assert done.returncode == 2
    assert "unknown benchmark 'bok'; known: book_and_features" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_missing_benchmarks_folder_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "benchmarks.runner", None)
    with pytest.raises(ConfigurationError, match="source checkout"):
        bench_command._load("benchmarks.runner")


def test_the_platform_is_imported_without_its_benchmarks():
    code = "import sys, chimera_platform.cli.app; sys.exit('benchmarks' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0


@pytest.mark.parametrize("name", ["book_and_features", "backtest"])
def test_a_benchmark_runs_on_the_simulator_alone_where_there_is_no_recorded_data(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CHIMERA_DATA", str(tmp_path / "nowhere"))
    asked: list[str] = []
    rows = runner.run([name], Results(tmp_path), TINY, asked.append)
    assert rows and all(key.endswith(".simulator") for key in rows)
    assert all(row["figure"] > 0 and row["detail"]["events"] == TINY.events for row in rows.values())
    assert asked == [f"{name}: {runner.BENCHMARKS[name]}"]
    assert json.loads((tmp_path / LATEST).read_text())["results"].keys() == rows.keys()


def test_the_command_prints_one_json_object_with_every_figure(tmp_path):
    done = chimera("bench", "model_score", "--quick", "--json", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["results"].values()
    assert {"figure", "unit", "baseline", "ratio"} <= row.keys()
    assert row["unit"] == "µs/row" and row["baseline"] is None
    assert [path.name for path in tmp_path.glob("*-model_score.json")]


@pytest.mark.slow
def test_the_live_flow_is_measured_one_event_at_a_time():
    from benchmarks.live_flow import run_flow_apart

    summary = run_flow_apart(stream="simulator", events=300, batch_size=1, interval_s=0.0005)
    assert summary["events"] == summary["telemetry"]["batches"] == 300
    assert summary["telemetry"]["latency_us"]["p50"] > 0
