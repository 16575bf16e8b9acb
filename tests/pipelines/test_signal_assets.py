"""The assets of signals, end to end: materialised by day and over all days, recorded where the UI shows them."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from chimera_platform.workdir import WorkDir
from pipelines.definitions import build
from pipelines.defs.resources import WorkDirResource
from pipelines.instance import open_instance
from pipelines.run import materialize_all
from tests.pipelines.conftest import write_journal
from warehouse.days import days
from warehouse.query import run_sql

pytestmark = pytest.mark.slow  # Dagster runs

FEED = "sim://?symbols=XAUUSD&seed=7&rate=0.3&sweeps_a_day=150"


@pytest.fixture(scope="module")
def materialised(tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    workdir = WorkDir(tmp_path_factory.mktemp("signals") / "work")
    write_journal(workdir, feed=FEED, day_count=2)
    result = materialize_all(workdir)
    assert result.failures == []
    return workdir


def metadata_of(workdir: WorkDir, key: list[str]) -> dict[str, object]:
    with open_instance(workdir) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(key))
        assert event is not None and event.asset_materialization is not None
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_each_day_has_its_detections_with_rows_and_a_plot(materialised: WorkDir) -> None:
    with open_instance(materialised) as instance:
        for name in ("detections", "price_changes"):
            found = set(instance.get_materialized_partitions(dg.AssetKey(["learning", name])))
            assert found == set(days(materialised))
    shown = metadata_of(materialised, ["learning", "detections"])
    rows = run_sql(materialised, "SELECT count(*) AS n, count(signal) AS signals FROM learning.detections").row(0)
    assert shown["dagster/row_count"] == rows[0] > 100
    assert shown["sweep"] == run_sql(materialised, "FROM learning.detections WHERE signal = 'sweep'").height > 50
    assert "data:image/png;base64," in str(shown["signals"])


def test_the_scorecard_has_a_table_and_curves(materialised: WorkDir) -> None:
    shown = metadata_of(materialised, ["signals", "scorecard"])
    assert int(str(shown["cells"])) > 20
    assert "| XAUUSD | sweep | all | 10 s |" in str(shown["figures"])
    assert "data:image/png;base64," in str(shown["returns XAUUSD"])


def test_the_scorecard_depends_on_the_detections_and_those_on_the_quality_of_the_day(tmp_path: Path) -> None:
    definitions: dg.Definitions = build(WorkDirResource(path=str(tmp_path)))
    graph = definitions.resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(dg.AssetKey(["signals", "scorecard"])).parent_keys}
    assert {"learning/detections", "learning/price_changes"} <= parents
    for name in ("detections", "price_changes"):
        parents = {key.to_user_string() for key in graph.get(dg.AssetKey(["learning", name])).parent_keys}
        assert parents == {"learning/data_quality", "staging/events"}
