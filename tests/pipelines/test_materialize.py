"""Everything materialised in one process: journal to promoted release, recorded where the UI shows it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from chimera_platform.errors import DataError, WarehouseError
from chimera_platform.execution.records import Engine
from chimera_platform.releases import ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines import training_folder
from pipelines.instance import open_instance
from pipelines.run import MaterializeResult, attribute, materialize_all, train
from warehouse.connection import connect

pytestmark = pytest.mark.slow  # a dozen Dagster runs

Alter = Callable[[WorkDir, str], None]


@pytest.fixture(scope="module")
def materialised(
    journaled: WorkDir, tmp_path_factory: pytest.TempPathFactory
) -> tuple[WorkDir, MaterializeResult, list[str]]:
    workdir = WorkDir(shutil.copytree(journaled.path, tmp_path_factory.mktemp("materialised") / "work"))
    said: list[str] = []
    return workdir, materialize_all(workdir, progress=said.append), said


def test_all_days_are_loaded_and_nothing_fails(
    materialised: tuple[WorkDir, MaterializeResult, list[str]], trading_days: list[str]
) -> None:
    workdir, result, said = materialised
    assert result.failures == []
    assert result.days == trading_days
    assert result.warehouse_rows["events"] > 50_000
    assert result.warehouse_rows["intents"] == result.warehouse_rows["decisions"] > 1_000
    assert len(said) == 2
    assert result.promoted == (ReleaseStore(workdir.releases).current() is not None)
    assert result.reason
    assert {gate["gate"] for gate in result.gates} >= {"data_quality", "better_than_champion", "changes_something"}


def test_the_ui_finds_each_days_materialisation_with_rows_and_a_plot(
    materialised: tuple[WorkDir, MaterializeResult, list[str]], trading_days: list[str]
) -> None:
    workdir, _, _ = materialised
    with open_instance(workdir) as instance:
        for key in (["staging", "events"], ["learning", "labelled_intents"], ["learning", "attribution"]):
            assert set(instance.get_materialized_partitions(dg.AssetKey(key))) == set(trading_days)
        event = instance.get_latest_materialization_event(dg.AssetKey(["learning", "labelled_intents"]))
        assert event is not None and event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        assert int(metadata["dagster/row_count"].value) > 1_000  # type: ignore[arg-type]
        assert "data:image/png;base64," in str(metadata["outcomes"].value)
        assert instance.get_latest_materialization_event(dg.AssetKey(["release", "promoted"])) is not None


def test_materialising_again_adds_no_rows_and_no_release(
    materialised: tuple[WorkDir, MaterializeResult, list[str]],
) -> None:
    workdir, first, _ = materialised
    before = ReleaseStore(workdir.releases).list()
    again = materialize_all(workdir)
    assert again.failures == []
    assert again.warehouse_rows == first.warehouse_rows
    assert ReleaseStore(workdir.releases).list() == before
    assert not again.promoted


def test_training_by_hand_is_the_same_code_with_the_same_result(
    materialised: tuple[WorkDir, MaterializeResult, list[str]], journaled: WorkDir, tmp_path: Path
) -> None:
    _, first, _ = materialised
    workdir = WorkDir(shutil.copytree(journaled.path, tmp_path / "work"))
    by_hand = train(workdir)
    shown = {gate["gate"]: gate["value"] for gate in first.gates}
    assert {gate["gate"]: gate["value"] for gate in by_hand["gates"]} == shown
    assert by_hand["promoted"] == first.promoted
    if first.release_id is not None:
        store = ReleaseStore(workdir.releases)
        other = ReleaseStore(materialised[0].releases)
        assert store.model_json(by_hand["release_id"]) == other.model_json(first.release_id)


def test_attribution_by_hand_adds_up(materialised: tuple[WorkDir, MaterializeResult, list[str]]) -> None:
    result = attribute(materialised[0])
    assert result["rows"]
    for row in result["rows"]:
        parts = row["mid_alpha_nanos"] - row["spread_nanos"] - row["slippage_nanos"] - row["fee_nanos"]
        assert parts == row["net_nanos"]
    assert set(result["engines"]) <= {engine.name.lower() for engine in Engine}


def test_net_profit_of_the_attribution_is_that_of_the_fills_and_closing_values(
    materialised: tuple[WorkDir, MaterializeResult, list[str]],
) -> None:
    attribute(materialised[0])
    connection = connect(materialised[0])
    net = connection.execute("SELECT sum(net_nanos) FROM learning.attribution").fetchall()[0][0]
    expected = connection.execute(
        """SELECT sum(cash - fee + coalesce(position * (bid_price + ask_price) * tick_value_nanos / 2, 0))
        FROM (
            SELECT instrument_id, sum(cash_nanos) AS cash, sum(fee_nanos) AS fee, sum(side * size) AS position
            FROM staging.fills GROUP BY ALL
        )
        LEFT JOIN (FROM learning.closing_quotes WHERE day = (SELECT max(day) FROM learning.closing_quotes))
            USING (instrument_id)
        JOIN staging.instruments USING (instrument_id)"""
    ).fetchall()[0][0]
    connection.close()
    assert abs(net - expected) < 1


def test_a_reconciliation_error_stops_everything_downstream(copy: WorkDir, alter: Alter) -> None:
    alter(copy, "UPDATE staging.fills SET cash_nanos = cash_nanos + 1 WHERE fill_no = 3")
    result = materialize_all(copy)
    assert len(result.failures) == 1
    assert "reconciliation of staging/fills failed" in result.failures[0]
    assert "cash is price times size: 1 rows" in result.failures[0]
    assert not result.promoted
    assert ReleaseStore(copy.releases).current() is None
    with open_instance(copy) as instance:
        assert instance.get_latest_materialization_event(dg.AssetKey(["staging", "fills"])) is not None
        for key in (["learning", "attribution"], ["models", "signal_model"], ["release", "promoted"]):
            assert instance.get_latest_materialization_event(dg.AssetKey(key)) is None


def test_a_day_that_is_not_in_the_journal_is_refused(journal_copy: WorkDir, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no events of 1999-01-01\. Days in the journal: 2"):
        materialize_all(journal_copy, days=["1999-01-01"])
    with pytest.raises(DataError, match="Days in the journal: none"):
        materialize_all(WorkDir(tmp_path / "empty").prepare())


def test_a_step_that_breaks_is_reported_with_its_cause(
    copy: WorkDir, monkeypatch: pytest.MonkeyPatch, trading_days: list[str]
) -> None:
    def broken(*_: object) -> None:
        raise DataError("planted")

    monkeypatch.setattr("pipelines.defs.learning.assets.train_challenger", broken)
    result = materialize_all(copy, days=trading_days[:1])
    assert result.failures == ["step models__signal_model failed: chimera_platform.errors.DataError: planted"]
    assert not result.promoted
    assert not (training_folder.learning_folder(copy) / "promotion.json").exists()


def test_a_damaged_segment_stops_the_day_and_is_named(journal_copy: WorkDir, trading_days: list[str]) -> None:
    segment = sorted((journal_copy.journal / "run" / "fills").glob("*.parquet"))[0]
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    result = materialize_all(journal_copy, days=trading_days[:1])
    assert any("segments_intact" in failure and segment.name in failure for failure in result.failures)
    assert not result.promoted


def test_a_work_folder_that_cannot_be_written_fails_with_a_sentence(
    journal_copy: WorkDir, monkeypatch: pytest.MonkeyPatch, trading_days: list[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise WarehouseError("the disk is full")

    monkeypatch.setattr("pipelines.defs.warehouse.assets.ingest", full)
    monkeypatch.setattr("pipelines.run.rows_of", lambda *_: {})
    result = materialize_all(journal_copy, days=trading_days[:1])
    assert result.failures == ["step staging failed: the disk is full"]
