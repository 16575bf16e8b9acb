"""From the warehouse's events to microprices in a release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from chimera_platform.microstructure.fitted_microprice import fitted_adjustment
from chimera_platform.microstructure.fitted_microprice_estimation import MicropriceSettings
from chimera_platform.release_microprice import microprice_record, tables_of
from chimera_platform.releases import ReleaseStore
from chimera_platform.workdir import WorkDir
from pipelines import fitting_microprices
from pipelines.defs.learning.assets import microprice
from pipelines.defs.resources import WorkDirResource
from pipelines.fitting_microprices import differ, fit_microprices
from pipelines.training import build_candidate, promote_candidate, train_challenger, weigh_engines

Alter = Callable[[WorkDir, str], None]


def release(workdir: WorkDir) -> dict:
    train_challenger(workdir)
    weigh_engines(workdir)
    build_candidate(workdir)
    return promote_candidate(workdir)


def test_every_symbol_is_fitted_judged_and_shipped_where_it_earned_it(copy: WorkDir) -> None:
    result = fit_microprices(copy)
    assert set(result["trials"]) == {"XAUUSD", "XAGUSD"}
    for symbol, trial in result["trials"].items():
        print(symbol, trial)
        assert len(trial["days"]) == 3 and trial["states"] > 5_000
        better = trial["error_fitted"] is not None and trial["error_fitted"] < trial["error_mid"]
        assert (symbol in result["accepted"]) == better == (trial["reason"] == "")
    assert result["accepted"], "the simulated market's imbalance says something"
    promotion = release(copy)
    assert promotion["promoted"] and "microprice" in promotion["changes"]
    assert promotion["microprices"] == sorted(result["accepted"])
    store = ReleaseStore(copy.releases)
    loaded = store.load(promotion["release_id"])
    assert loaded.manifest["microprices"] == result["trials"]
    for symbol in result["accepted"]:
        table = microprice_record(loaded, symbol)[0]
        step = int(table["spread_step"])
        assert fitted_adjustment(table, 1000, 900, 1000 + step, 100) > 0
    again = release(copy)
    assert "microprice" not in again["changes"], "the same days give the same tables: that is no change"


def test_quarantined_days_and_second_runs_of_a_day_do_not_count(
    copy: WorkDir, alter: Alter, trading_days: list[str]
) -> None:
    whole = fit_microprices(copy)
    alter(copy, "INSERT INTO learning.data_quality SELECT * REPLACE ('older' AS run_id) FROM learning.data_quality")
    alter(copy, "INSERT INTO staging.runs SELECT * REPLACE ('older' AS run_id, created - INTERVAL 1 HOUR AS created) "
          "FROM staging.runs")  # fmt: skip
    (copy.path / "journal" / "older").symlink_to(copy.path / "journal" / "run")
    assert fit_microprices(copy)["trials"] == whole["trials"]
    alter(copy, f"UPDATE learning.data_quality SET quarantined = true WHERE day = '{trading_days[0]}'")
    left = fit_microprices(copy)
    assert all(trial["days"] == trading_days[1:] for trial in left["trials"].values())
    assert all(trial["states"] < whole["trials"][symbol]["states"] for symbol, trial in left["trials"].items())


def test_only_the_newest_days_are_used(copy: WorkDir, monkeypatch: pytest.MonkeyPatch, trading_days: list[str]) -> None:
    monkeypatch.setattr(fitting_microprices, "DAYS", 1)
    assert all(trial["days"] == trading_days[-1:] for trial in fit_microprices(copy)["trials"].values())


def test_a_refused_fit_leaves_the_champions_table_in_force(copy: WorkDir) -> None:
    accepted = set(fit_microprices(copy)["accepted"])
    first = release(copy)
    refused = fit_microprices(copy, MicropriceSettings(visits_min=1_000_000))
    assert refused["accepted"] == {} and all("fit on more data" in t["reason"] for t in refused["trials"].values())
    second = release(copy)
    assert "microprice" not in second["changes"] and set(second["microprices"]) == accepted
    assert ReleaseStore(copy.releases).current() == first["release_id"] or second["promoted"]


def test_a_small_move_of_a_table_is_no_change() -> None:
    value = {"imbalance_bins": 3, "spread_step": 2, "rows": [[-0.5, 0.0, 0.5]]}
    old = tables_of({"A": value}, "old")
    assert not differ(old, old) and not differ({}, old) and differ(old, {})
    assert not differ(tables_of({"A": {**value, "rows": [[-0.6, 0.0, 0.6]]}}, "new"), old)
    assert differ(tables_of({"A": {**value, "rows": [[-0.8, 0.0, 0.8]]}}, "new"), old)
    assert differ(tables_of({"A": {**value, "spread_step": 1}}, "new"), old)


def test_the_asset_shows_tables_and_trials(copy: WorkDir, tmp_path: Path) -> None:
    result = microprice(WorkDirResource(path=str(copy.path)))
    assert isinstance(result, dg.MaterializeResult) and result.metadata is not None
    assert "data:image/png" in str(result.metadata["adjustments"].value)  # type: ignore[union-attr]
    assert "| XAUUSD | 3 |" in str(result.metadata["trials"].value)  # type: ignore[union-attr]
