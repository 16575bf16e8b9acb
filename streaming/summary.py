"""The end of a run: ``out/*.parquet``, the digest and the counts, all read back from the journal."""

from __future__ import annotations

import json
from typing import Any

from chimera_platform.digest import RunDigest
from chimera_platform.execution.records import OrderStatus
from chimera_platform.journal.export import OUT_TABLES, write_out
from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.storage import write_atomically
from streaming.control import FlowControl
from streaming.deployment import Deployment

SUMMARY = "summary.json"
PENDING_NEW = int(OrderStatus.PENDING_NEW)


def write_summary(deployment: Deployment, control: FlowControl) -> None:
    """Write the run's results under the work folder's ``out/``; called once everything is sealed."""
    write_out(deployment.run_folder, deployment.folders.out)
    summary = summarise(deployment)
    summary["stopped"] = control.stop_requested()
    write_atomically(deployment.folders.out / SUMMARY, json.dumps(summary, indent=1).encode())


def summarise(deployment: Deployment) -> dict[str, Any]:
    """Return counts and digest of the sealed journal of ``deployment``'s run."""
    reader = JournalReader(deployment.run_folder)
    digest = RunDigest()
    for table in OUT_TABLES:
        for rows in reader.batches(table):
            digest.update(**{table: rows})
    releases = reader.read("releases")
    return {
        "run_id": deployment.run_id,
        "events": reader.rows("events"),
        "intents": reader.rows("intents"),
        "decisions": reader.rows("decisions"),
        "orders": int(sum((rows["status"] == PENDING_NEW).sum() for rows in reader.batches("orders"))),
        "order_events": reader.rows("orders"),
        "fills": reader.rows("fills"),
        "releases": [
            {"release_no": int(r["release_no"]), "event_no": int(r["event_no"]), "release_id": r["release_id"].decode()}
            for r in releases
        ],
        "digest": digest.hexdigest(),
    }
