"""What each gate is worth on the average of an intent, by session and engine, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from chimera_platform.execution.records import DecisionReason, Engine
from chimera_platform.market.city_sessions import CitySession
from chimera_platform.simulation.counterfactual.gate_values import mean_effect
from chimera_platform.workdir import WorkDir
from pipelines.rows import replace_days, run_days
from warehouse.connection import connect

_EFFECTS = """
    SELECT run_id, gate, session, engine, effect_nanos / 1e9 FROM learning.gate_counterfactuals
    ANTI JOIN (SELECT run_id, day FROM learning.data_quality WHERE quarantined) USING (run_id, day)
    WHERE effect_nanos IS NOT NULL ORDER BY run_id, intent_no"""
_NAMES: tuple[type[DecisionReason] | type[CitySession] | type[Engine], ...] = (DecisionReason, CitySession, Engine)


_SCHEMA = pa.schema(
    [
        ("gate", pa.string()),
        ("session", pa.string()),
        ("engine", pa.string()),
        ("intents", pa.int64()),
        ("mean_effect", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("block_length", pa.float64()),
    ]
)


def value_gates(workdir: WorkDir) -> list[dict[str, Any]]:
    """Work out the mean effect of each gate, session and engine, and of all; write ``learning.gate_intervals``.

    Quarantined days do not count. A run in which nothing was held back has no rows.
    """
    connection = connect(workdir)
    try:
        last = {run_id: days[-1] for run_id, days in run_days(connection).items()}
        effects = connection.execute(_EFFECTS).fetchall()
    finally:
        connection.close()
    groups: dict[str, dict[tuple[str, ...], list[float]]] = {run_id: {} for run_id in last}
    for run_id, *codes, effect in effects:
        names = [(kind(code).name.lower(), "all") for kind, code in zip(_NAMES, codes, strict=True)]
        for key in product(*names):
            groups[run_id].setdefault(key, []).append(effect)
    rows = {run_id: [_interval_row(*each) for each in sorted(its.items())] for run_id, its in groups.items()}
    tables = {run_id: pa.Table.from_pylist(its, _SCHEMA) for run_id, its in rows.items()}
    replace_days(workdir, {(run_id, last[run_id]): {"gate_intervals": table} for run_id, table in tables.items()})
    return [{"run_id": run_id} | row for run_id, its in rows.items() for row in its]


def _interval_row(key: Sequence[str], effects: list[float]) -> dict[str, Any]:
    gate, session, engine = key
    found = mean_effect(np.array(effects))
    return {
        "gate": gate,
        "session": session,
        "engine": engine,
        "intents": len(effects),
        "mean_effect": found.mean,
        "low": None if math.isnan(found.low) else found.low,
        "high": None if math.isnan(found.high) else found.high,
        "block_length": found.block_length,
    }


def valued_gates(workdir: WorkDir) -> dict[str, list[dict[str, Any]]]:
    """Return ``gates``: what ``marts.gate_value`` says of those with anything carried out, and ``controls`` by run."""
    gates = """
        SELECT run_id, gate, held_back, carried_out, saved, missed, net_effect, mean_effect, low, high, verdict
        FROM marts.gate_value WHERE session = 'all' AND engine = 'all' AND carried_out > 0
        ORDER BY run_id, net_effect"""
    controls = """
        SELECT run_id, sum(compared)::BIGINT AS compared, sum(equal)::BIGINT AS equal, sum(alone)::BIGINT AS alone,
            sum(alone_equal)::BIGINT AS alone_equal
        FROM learning.gate_controls GROUP BY run_id ORDER BY run_id"""
    connection = connect(workdir)
    try:
        tables = {
            name: connection.execute(query).to_arrow_table()
            for name, query in (("gates", gates), ("controls", controls))
        }
    finally:
        connection.close()
    return {name: table.to_pylist() for name, table in tables.items()}


def gates_markdown(rows: Sequence[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """Return the gates, all sessions and engines together, as a table."""
    lines = ["| run | gate | intents | mean effect | 95 % interval |", "|---|---|---|---|---|"]
    for row in rows:
        if row["session"] == row["engine"] == "all":
            known = row["low"] is not None
            between = f"{row['low']:.2f} to {row['high']:.2f}" if known else "–"
            lines.append(
                f"| {row['run_id']} | {row['gate']} | {row['intents']} | {row['mean_effect']:.2f} | {between} |"
            )
    return dg.MetadataValue.md("\n".join(lines))
