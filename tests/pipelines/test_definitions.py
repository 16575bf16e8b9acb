"""What Dagster is told: it loads, it is whole, writers take turns, schedule and sensor ask for runs."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import dagster as dg
import pytest
import yaml

from chimera_platform.journal.schema import TABLES
from chimera_platform.workdir import WorkDir
from pipelines.definitions import ASSETS, CHECKS, build, defs
from pipelines.defs.journal.assets import journal_segments
from pipelines.defs.journal.partitions import PARTITIONS
from pipelines.defs.journal.sensors import new_segments
from pipelines.defs.release.schedules import NIGHTLY_SCHEDULE
from pipelines.defs.resources import WorkDirResource, default_workdir
from pipelines.instance import open_instance, prepare_home
from tests.pipelines.conftest import write_journal
from warehouse.relations import relations


@pytest.fixture(scope="module")
def graph() -> dg.AssetGraph:
    return defs.resolve_asset_graph()  # type: ignore[no-any-return]


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_workspace_file_names_the_module_that_holds_the_definitions() -> None:
    workspace = yaml.safe_load((Path(__file__).parents[2] / "workspace.yaml").read_text())
    (location,) = workspace["load_from"]
    assert location["python_module"]["module_name"] == "pipelines.definitions"


def test_every_journal_table_and_every_model_is_an_asset(graph: dg.AssetGraph) -> None:
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {f"staging/{name}" for name in TABLES} <= keys
    assert {relation.full_name.replace(".", "/") for relation in relations()} <= keys


def test_the_lineage_leads_from_the_journal_to_the_promoted_release(graph: dg.AssetGraph) -> None:
    seen, queue = set(), [dg.AssetKey(["release", "promoted"])]
    while queue:
        key = queue.pop()
        seen.add(key.to_user_string())
        queue += [parent for parent in graph.get(key).parent_keys if parent.to_user_string() not in seen]
    assert {"journal/segments", "staging/events", "learning/labelled_intents", "models/signal_model"} <= seen
    assert {"staging/fills", "core/positions", "learning/attribution", "models/engine_weights"} <= seen


def test_what_belongs_to_a_day_is_partitioned_by_day(graph: dg.AssetGraph) -> None:
    for key in graph.get_all_asset_keys():
        daily = key.path[0] in ("journal", "staging", "learning", "reports")
        assert (graph.get(key).partitions_def is not None) == daily, key


def test_every_asset_that_writes_is_in_a_pool_and_writers_of_the_warehouse_in_one() -> None:
    pools = {asset.op.name: asset.op.pool for asset in ASSETS if isinstance(asset, dg.AssetsDefinition)}
    models = {"models__engine_weights", "models__microprice", "models__signal_model", "models__target_model"}
    learning = models | {"release__candidate", "release__promoted"}
    assert {name for name, pool in pools.items() if pool == "learning"} == learning
    assert pools.pop("reports__day") == "reports"
    assert {pool for name, pool in pools.items() if name not in learning} == {"warehouse"}


def test_all_checks_but_the_gates_and_the_forecasts_of_risk_are_blocking() -> None:
    blocking = {spec.name: spec.blocking for check in CHECKS for spec in check.check_specs}
    assert (blocking.pop("gates"), blocking.pop("forecasts_cover")) == (False, False)
    assert set(blocking.values()) == {True}
    assert "reconciliation" in blocking


def test_the_nightly_schedule_asks_for_a_run_every_night() -> None:
    context = dg.build_schedule_context(scheduled_execution_time=datetime.datetime(2026, 1, 2, 0, 30))
    request = NIGHTLY_SCHEDULE.evaluate_tick(context).run_requests
    assert request is not None and len(request) == 1
    assert NIGHTLY_SCHEDULE.job_name == "nightly_release"
    assert NIGHTLY_SCHEDULE.cron_schedule == "30 0 * * *"


def evaluate(workdir: WorkDir, instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={"work": WorkDirResource(path=str(workdir.path))},
        definitions=build(WorkDirResource(path=str(workdir.path))),
    )
    return new_segments(context)  # type: ignore[return-value]


def test_the_sensor_asks_for_each_day_with_new_segments_and_for_no_other(
    journal_copy: WorkDir, trading_days: list[str]
) -> None:
    instance = dg.DagsterInstance.ephemeral()
    first = evaluate(journal_copy, instance, None)
    assert isinstance(first, dg.SensorResult)
    assert [request.partition_key for request in first.run_requests or []] == trading_days
    assert [request.partition_keys for request in first.dynamic_partitions_requests or []] == [trading_days]
    instance.add_dynamic_partitions(PARTITIONS, trading_days)
    assert isinstance(evaluate(journal_copy, instance, first.cursor), dg.SkipReason)
    write_journal(journal_copy, run_id="other", feed="sim://?symbols=XAUUSD&seed=9&rate=0.05", day_count=1)
    second = evaluate(journal_copy, instance, first.cursor)
    assert isinstance(second, dg.SensorResult)
    assert [request.partition_key for request in second.run_requests or []] == trading_days[:1]
    assert not second.dynamic_partitions_requests
    assert json.loads(second.cursor or "") != json.loads(first.cursor or "")


def test_the_sensor_finds_nothing_in_an_empty_work_folder(tmp_path: Path) -> None:
    result = evaluate(WorkDir(tmp_path), dg.DagsterInstance.ephemeral(), None)
    assert isinstance(result, dg.SkipReason)


def test_the_journal_is_observed_by_day(journal_copy: WorkDir, trading_days: list[str]) -> None:
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions(PARTITIONS, trading_days)
    job = dg.define_asset_job("observe", dg.AssetSelection.assets(["journal", "segments"]))
    work = WorkDirResource(path=str(journal_copy.path))
    observing = dg.Definitions([journal_segments], jobs=[job], resources={"work": work})
    result = observing.resolve_job_def("observe").execute_in_process(instance=instance)
    observed = {
        event.asset_observation_data.asset_observation.partition for event in result.get_asset_observation_events()
    }
    assert observed == set(trading_days)


def test_the_work_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHIMERA_WORKDIR", str(tmp_path))
    assert WorkDirResource().workdir.path == tmp_path
    monkeypatch.delenv("CHIMERA_WORKDIR")
    assert default_workdir() == "chimera-data"


def test_dagsters_storage_sends_nothing_home_and_one_writer_runs_at_a_time(tmp_path: Path) -> None:
    home = prepare_home(WorkDir(tmp_path))
    settings = yaml.safe_load((home / "dagster.yaml").read_text())
    assert settings["telemetry"] == {"enabled": False}
    assert settings["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    with open_instance(WorkDir(tmp_path)) as instance:
        pools = instance.event_log_storage.get_pool_limits()
        assert {pool.name: pool.limit for pool in pools} == {"warehouse": 1, "learning": 1}
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: true\n")
    prepare_home(WorkDir(tmp_path))
    assert "true" in (home / "dagster.yaml").read_text()
