"""The day's report as an asset: pages from the journal, linked from the UI."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import dagster as dg

from chimera_platform.workdir import WorkDir
from pipelines.defs.report.assets import day_report
from pipelines.defs.resources import WorkDirResource
from pipelines.reporting import report_metadata, write_day_reports


def test_a_day_is_materialised_as_a_page_with_a_link_to_it(journaled: WorkDir, tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path / "work")
    workdir.path.mkdir()
    workdir.journal.symlink_to(journaled.journal)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("trading_days", ["2024-01-03"])
        result = dg.materialize(
            [day_report],
            instance=instance,
            partition_key="2024-01-03",
            resources={"work": WorkDirResource(path=str(workdir.path))},
        )
    (event,) = result.asset_materializations_for_node("reports__day")
    metadata = event.metadata
    page = Path(str(metadata["page"].value))
    assert page.parent == workdir.reports
    assert "<svg" in page.read_text(encoding="utf-8")
    assert urlparse(str(metadata["link"].value)).path == str(page)
    assert "| 2024-01-03 | run |" in str(metadata["pages"].value)


def test_several_days_are_several_rows(journaled: WorkDir, tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path / "work")
    workdir.path.mkdir()
    workdir.journal.symlink_to(journaled.journal)
    written = write_day_reports(workdir, ["2024-01-02", "2024-01-04"])
    metadata = report_metadata(written)
    assert metadata["dagster/row_count"] == 2
    assert [path.name for path in sorted(workdir.reports.iterdir())] == ["2024-01-02-run.html", "2024-01-04-run.html"]
    assert "link" not in report_metadata([])
