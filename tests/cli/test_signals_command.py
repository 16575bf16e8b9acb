"""`chimera signals`: every detector's and strategy's output in one table, in real prices and by name."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from chimera_platform.cli.app import app
from chimera_platform.cli.signals_command import SignalTable
from chimera_platform.configuration import Configuration
from chimera_platform.decision_path import DecisionPath
from chimera_platform.execution.records import Engine, IntentReason
from chimera_platform.market.instruments import load_instruments
from chimera_platform.signals.records import Stage
from chimera_platform.signals.scorecard import detect_all
from chimera_platform.simulation.market.simulator import SimulatedMarket

URL = "sim://?days=1&rate=0.5&seed=21&sweeps_a_day=60&icebergs_a_day=60"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket.from_url(URL, load_instruments())


def invoke(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["signals", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], pl.DataFrame, Path]:
    out = tmp_path_factory.mktemp("signals") / "signals.parquet"
    return invoke("--feed", URL, "--out", str(out)), pl.read_parquet(out), out


def test_every_detection_is_a_row_in_real_prices_and_names(
    market: SimulatedMarket, written: tuple[dict[str, Any], pl.DataFrame, Path]
) -> None:
    summary, frame, out = written
    rows, said = frame.filter(pl.col("source") == "detector"), detect_all(market)[0]
    assert summary["events"] == sum(len(batch) for batch in market.batches(65_536))
    assert summary["rows"] == len(frame) and len(rows) == len(said)
    for name in ("sweep", "iceberg"):
        own = rows.filter(pl.col("kind") == name)
        assert summary["signals"][name] == own.select("symbol", "detection_no").n_unique() > 50
        assert summary["stages"][name] == {
            stage.name.lower(): own.filter(pl.col("stage") == stage.name.lower()).height for stage in Stage
        }
    first, row = said[0], rows.row(0, named=True)
    instrument = market.universe[int(first["instrument_id"])]
    assert row["symbol"] == instrument.symbol and row["event_no"] == first["event_no"]
    assert row["price_low"] == float(int(first["price_low"]) * instrument.tick_size)
    assert row["size"] == float(int(first["size"]) * instrument.lot_size)
    assert set(rows["direction"]) == {"bullish", "bearish"}
    assert rows.select("entry", "stop", "target").null_count().row(0) == (len(rows),) * 3
    place = frame["source"].to_list().index("detector")
    evidence = dict(pq.read_table(out)["evidence"][place].as_py())
    assert list(evidence.values()) == first["evidence"].tolist() and len(evidence) == 4


def test_every_intent_is_a_row_with_entry_stop_and_target(
    market: SimulatedMarket, written: tuple[dict[str, Any], pl.DataFrame, Path]
) -> None:
    summary, frame, _ = written
    rows = frame.filter(pl.col("source") == "strategy")
    intents = (
        DecisionPath(market.universe, Configuration()).run(np.concatenate(list(market.batches(65_536))), 0).intents
    )
    assert len(rows) == len(intents) > 20
    for row, intent in zip(rows.rows(named=True), intents, strict=True):
        assert row["event_no"] == intent["event_no"]
        assert row["kind"] == f"{Engine(intent['engine']).name}.{IntentReason(intent['reason']).name}".lower()
        side = 1 if row["direction"] == "bullish" else -1
        assert side == intent["side"] and row["strength"] == intent["confidence"]
        tick = float(market.universe[int(intent["instrument_id"])].tick_size)
        assert side * (row["entry"] - row["stop"]) == pytest.approx(intent["stop_distance"] * tick)
        assert side * (row["target"] - row["entry"]) == pytest.approx(intent["target_distance"] * tick)
        expected = intent["limit_price"] or (intent["ask_price"] if side > 0 else intent["bid_price"])
        assert row["entry"] == pytest.approx(expected * tick)
        assert row["stage"] is None and row["detection_no"] is None and row["price_low"] is None
    counted = dict(rows.group_by("kind").len().rows())
    assert {kind: n for kind, n in summary["signals"].items() if "." in kind} == counted


def test_rows_are_in_stream_order_and_do_not_depend_on_the_batches(
    market: SimulatedMarket, written: tuple[dict[str, Any], pl.DataFrame, Path]
) -> None:
    frame = written[1]
    assert frame["event_no"].is_sorted()
    other = pl.concat([pl.from_arrow(batch) for batch in SignalTable(market, batch_size=3_001)])
    assert other.drop("evidence").equals(frame.drop("evidence"))


def test_the_configuration_decides_what_counts(
    tmp_path: Path, written: tuple[dict[str, Any], pl.DataFrame, Path]
) -> None:
    config, out = tmp_path / "strict.toml", tmp_path / "strict.parquet"
    config.write_text("[detectors.sweeps]\nlevels = 30\ndepth_share = 10.0\n")
    strict = invoke("--feed", URL, "--out", str(out), "--config", str(config))
    assert strict["stages"]["sweep"]["confirmed"] == 0 < written[0]["stages"]["sweep"]["confirmed"]
    assert strict["signals"]["iceberg"] == written[0]["signals"]["iceberg"]
    config.write_text("[detectors.sweeps]\nlevel = 30\n")
    result = CliRunner().invoke(app, ["signals", "--feed", URL, "--out", str(out), "--config", str(config)])
    assert result.exit_code != 0 and "unknown key 'detectors.sweeps.level'" in str(result.exception)


def test_a_source_without_signals_gives_an_empty_table(tmp_path: Path) -> None:
    quotes, out = tmp_path / "xauusd" / "20140501_quote.zip", tmp_path / "none.parquet"
    quotes.parent.mkdir()
    with zipfile.ZipFile(quotes, "w") as archive:
        archive.writestr("20140501_quote.csv", "1.0,1200.10,1200.20\n2.0,1200.11,1200.21\n")
    summary = invoke(str(quotes), "--format", "oanda", "--out", str(out))
    assert summary["events"] == 2 and summary["rows"] == 0 and set(summary["signals"].values()) == {0}
    assert pl.read_parquet(out).height == 0
