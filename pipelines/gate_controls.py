"""Is the venue model's answer to be believed: approved intents carried out again, against what they really earned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np

from chimera_platform.execution.records import OrderReason
from chimera_platform.simulation.counterfactual.records import APPROVED, Carried
from chimera_platform.simulation.exchange.settings import VenueSettings
from chimera_platform.workdir import WorkDir
from pipelines.rows import Array
from warehouse.connection import connect

EQUAL_MIN = 0.95  # of the controls beside which nothing else traded
_FORCED = (OrderReason.FLATTEN, OrderReason.HEDGE_CLOSED, OrderReason.ADJUSTMENT)
CONTROL_DTYPE = np.dtype(
    [("compared", "?"), ("equal", "?"), ("alone", "?"), ("booked_nanos", "<i8"), ("carried_nanos", "<i8")]
)


def compare_controls(decisions: Array, outcomes: Array, fills: Array) -> Array:
    """Hold approved intents, carried out in the size approved, against what the account's fills say of them.

    Compared are those that ended by their own plan in both. Alone are those of them beside which no other order of the
    account traded in the instrument from the decision to their last fill.

    Returns
    -------
    CONTROL_DTYPE (n,), by decision.
    """
    controls = np.zeros(len(decisions), CONTROL_DTYPE)
    by_intent: dict[int, list[Any]] = {}
    for fill in fills:
        by_intent.setdefault(int(fill["intent_no"]), []).append(fill)
    times = {i: np.sort(fills["ts_event"][fills["instrument_id"] == i]) for i in np.unique(fills["instrument_id"])}
    for control, decision, outcome in zip(controls, decisions, outcomes[:, APPROVED], strict=True):
        own = by_intent.get(int(decision["intent_no"]), [])
        is_closed = sum(int(fill["side"]) * int(fill["size"]) for fill in own) == 0
        is_forced = any(int(fill["reason"]) in _FORCED for fill in own)
        if outcome["carried"] != Carried.CLOSED or not is_closed or is_forced:
            continue
        booked = sum(int(fill["realised_nanos"]) - int(fill["fee_nanos"]) for fill in own)
        control["compared"], control["equal"] = True, booked == outcome["net_nanos"]
        control["booked_nanos"], control["carried_nanos"] = booked, outcome["net_nanos"]
        if own:
            beside = times[int(decision["instrument_id"])]
            first, last = int(decision["ts_event"]), max(int(fill["ts_event"]) for fill in own)
            near = np.searchsorted(beside, last, side="right") - np.searchsorted(beside, first)
            control["alone"] = near == len(own)
    return controls


def draws(settings: VenueSettings) -> bool:
    """Return whether an order's fate at the venue depends on the orders before it, by drawn numbers or a limit."""
    quantiles = (
        settings.order_latency_quantiles_ns, settings.report_latency_quantiles_ns, settings.feed_latency_quantiles_ns,
    )  # fmt: skip
    return any(map(len, quantiles)) or settings.reject_probability > 0.0 or settings.messages_per_second > 0


def summed_controls(controls: Array) -> dict[str, int]:
    """Return the columns of ``learning.gate_controls`` that sum up CONTROL_DTYPE rows."""
    alone = controls["alone"]
    return {
        "compared": int(controls["compared"].sum()),
        "equal": int(controls["equal"].sum()),
        "alone": int(alone.sum()),
        "alone_equal": int((alone & controls["equal"]).sum()),
        "booked_nanos": int(controls["booked_nanos"].sum()),
        "carried_nanos": int(controls["carried_nanos"].sum()),
        "apart_nanos": int(np.abs(controls["booked_nanos"] - controls["carried_nanos"]).sum()),
    }


def control_failures(workdir: WorkDir) -> list[str]:
    """Return a sentence for each run of which fewer than :data:`EQUAL_MIN` of the lone controls earned the same.

    Not asked of a run whose venues draw latencies or refusals, or count messages: other numbers are drawn then, and the
    results are alike on the average only.
    """
    query = """
        SELECT run_id, sum(alone)::BIGINT, sum(alone_equal)::BIGINT, sum(apart_nanos) / 1e9
        FROM learning.gate_controls WHERE NOT is_drawn GROUP BY run_id ORDER BY run_id"""
    connection = connect(workdir)
    try:
        rows = connection.execute(query).fetchall()
    finally:
        connection.close()
    return [
        f"run {run_id}: of {alone} approved intents that traded alone, {equal} earned the same when carried out again; "
        f"all that were compared are {apart:.2f} apart"
        for run_id, alone, equal, apart in rows
        if equal < EQUAL_MIN * alone
    ]


def controls_markdown(rows: Sequence[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """Return the controls as a table, one row a run and day."""
    lines = ["| run | day | compared | equal | alone | equal | earned | again |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        counts = " | ".join(str(row[name]) for name in ("compared", "equal", "alone", "alone_equal"))
        money = " | ".join(f"{row[name] / 1e9:.2f}" for name in ("booked_nanos", "carried_nanos"))
        lines.append(f"| {row['run_id']} | {row['day']} | {counts} | {money} |")
    return dg.MetadataValue.md("\n".join(lines))
