"""Order scripts: read from CSV with every row checked, run against a source, reported in real prices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from chimera_platform.cli.app import app
from chimera_platform.errors import DataError, MalformedRow
from chimera_platform.execution.records import OrderType, TimeInForce
from chimera_platform.simulation.exchange.order_script import SCRIPT_DTYPE, ScriptAction, run_script_on_events
from chimera_platform.simulation.exchange.order_script_file import COLUMNS, load_script
from chimera_platform.simulation.exchange.settings import VenueSettings
from tests.reference.coordinator_streams import instrument
from tests.reference.exchange_scenario import BUY, START, Scenario

X = instrument("X", tick_size="0.5", lot_size="0.1")
HEADER = ",".join(COLUMNS)


def script_file(folder: Path, *lines: str) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_script_is_read_in_ticks_and_lots(tmp_path: Path) -> None:
    path = script_file(
        tmp_path,
        "100,new,1,buy,limit,,2.5,100.5,,,,",
        "100,new,2,sell,stop_limit,day,1,99,99.5,,,",
        "150,new,3,buy,iceberg,gtd,2,100,,0.5,900,",
        "160,new,4,sell,twap,,1.5,,,0.5,,2000",
        "170,new,5,buy,market,,0.1,,,,,",
        "200,replace,1,,,,3,101,,,,",
        "300,cancel,1,,,,,,,,,",
    )
    script = load_script(path, X)
    first = {name: int(script[name][0]) for name in SCRIPT_DTYPE.names or ()}
    assert first == {
        **{"ts": 100, "id": 1, "size": 25, "price": 201, "stop_price": 0, "display_size": 0, "expire_ts": 0},
        **{"end_ts": 0, "action": ScriptAction.NEW, "order_type": OrderType.LIMIT},
        **{"time_in_force": TimeInForce.GTC, "side": BUY},
    }
    assert script["stop_price"].tolist() == [0, 199, 0, 0, 0, 0, 0]
    assert script["display_size"].tolist() == [0, 0, 5, 5, 0, 0, 0]
    assert script["expire_ts"].tolist() == [0, 0, 900, 0, 0, 0, 0]
    assert script["end_ts"].tolist() == [0, 0, 0, 2000, 0, 0, 0]
    assert script["time_in_force"][4] == TimeInForce.IOC
    assert (script["size"][5], script["price"][5]) == (30, 202)


BAD_ROWS = [
    ("x,new,1,buy,limit,,1,100,,,,", "ts_ns", "'x'", "ns UTC"),
    ("5,new,1,buy,limit,,1,100,,,,", "ts_ns", "'5'", "rows in the order of time: 10 or later"),
    ("20,send,1,buy,limit,,1,100,,,,", "action", "'send'", "new or cancel or replace"),
    ("20,new,one,buy,limit,,1,100,,,,", "id", "'one'", "a whole number from 0"),
    ("20,new,9,buy,limit,,1,100,,,,", "id", "'9'", "an id that no row above has"),
    ("20,cancel,1,,,,,,,,,", "id", "'1'", "the id of a new order in a row above"),
    ("20,new,1,long,limit,,1,100,,,,", "side", "'long'", "buy or sell"),
    ("20,new,1,buy,peg,,1,100,,,,", "type", "'peg'", "market or limit or stop"),
    ("20,new,1,buy,limit,forever,1,100,,,,", "tif", "'forever'", "gtc or ioc or fok or gtd or day"),
    ("20,new,1,buy,limit,,0,100,,,,", "size", "'0'", "a size above 0"),
    ("20,new,1,buy,limit,,0.15,100,,,,", "size", "'0.15'", "a size in steps of 0.1"),
    ("20,new,1,buy,limit,,1,100.2,,,,", "price", "'100.2'", "a price in steps of 0.5"),
    ("20,new,1,buy,limit,,1,,,,,", "price", "''", "a price in steps of 0.5"),
    ("20,new,1,buy,limit,,1,nan,,,,", "price", "'nan'", "a price in steps of 0.5"),
    ("20,new,1,buy,limit,,1,1e400,,,,", "price", "'1e400'", "a price"),
    ("20,new,1,buy,market,,1,100,,,,", "price", "'100'", "nothing for a market order"),
    ("20,new,1,buy,stop,,1,,,,,", "stop_price", "''", "a price in steps of 0.5"),
    ("20,new,1,buy,limit,,1,100,99,,,", "stop_price", "'99'", "nothing for limit"),
    ("20,new,1,buy,iceberg,,1,100,,,,", "display_size", "''", "a size in steps of 0.1"),
    ("20,new,1,buy,limit,gtd,1,100,,,,", "expire_ts", "''", "ns UTC after ts_ns, 20"),
    ("20,new,1,buy,twap,,1,,,,,20", "end_ts", "'20'", "ns UTC after ts_ns, 20"),
    ("20,new,1,buy,limit,,1,100,,,,99", "end_ts", "'99'", "nothing for a limit order"),
    ("20,replace,9,,,,,100,,,,", "size", "''", "a size in steps of 0.1"),
    ("20,new,1,buy,limit,,1,100,,,,,7", "(none)", "['7']", "12 fields"),
]


@pytest.mark.parametrize(("row", "field", "value", "expected"), BAD_ROWS)
def test_a_bad_row_is_named_with_file_line_field_value_and_expectation(
    tmp_path: Path, row: str, field: str, value: str, expected: str
) -> None:
    path = script_file(tmp_path, "10,new,9,buy,limit,,1,100,,,,", row)
    with pytest.raises(MalformedRow) as caught:
        load_script(path, X)
    assert str(caught.value).startswith(f"{path}, line 3: field '{field}' is {value}; expected {expected}")


def test_a_header_that_lacks_a_column_or_has_another_is_named(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    for header, wrong in (
        ("ts_ns,id", "no column 'action'"),
        ("ts_ns,action,id,qty", "column 'qty'"),
        ("", "no column"),
    ):
        path.write_text(header + "\n", encoding="utf-8")
        with pytest.raises(DataError, match=f"line 1: {wrong}"):
            load_script(path, X)
    with pytest.raises(DataError, match="cannot be read"):
        load_script(tmp_path / "absent.csv", X)


def test_a_script_of_arrays_is_checked_too() -> None:
    script = np.zeros(2, SCRIPT_DTYPE)
    script["action"], script["id"], script["ts"] = ScriptAction.NEW, [1, 2], [5, 4]
    with pytest.raises(DataError, match="row 1: ts 4 is before"):
        run_script_on_events([], 0, VenueSettings(), script)
    script["ts"], script["id"] = 5, 1
    with pytest.raises(DataError, match="row 1: id 1; expected a new id"):
        run_script_on_events([], 0, VenueSettings(), script)
    script["action"] = ScriptAction.CANCEL
    with pytest.raises(DataError, match="row 0: id 1; expected the id of an order sent before"):
        run_script_on_events([], 0, VenueSettings(), script)


def test_reports_do_not_depend_on_how_the_events_are_cut_into_batches() -> None:
    venue = Scenario(latency_ms=1, report_latency_ns=3_000_000)
    rng = np.random.default_rng(5)
    bid = 1_000
    for step in range(400):
        bid += int(rng.integers(-1, 2))
        venue.quote(step, bid, bid + 2, int(rng.integers(1, 50)), int(rng.integers(1, 50)))
        if step % 5 == 0:
            venue.order(step, step, 1 if step % 2 else -1, int(rng.integers(1, 30)), bid + int(rng.integers(0, 3)))
    whole = venue.rows()
    events, script = venue.records()
    parts = run_script_on_events([events[k : k + 7] for k in range(0, 400, 7)], 0, venue.settings, script)
    assert len(whole) > 100
    assert whole.tolist() == parts.tolist()


def test_many_orders_one_after_another_use_their_slots_again() -> None:
    venue = Scenario(latency_ms=0)
    for step in range(5_000):
        venue.quote(step, 1_000, 1_002, 5_000).order(step, step, BUY, 1)
    assert len(venue.quote(6_000, 1_000, 1_002).trades()) == 5_000


def test_the_command_writes_the_reports_and_counts_them(tmp_path: Path) -> None:
    events = tmp_path / "quotes.csv"
    rows = [f"{START + k * 1_000_000},XAUUSD,{100 + k % 2},1000,{101 + k % 2},1000" for k in range(50)]
    events.write_text("ts_ns,symbol,bid,bid_size,ask,ask_size\n" + "\n".join(rows) + "\n", encoding="utf-8")
    orders = script_file(
        tmp_path,
        f"{START + 1},new,1,buy,market,,1,,,,,",
        f"{START + 2},new,2,buy,post_only,,1,150,,,,",
        f"{START + 3},new,3,sell,limit,,1,500,,,,",
        f"{START + 20_000_000},cancel,3,,,,,,,,,",
    )
    out = tmp_path / "reports.parquet"
    arguments = ["venue", str(events), "--orders", str(orders), "--out", str(out), "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["events"], answer["orders"], answer["fills"], answer["rejects"]) == (50, 3, 1, 1)
    table = pq.read_table(out).to_pylist()
    assert [(row["id"], row["kind"], row["reason"]) for row in table] == [
        (1, "new", None),
        (1, "trade", None),
        (2, "rejected", "would_take"),
        (3, "new", None),
        (3, "cancelled", None),
    ]
    assert (table[1]["price"], table[1]["size"], table[1]["liquidity"], table[0]["price"]) == (
        102.0,
        1.0,
        "taker",
        None,
    )
