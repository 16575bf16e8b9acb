"""The intents that gates refused or resized, carried out in the venue model: a row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from chimera_platform.configuration import Configuration
from chimera_platform.execution.records import Engine
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.simulation.counterfactual.counterfactuals import Counterfactuals
from chimera_platform.simulation.counterfactual.records import APPROVED, WANTED, Carried
from chimera_platform.simulation.counterfactual.wishes import Standing
from chimera_platform.workdir import WorkDir
from pipelines.gate_controls import compare_controls, draws, summed_controls
from pipelines.rows import Array, event_batches, read_rows, replace_days, run_universe
from warehouse.connection import connect

_SECTIONS = ("account", "exits", "venue", "venues")
_LAST_EVENT = "SELECT max(last_row) FROM staging.segments WHERE table_name = 'events' AND run_id = ?"
_ASKED = f"""
    run_id = ? AND engine <> {int(Engine.HEDGE)} AND event_no <= ({_LAST_EVENT})
    AND (approved = 1 OR (is_engaged = 0 AND is_tradable = 1))"""
_EVENTS = """
    SELECT CAST(day AS VARCHAR), sum(last_row - first_row + 1)::BIGINT FROM staging.segments
    WHERE table_name = 'events' AND run_id = ? GROUP BY ALL"""
_BEHIND = """
    SELECT DISTINCT run_id FROM (
        SELECT run_id, day, sum(last_row - first_row + 1)::BIGINT AS events
        FROM staging.segments WHERE table_name = 'events' GROUP BY ALL
    )
    LEFT JOIN (SELECT run_id, day, events AS followed FROM learning.gate_controls) USING (run_id, day)
    WHERE followed IS DISTINCT FROM events ORDER BY run_id"""
_OUTCOMES = {int(carried): carried.name.lower() for carried in Carried}


def carry_out_gated(workdir: WorkDir) -> list[dict[str, Any]]:
    """Carry out what gates held back in every run that has new events; return the rows of ``learning.gate_controls``.

    A run is followed from its start. Written are ``learning.gate_counterfactuals`` and ``learning.gate_controls``.
    """
    done: list[dict[str, Any]] = []
    tables: dict[tuple[str, str], dict[str, pa.Table]] = {}
    connection = connect(workdir)
    try:
        for (run_id,) in connection.execute(_BEHIND).fetchall():
            for day, columns, control in _carry_out_run(connection, workdir, run_id):
                tables[run_id, day] = {
                    "gate_counterfactuals": columns,
                    "gate_controls": pa.table({name: [value] for name, value in control.items()}),
                }
                done.append({"run_id": run_id, "day": day} | control)
    finally:
        connection.close()
    replace_days(workdir, tables)
    return done


def _carry_out_run(
    connection: duckdb.DuckDBPyConnection, workdir: WorkDir, run_id: str
) -> Iterator[tuple[str, pa.Table, dict[str, Any]]]:
    decisions = read_rows(connection, "decisions", _ASKED, [run_id, run_id])
    numbers = f"run_id = ? AND intent_no IN (SELECT intent_no FROM staging.decisions WHERE {_ASKED})"
    intents = read_rows(connection, "intents", numbers, [run_id, run_id, run_id])
    both = np.intersect1d(decisions["intent_no"], intents["intent_no"])  # segments of one may not be ingested yet
    decisions, intents = (rows[np.isin(rows["intent_no"], both)] for rows in (decisions, intents))
    fills = read_rows(connection, "fills", "run_id = ?", [run_id])
    known = RunManifest.read(workdir.run_folder(run_id)).configuration
    settings = Configuration.model_validate({name: known[name] for name in _SECTIONS if name in known})
    counterfactuals = Counterfactuals(run_universe(workdir, run_id), settings, intents, decisions, fills)
    is_drawn = any(map(draws, (settings.venue, *settings.venues.values())))
    events = dict(connection.execute(_EVENTS, [run_id]).fetchall())
    for first, batch in event_batches(connection, run_id, max(events)):
        counterfactuals.run(batch, first)
    outcomes, standing = counterfactuals.outcomes(), counterfactuals.standings
    controls = compare_controls(decisions, outcomes, fills)
    day_of = decisions["ts_event"] // NS_PER_DAY
    for day, count in sorted(events.items()):
        of_day = day_of == int(np.datetime64(day, "D").astype(np.int64))
        gated = of_day & (standing == Standing.GATED)
        control = {"events": count, "lanes": counterfactuals.lanes, "is_drawn": is_drawn} | summed_controls(
            controls[of_day]
        )
        yield day, gated_columns(decisions[gated], outcomes[gated]), control


def gated_columns(decisions: Array, outcomes: Array) -> pa.Table:
    """Return the columns of ``learning.gate_counterfactuals`` but run and day."""
    wanted, approved = outcomes[:, WANTED], outcomes[:, APPROVED]
    is_valued = np.isin(wanted["carried"], (Carried.CLOSED, Carried.OPEN)) & (approved["carried"] != Carried.CAPACITY)
    names = [_OUTCOMES[max(pair)] for pair in outcomes["carried"].tolist()]

    def valued(column: Array) -> pa.Array:
        return pa.array(np.ascontiguousarray(column), pa.int64(), mask=~is_valued)

    return pa.table(
        {
            "intent_no": decisions["intent_no"],
            "instrument_id": decisions["instrument_id"],
            "engine": decisions["engine"],
            "session": decisions["session"],
            "gate": np.where(decisions["approved"] == 0, decisions["reason"], decisions["binding"]),
            "outcome": pa.array(names, pa.string()),
            "size_wanted": decisions["size_wanted"],
            "size_approved": decisions["size_approved"],
            "pnl_wanted_nanos": valued(wanted["net_nanos"]),
            "pnl_approved_nanos": valued(approved["net_nanos"]),
            "effect_nanos": valued(approved["net_nanos"] - wanted["net_nanos"]),
            "fees_wanted_nanos": valued(wanted["fees_nanos"]),
            "entered_lots": valued(wanted["entered_lots"]),
            "held_ns": valued(wanted["held_ns"]),
        }
    )
