"""The data dictionary, written from what is already said elsewhere: dtype comments, SQL heads, DDL comments, enums.

``python -m warehouse.dictionary`` writes ``docs/data-dictionary.md``; a test fails when that file is out of date.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from chimera_platform.execution import records
from chimera_platform.journal.schema import TABLES, VECTOR_NAMES, Table
from chimera_platform.market import events
from chimera_platform.microstructure.feature_names import FEATURE_DESCRIPTIONS
from warehouse.migrate import ENUMERATIONS, migration_files
from warehouse.relations import relations

TARGET = Path(__file__).parent.parent / "docs" / "data-dictionary.md"
_DTYPE = re.compile(r"^(\w+_DTYPE) = np\.dtype\(\n(.*?)^\)$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r'^\s*\("(\w+)", "([^"]+)"[^#\n]*\),?(?:\s*#\s*(.*))?$', re.MULTILINE)
_MEMBER = re.compile(r"^    ([A-Z][A-Z0-9_]*) = (\d+)(?:\s*#\s*(.*))?$", re.MULTILINE)
_CREATE = re.compile(r"-- grain: ([^\n]*)\nCREATE TABLE (\w+\.\w+) \(\n(.*?)^\);", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^\s*(\w+) ([A-Z]+)[^\n-]*(?:--\s*(.*))?$", re.MULTILINE)
_TYPES = {"<i8": "int64", "<i4": "int32", "<u2": "uint16", "u1": "uint8", "i1": "int8", "<f8": "float64"}
_MODULES = (events, records)
_SHARED = {  # columns that mean the same in every table and are explained at most once in the source
    "intent_no": "the intent",
    "event_no": "event of the run at which it happened",
    "ts_event": "ns UTC: that event's time, or when the state was reached",
    "ts_venue": "ns UTC: when it happened at the venue",
    "ts_sent": "ns UTC: when the order was sent",
    "seq": "the source's own sequence number of that event",
    "order_no": "the order",
    "bid_price": "ticks, at this event",
    "ask_price": "ticks, at this event",
    "decision_bid": "ticks, when the order was decided: the arrival price",
    "decision_ask": "ticks, when the order was decided: the arrival price",
    "instrument_id": "index into the run's universe",
    "release_no": "which release of the run was in force",
    "engine": "Engine",
    "order_type": "OrderType",
    "time_in_force": "TimeInForce",
    "liquidity": "Liquidity",
    "approved": "1 approved, 0 refused",
    "is_exit": "1: reduces a position, 0: an entry",
    "side": "+1 buy, -1 sell",
    "engine_weight": "share of capital that the engine has",
    "hft_weight": "share of capital that the engine has",
    "structure_weight": "share of capital that the engine has",
    "order_flow_weight": "share of capital that the engine has",
    "engine_cap_nanos": "limit of the engine's exposure",
    "symbol_exposure_nanos": "committed + reserved in the instrument before",
    "symbol_cap_nanos": "limit of the instrument's exposure",
    "currency_exposure_nanos": "committed + reserved in the currency or asset that is bought or sold, before",
    "currency_cap_nanos": "limit of that exposure",
    "account_exposure_nanos": "committed + reserved of the account before",
    "account_cap_nanos": "limit of the account's exposure",
    "account_reject_score": "decayed rejects of the account",
    "model_threshold": "the release's threshold; NaN where there is none",
    "is_latency_paused": "1: entries pause, as orders are acknowledged too slowly",
    "threshold": "what value is compared with, see RiskEventKind",
    "drawdown_nanos": "below the peak of equity; >= 0",
    "var_cornish_fisher": "the same by the Cornish-Fisher method",
    "var_filtered": "the same by the filtered method",
    "es_cornish_fisher": "the same by the Cornish-Fisher method",
    "es_filtered": "the same by the filtered method",
    "stress_gap_down": "all prices down at once by as much",
    "equity_nanos": "of the whole account",
    "committed_nanos": "lots held, at the price at which they were decided",
    "reserved_nanos": "notional reserved for working orders",
}


def field_comments(dtype_name: str) -> dict[str, str]:
    """Return field → comment of the dtype constant called ``dtype_name``, as it stands in the source."""
    for module in _MODULES:
        for name, body in _DTYPE.findall(inspect.getsource(module)):
            if name == dtype_name:
                return {field: comment for field, _, comment in _FIELD.findall(body)}
    raise KeyError(dtype_name)


def _dtype_name(table: Table) -> str:
    names = [n for module in _MODULES for n, value in vars(module).items() if value is table.dtype]
    return names[0]


def _journal_section(table: Table) -> Iterator[str]:
    comments = field_comments(_dtype_name(table))
    yield f"### {table.name}\n"
    yield f"Key: run, `{table.row_number}`. Warehouse: `staging.{table.name}`, with `run_id` and `day` before it.\n"
    yield "| column | type | meaning |\n|---|---|---|"
    if table.implied:
        yield f"| `{table.row_number}` | int64 | row number in the run, from 0 |"
    features = {f.name.lower(): f"{d.unit}: {d.formula}".replace("|", "\\|") for f, d in FEATURE_DESCRIPTIONS.items()}
    for name in table.dtype.names or ():
        if name in VECTOR_NAMES:
            for column in VECTOR_NAMES[name]:
                yield f"| `{column}` | float64 | {features[column]} |"
        else:
            kind = table.dtype[name].str
            yield f"| `{name}` | {_TYPES.get(kind.replace('|', ''), 'text')} | {comments[name] or _SHARED[name]} |"
    yield ""


def _table_sections() -> Iterator[str]:
    created = (found for path in migration_files() for found in _CREATE.findall(path.read_text(encoding="utf-8")))
    tables = {name: (grain, body) for grain, name, body in created}  # a later migration may make a table anew
    for name, (grain, body) in tables.items():
        if name.removeprefix("staging.") in TABLES:
            continue
        grain, _, key = grain.partition("; key: ")
        yield f"### {name}\n\nOne row: {grain}. Key: `{key.replace(', ', '`, `')}`.\n"
        yield "| column | type | meaning |\n|---|---|---|"
        for column, kind, comment in _COLUMN.findall(body):
            yield f"| `{column}` | {kind.lower()} | {comment} |"
        yield ""


def _relation_sections() -> Iterator[str]:
    for relation in sorted(relations(), key=lambda r: r.full_name):
        yield f"### {relation.full_name}\n"
        yield f"{relation.summary} One row: {relation.grain}. Key: `{'`, `'.join(relation.key)}`. "
        yield f"A {relation.kind}. {relation.notes}".rstrip() + "\n"


def _enumeration_sections() -> Iterator[str]:
    for enumeration in ENUMERATIONS:
        meaning = inspect.getdoc(enumeration) or ""
        yield f"### {enumeration.__name__}\n\n{meaning}\n\n| code | name | meaning |\n|---|---|---|"
        for name, code, comment in _MEMBER.findall(inspect.getsource(enumeration)):
            yield f"| {code} | {name.lower()} | {comment} |"
        yield ""


def data_dictionary() -> str:
    """Return the page as Markdown."""
    parts = [
        "# Data dictionary\n",
        "Generated by `python -m warehouse.dictionary` from the record types, the SQL files and the enumerations.",
        "Prices are integer ticks, sizes integer lots, times integer nanoseconds UTC and money integer nanos (1e-9)",
        "in the journal and in `staging`; `core` and `marts` have real prices, sizes and money where they do not say",
        "otherwise. Ask with `chimera sql`: a name without a schema is looked up in `marts`, `core`, `learning` and",
        "`staging`, in that order. A table as it was: `SELECT … FROM staging.fills AT (VERSION => snapshot)`.\n",
        "## Journal\n",
        "Parquet segments `journal/<run>/<table>/<first row>-<last row>.parquet`, immutable, one UTC day each; the",
        "footer's key `chimera` has table, run, rows, day, dtype and the SHA-256 of the packed rows.\n",
        *(line for table in TABLES.values() for line in _journal_section(table)),
        "## Models (core and marts)\n",
        *_relation_sections(),
        "## Ledger, dimensions and learning tables\n",
        *_table_sections(),
        "## Enumerations\n",
        "In the warehouse: `staging.enumerations`.\n",
        *_enumeration_sections(),
    ]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(data_dictionary(), encoding="utf-8")
    print(TARGET.relative_to(TARGET.parent.parent))
