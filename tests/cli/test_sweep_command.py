"""`chimera sweep`: a table of metrics, the best set, and refusals before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from chimera_platform.cli.app import app
from chimera_platform.errors import ConfigurationError
from chimera_platform.portfolio.performance import METRIC_NAMES

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=9&days=2&rate=0.05"


def sweep(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sweep", "--feed", FEED, *map(str, arguments), "--json"])


def said(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.exception
    content = json.loads(result.stdout)
    assert isinstance(content, dict)
    return content


def grid_file(folder: Path, content: object) -> Path:
    path = folder / "grid.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_grid_gives_one_row_a_set_and_the_best_of_them(tmp_path: Path) -> None:
    grid = grid_file(tmp_path, {"hft": {"stop_vols": [1, 2.5], "cooldown_ns": [1e9, 5e9]}})
    summary = said(sweep("--grid", grid, "--out", tmp_path / "new" / "sweep.parquet", "--by", "turnover"))
    assert {"sets", "events", "events_per_second", "best"} <= summary.keys()
    table = pl.read_parquet(tmp_path / "new" / "sweep.parquet")
    assert table["set"].to_list() == [0, 1, 2, 3] and summary["sets"] == 4
    assert table["hft.stop_vols"].to_list() == [1.0, 1.0, 2.5, 2.5]
    assert table["hft.cooldown_ns"].dtype == pl.Int64
    assert set(METRIC_NAMES) <= set(table.columns)
    assert table["events"].unique().to_list() == [summary["events"]]
    best = summary["best"]
    assert isinstance(best, dict)
    assert best["turnover"] == table["turnover"].max()
    row = table.row(best["set"], named=True)
    assert row["digest"] == best["digest"]
    assert best["parameters"]["hft"]["stop_vols"] == row["hft.stop_vols"]


def test_a_sample_is_the_same_for_the_same_seed_and_any_number_of_workers(tmp_path: Path) -> None:
    tables = []
    for k, workers in enumerate((1, 3)):
        out = tmp_path / f"{k}.parquet"
        said(sweep("--sample", 4, "--seed", 5, "--events", 3_000, "--workers", workers, "--out", out))
        tables.append(pl.read_parquet(out).drop("seconds"))
    assert tables[0].equals(tables[1])
    assert tables[0]["events"].to_list() == [3_000] * 4


def test_days_give_one_row_a_day_and_set(tmp_path: Path) -> None:
    out = tmp_path / "days.parquet"
    summary = said(sweep("--sample", 2, "--keys", "hft.stop_vols,structure", "--days", "--out", out))
    table = pl.read_parquet(out)
    assert (summary["days"], summary["sets"], table.height) == (2, 2, 4)
    assert table["day"].n_unique() == 2
    assert "structure.range_bars" in table.columns and "hft.cooldown_ns" not in table.columns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", '{"hft": {"patience": [1]}}'], "hft.patience"),
        (["--grid", '{"hft": {"stop_vols": [99]}}'], "hft.stop_vols"),
        (["--grid", '{"hft": [1]}'], "grid.json: expected an object of sections"),
        (["--grid", "{"], "grid.json: not valid JSON"),
        (["--sample", 2, "--keys", "hft.patience"], "hft.patience"),
        (["--sample", 2, "--keys", "hft."], "--keys names 'hft.'"),
        (["--grid", '{"hft": {"stop_vols": [1]}}', "--keys", "hft"], "--keys goes with --sample"),
        (["--sample", 2, "--by", "luck"], "--by is 'luck'"),
        (["--sample", 2, "--stream", "--days"], "--stream"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name_and_leaves_no_file(
    tmp_path: Path, arguments: list[object], message: str
) -> None:
    given = [grid_file(tmp_path, each) if str(each).startswith("{") else each for each in arguments]
    result = sweep(*given, "--out", tmp_path / "sweep.parquet")
    assert isinstance(result.exception, ConfigurationError)
    assert message in str(result.exception)
    assert not (tmp_path / "sweep.parquet").exists()


def test_neither_or_both_of_grid_and_sample_is_wrong_usage(tmp_path: Path) -> None:
    out = tmp_path / "sweep.parquet"
    assert sweep("--out", out).exit_code == 2
    grid = grid_file(tmp_path, {"hft": {"stop_vols": [1]}})
    assert sweep("--out", out, "--grid", grid, "--sample", 2).exit_code == 2
