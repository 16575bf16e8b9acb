"""The command line's contract: the keys of each JSON object, and the columns that are checked from outside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from chimera_platform.microstructure.feature_names import FEATURE_NAMES
from tests.e2e.flow_process import ROOT, chimera

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=13&days=3&rate=0.5"
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder in which three simulated days were run and ingested."""
    folder = tmp_path_factory.mktemp("commands")
    run = chimera("replay", "--feed", FEED, "--workdir", folder)
    assert {"events", "intents", "orders", "fills", "digest"} <= run.keys()
    ingested = chimera("ingest", "--workdir", folder)
    assert ingested["rows"] > run["events"] and ingested["segments"] > 0 and ingested["problems"] == []
    return folder


def texts(*arguments: object) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "chimera_platform", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return result.stdout


def commands() -> Iterator[str]:
    from chimera_platform.cli.app import app

    for command in app.registered_commands:
        assert command.callback is not None
        yield command.name or command.callback.__name__


@pytest.mark.parametrize("command", [*commands(), "release list", "release promote", "release rollback"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    from typer.testing import CliRunner

    from chimera_platform.cli.app import app

    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Example: chimera" in result.output


@pytest.mark.parametrize(
    "command", [*commands(), "release list", "release show", "release promote", "release rollback"]
)
def test_every_command_accepts_the_common_options(command: str) -> None:
    from typer.testing import CliRunner

    from chimera_platform.cli.app import app

    common = ["--workdir", "nowhere", "--config", "none.toml", "--seed", "3"]
    assert CliRunner().invoke(app, [*command.split(), *common, "--help"]).exit_code == 0


def test_the_seed_goes_into_a_simulator_feed_that_names_none() -> None:
    from chimera_platform.cli.options import with_seed

    assert with_seed("sim://?days=1", 5) == "sim://?days=1&seed=5"
    assert with_seed("sim://", 5) == "sim://?seed=5"
    assert with_seed("sim://?seed=2", 5) == "sim://?seed=2"
    assert with_seed("replay:x.zip", 5) == "replay:x.zip"


def test_ingesting_again_changes_nothing_and_a_rebuild_gives_the_same_rows(workdir: Path) -> None:
    assert chimera("ingest", "--workdir", workdir)["rows"] == 0
    query = "SELECT (SELECT count(*) FROM staging.events) AS events, (SELECT sum(size) FROM staging.fills) AS lots"
    before = chimera("sql", query, "--workdir", workdir)["rows"]
    assert chimera("rebuild", "--workdir", workdir)["rows"] > before[0]["events"]
    assert chimera("sql", query, "--workdir", workdir)["rows"] == before


def test_a_warehouse_that_was_deleted_comes_back_whole_labels_and_attribution_included(workdir: Path) -> None:
    chimera("attribute", "--workdir", workdir)
    tables = ("staging.events", "core.order_lifecycle", "learning.labelled_intents", "learning.attribution")
    counted = ", ".join(
        f"(SELECT (count(*), bit_xor(hash(t))) FROM {table} t)::VARCHAR AS x{k}" for k, table in enumerate(tables)
    )
    before = chimera("sql", f"SELECT {counted}", "--workdir", workdir)["rows"]
    shutil.rmtree(workdir / "warehouse")
    chimera("rebuild", "--workdir", workdir)
    assert chimera("sql", f"SELECT {counted}", "--workdir", workdir)["rows"] == before
    assert "(0," not in str(before)


def test_sql_answers_in_three_forms_and_cannot_write(workdir: Path) -> None:
    query = "SELECT reason, count(*) AS n FROM core.decisions GROUP BY ALL ORDER BY n DESC, reason"
    rows = chimera("sql", query, "--workdir", workdir)["rows"]
    assert rows and rows[0].keys() == {"reason", "n"}
    csv = texts("sql", query, "--format", "csv", "--workdir", workdir).splitlines()
    assert csv[0] == "reason,n" and csv[1] == f"{rows[0]['reason']},{rows[0]['n']}"
    assert rows[0]["reason"] in texts("sql", query, "--workdir", workdir)
    command = [sys.executable, "-m", "chimera_platform", "sql", "SELECT [1, 2] AS pair", "--format", "csv"]
    nested = subprocess.run([*command, "--workdir", workdir], cwd=ROOT, capture_output=True, text=True, check=False)
    assert nested.returncode == 1 and "lists or structs" in nested.stderr and "Traceback" not in nested.stderr
    assert "error" in chimera("sql", "DELETE FROM staging.fills", "--workdir", workdir, status=1)


def test_the_story_of_an_order_is_one_query(workdir: Path) -> None:
    query = "SELECT status, reason, size, filled FROM core.orders WHERE order_no = 0 ORDER BY order_event_no"
    story = chimera("sql", query, "--workdir", workdir)["rows"]
    assert story[0]["status"] == "pending_new" and story[0]["reason"] == "entry"
    assert story[-1]["status"] in ("filled", "cancelled", "rejected", "expired")


def test_training_and_attribution_answer_with_gates_and_parts(workdir: Path) -> None:
    trained = chimera("train", "--workdir", workdir)
    assert {"release_id", "promoted", "gates"} <= trained.keys()
    assert all({"gate", "passed", "reason"} <= gate.keys() for gate in trained["gates"]) and trained["gates"]
    assert chimera("attribute", "--workdir", workdir)["engines"]
    listed = chimera("release", "list", "--workdir", workdir)
    assert {"current", "releases", "history"} <= listed.keys()
    assert (listed["current"] is not None) == trained["promoted"]


def test_releases_are_promoted_and_rolled_back_by_command(tmp_path: Path) -> None:
    from chimera_platform.releases import ReleaseStore

    store = ReleaseStore(tmp_path / "releases")
    first, second = (store.create({}, {"hft": weight}, None, 0.5, {}).id for weight in (0.4, 0.6))
    for release_id in (first, second):
        assert chimera("release", "promote", release_id, "--workdir", tmp_path)["promoted"]
    shown = chimera("release", "show", second, "--workdir", tmp_path)
    assert shown["weights"] == {"hft": 0.6}
    assert chimera("release", "rollback", "--workdir", tmp_path)["release_id"] == first
    assert store.current() == first
    assert "error" in chimera("release", "rollback", "--workdir", tmp_path, status=1)


def test_report_gives_a_page_and_figures_of_each_run_on_a_day(workdir: Path) -> None:
    found = chimera("report", "--date", "2024-01-03", "--workdir", workdir)
    (one,) = found["reports"]
    assert {"metrics", "net_profit_by", "execution", "p_value_of_entries", "seed"} <= one.keys()
    assert one["metrics"]["days"] == 1
    assert "<html" in Path(one["report"]).read_text(encoding="utf-8")
    assert "net_profit" in texts("report", "--workdir", workdir)


def test_backtest_gives_metrics_monte_carlo_and_a_report(tmp_path: Path) -> None:
    feed = "sim://?symbols=XAUUSD&seed=2&days=1"
    tested = chimera("backtest", "--feed", feed, "--workdir", tmp_path)
    assert {"digest", "metrics", "monte_carlo", "events_per_second"} <= tested.keys()
    assert "<html" in Path(tested["report"]).read_text().lower()
    assert len(pl.read_parquet(tmp_path / "out" / "fills.parquet")) == tested["fills"]
    parameters = tmp_path / "search.json"
    parameters.write_text(json.dumps({"hft": {"cooldown_ns": 600 * SECOND}}))
    slower = chimera("backtest", "--feed", feed, "--params", parameters, "--workdir", tmp_path)
    assert slower["intents"] < tested["intents"]
    parameters.write_text(json.dumps({"hft": {"no_such_key": 1}}))
    refused = chimera("backtest", "--feed", feed, "--params", parameters, "--workdir", tmp_path, status=1)
    assert "no_such_key" in refused["error"]


def test_book_features_and_bars_have_the_documented_columns(tmp_path: Path) -> None:
    feed, out = "sim://?symbols=XAUUSD&seed=2&days=1&rate=0.3", tmp_path / "out.parquet"
    counted = chimera("book", "--feed", feed, "--levels", 2, "--out", out)
    assert {"events", "gaps", "crossed"} <= counted.keys() and counted["crossed"] == 0
    book = pl.read_parquet(out)
    sides = [f"{side}_{what}_{k}" for side in ("bid", "ask") for k in (1, 2) for what in ("px", "sz")]
    assert {"ts_ns", "seq", *sides} <= set(book.columns)
    assert (book["bid_px_1"] < book["ask_px_1"]).drop_nulls().all()

    assert chimera("features", "--feed", feed, "--out", out)["features"] == list(FEATURE_NAMES)
    features = pl.read_parquet(out)
    assert {"ts_ns", "seq", "symbol", *FEATURE_NAMES} <= set(features.columns)

    counted = chimera("bars", "--feed", feed, "--interval", "5m", "--out", out)
    bars = pl.read_parquet(out)
    assert counted["bars"] == len(bars) > 200
    assert {"ts_ns", "open", "high", "low", "close", "volume", "trades", "bid_open", "ask_close"} <= set(bars.columns)
    assert (bars["ts_ns"] % (300 * SECOND) == 0).all() and bars["ts_ns"].is_sorted()
    assert (bars["low"] <= bars["open"]).all() and (bars["close"] <= bars["high"]).all()


def test_doctor_says_how_to_mend_what_is_wrong(tmp_path: Path) -> None:
    healthy = chimera("doctor", "--workdir", tmp_path)
    assert healthy["ok"] and {c["name"] for c in healthy["checks"]} >= {"python", "disk", "clock", "lock", "release"}
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "CURRENT").write_text("0" * 32)
    sick = chimera("doctor", "--workdir", tmp_path, status=1)
    release = next(check for check in sick["checks"] if check["name"] == "release")
    assert not release["ok"] and "promote" in release["mend"]
