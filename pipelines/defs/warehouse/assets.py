"""Staging tables by day, and the SQL models over them."""

import re
from collections.abc import Iterator
from typing import Any

import dagster as dg

from chimera_platform.journal.schema import TABLES
from pipelines.defs.journal.assets import journal_segments
from pipelines.defs.journal.partitions import TRADING_DAYS
from pipelines.defs.policies import ONE_RUN, RETRY, WAREHOUSE_POOL, only_conflicts_are_retried
from pipelines.defs.resources import WorkDirResource
from pipelines.plots import days_plot, profit_plot
from pipelines.warehouse_counts import rows_by_day, rows_of
from warehouse.ingest import ingest
from warehouse.maintenance import maintain
from warehouse.relations import Relation, relations

_STAGED = re.compile(r"\bstaging\.(\w+)")


@dg.multi_asset(
    name="staging",
    specs=[
        dg.AssetSpec(
            ["staging", name],
            group_name="staging",
            deps=[journal_segments],
            kinds={"duckdb", "parquet"},
            description=f"The journal's '{name}' rows of the day, as they were written, once each.",
        )
        for name in TABLES
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "segments_intact",
            asset=["staging", "events"],
            blocking=True,
            description="Every segment has the checksum that its footer states, and none is missing.",
        )
    ],
    partitions_def=TRADING_DAYS,
    backfill_policy=ONE_RUN,
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
)
def staging(
    context: dg.AssetExecutionContext, work: WorkDirResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Ingest the days' segments that the warehouse doesn't have; doing it again changes nothing."""
    days = sorted(context.partition_keys)
    with only_conflicts_are_retried():  # of several days: all that is new, at once
        result = ingest(work.workdir, day=days[0] if len(days) == 1 else None)
        rows = rows_by_day(work.workdir, list(TABLES), days)
    for name in TABLES:
        counts = rows[name]
        metadata: dict[str, Any] = {
            "dagster/row_count": sum(counts.values()),
            "rows_by_day": counts,
            "segments_ingested": result.segments,
            "snapshot": result.snapshot_id,
            "seconds": round(result.seconds, 3),
        }
        if name == "events":
            metadata["events_by_day"] = days_plot(counts, "events")
        yield dg.MaterializeResult(asset_key=["staging", name], metadata=metadata)
    yield dg.AssetCheckResult(
        asset_key=["staging", "events"],
        check_name="segments_intact",
        passed=not result.problems,
        metadata={"problems": result.problems},
    )


def _model_spec(relation: Relation) -> dg.AssetSpec:
    staged = [dg.AssetKey(["staging", name]) for name in sorted(set(_STAGED.findall(relation.sql))) if name in TABLES]
    models = [dg.AssetKey(name.split(".")) for name in sorted(relation.depends_on)]
    return dg.AssetSpec(
        [relation.schema, relation.name],
        group_name=relation.schema,
        deps=[*staged, *models],
        kinds={"sql", relation.kind},
        description=f"{relation.summary}\n\nGrain: {relation.grain}. Key: {', '.join(relation.key)}.",
    )


@dg.multi_asset(
    name="models",
    specs=[_model_spec(relation) for relation in relations()],
    retry_policy=RETRY,
    pool=WAREHOUSE_POOL,
)
def models(work: WorkDirResource) -> Iterator[dg.MaterializeResult]:
    """Bring the models' definitions up to date and read each; tables among them were refreshed with the rows."""
    with only_conflicts_are_retried():
        ingest(work.workdir, tables=[])
        counts = rows_of(work.workdir, [relation.full_name for relation in relations()])
    for relation in relations():
        metadata: dict[str, Any] = {"dagster/row_count": counts[relation.full_name], "kind": relation.kind}
        if relation.full_name == "core.engine_pnl_daily":
            metadata["profit"] = profit_plot(work.workdir)
        yield dg.MaterializeResult(asset_key=[relation.schema, relation.name], metadata=metadata)


@dg.asset(
    key=["warehouse", "upkeep"],
    group_name="upkeep",
    deps=[["release", "promoted"]],
    pool=WAREHOUSE_POOL,
    retry_policy=RETRY,
    kinds={"duckdb"},
    description="Small files merged; old snapshots expired, but those that a release names; unused files removed.",
)
def upkeep(work: WorkDirResource) -> dg.MaterializeResult:
    """Compact and expire by policy."""
    with only_conflicts_are_retried():
        return dg.MaterializeResult(metadata=vars(maintain(work.workdir)))
