"""Generic tables in CSV and Parquet: quotes, trades and events, and what is wrong with bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from chimera_platform.errors import ConfigurationError, DataError, MalformedRow
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.market.sources import open_source
from tests.reference.source_files import INSTRUMENTS, cut_file, read, rows

QUOTES = """ts_ns,symbol,bid,bid_size,ask,ask_size
5,XAUUSD,1300.001,3,1300.004,4
6,GC,1300.1,2,0,0
7,XAUUSD,1300.002,3,1300.004,4
"""
EVENTS = """ts_ns,symbol,kind,side,price,size,order_id,ask_price,ask_size,flags,seq,ts_recv_ns
5,GC,ADD,1,1300.1,2,77,0,0,0,900,9
5,GC,LEVEL,-1,1300.2,0,0,0,0,17,900,9
6,GC,STATUS,0,2,0,0,0,0,1,901,9
7,GC,QUOTE,0,1300.1,2,0,1300.3,5,1,902,9
8,GC,CLEAR,0,0,0,0,0,0,1,903,9
"""


def write_csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def write_parquet(path: Path, csv: str, **columns: Any) -> Path:
    pl.read_csv(csv.encode()).with_columns(**columns).write_parquet(path, row_group_size=2)
    return path


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_quotes_of_several_symbols_are_read(tmp_path: Path, format: str) -> None:
    path = (write_csv if format == "csv" else write_parquet)(tmp_path / f"q.{format}", QUOTES)
    source = open_source(path, None, INSTRUMENTS, ["XAUUSD", "GC"])
    assert source.description.startswith(f"format={format}; instruments=XAUUSD:0.001:1:500,GC:0.1:1:1; files=q.")
    (events,) = source.batches(10)
    names = ("instrument_id", "ts_event", "price", "size", "ask_price", "ask_size", "seq")
    assert rows(events, *names) == [
        (0, 5, 1_300_001, 3, 1_300_004, 4, 0),
        (1, 6, 13_001, 2, 0, 0, 1),
        (0, 7, 1_300_002, 3, 1_300_004, 4, 2),
    ]
    assert (events["kind"] == EventKind.QUOTE).all()
    assert (events["flags"] == EventFlag.LAST).all()


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_events_of_any_kind_are_read(tmp_path: Path, format: str) -> None:
    path = (write_csv if format == "csv" else write_parquet)(tmp_path / f"e.{format}", EVENTS)
    names = ("kind", "side", "price", "size", "order_id", "ask_price", "ask_size", "flags", "seq", "ts_recv")
    assert rows(read(path), *names) == [
        (EventKind.ADD, 1, 13_001, 2, 77, 0, 0, 0, 900, 9),
        (EventKind.LEVEL, -1, 13_002, 0, 0, 0, 0, 17, 900, 9),
        (EventKind.STATUS, 0, StatusCode.HALT, 0, 0, 0, 0, 1, 901, 9),
        (EventKind.QUOTE, 0, 13_001, 2, 0, 13_003, 5, 1, 902, 9),
        (EventKind.CLEAR, 0, 0, 0, 0, 0, 0, 1, 903, 9),
    ]


def test_trades_need_price_and_size_only(tmp_path: Path) -> None:
    events = read(write_csv(tmp_path / "t.csv", "ts_ns,symbol,price,size\n1,GC,1300.1,2\n"))
    assert rows(events, "kind", "price", "size", "side") == [(EventKind.TRADE, 13_001, 2, 0)]
    sided = read(write_csv(tmp_path / "s.csv", "ts_ns,symbol,price,size,side\n1,GC,1300.1,2,-1\n"))
    assert sided["side"].tolist() == [-1]


def test_only_the_symbols_asked_for_are_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "q.csv", QUOTES)
    assert read(path, symbols=["XAUUSD"])["seq"].tolist() == [0, 2]
    with pytest.raises(ConfigurationError, match="'EURUSD' is not in the data; it holds: GC, XAUUSD"):
        open_source(path, None, INSTRUMENTS, ["EURUSD"])


def test_files_of_one_table_format_are_merged_by_time(tmp_path: Path) -> None:
    late = write_csv(tmp_path / "a.csv", "ts_ns,symbol,price,size\n2,GC,1300.1,1\n4,GC,1300.1,2\n")
    early = write_csv(tmp_path / "b.csv", "ts_ns,symbol,price,size\n1,GC,1300.1,3\n4,GC,1300.1,4\n")
    assert read([late, early])["size"].tolist() == [3, 1, 2, 4]


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ("8,XAUUSD,1300,1,1300.1", "row", "6 fields"),
        ("8,OIL,1300,1,1300.1,1", "symbol", "XAUUSD"),
        ("8,XAUUSD,1300,-1,1300.1,1", "bid_size", "a size of 0 or more"),
        ("8,XAUUSD,1300,0.5,1300.1,1", "bid_size", "a multiple of the lot 1"),
        ("8,XAUUSD,1300.0001,1,1300.1,1", "bid", "a multiple of the tick"),
        ("8,XAUUSD,1300,1,0,1", "ask", "a price above 0"),
        ("6,XAUUSD,1300,1,1300.1,1", "ts_ns", "a time not before the previous row's"),
        ("8.5,XAUUSD,1300,1,1300.1,1", "ts_ns", "a whole number"),
    ],
)
def test_a_bad_quote_is_named(tmp_path: Path, row: str, field: str, expected: str) -> None:
    with pytest.raises(MalformedRow, match=r"q\.csv, line 5") as caught:
        read(write_csv(tmp_path / "q.csv", f"{QUOTES}{row}\n"))
    assert caught.value.field == field
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("9,GC,JUMP,1,1300.1,2,0,0,0,1,904,9", "kind"),
        ("9,GC,ADD,2,1300.1,2,0,0,0,1,904,9", "side"),
        ("9,GC,ADD,1,1300.1,2,0,0,0,99,904,9", "flags"),
        ("9,GC,STATUS,0,9,0,0,0,0,1,904,9", "price"),
        ("9,GC,QUOTE,0,1300.1,2,0,1300.35,5,1,904,9", "ask_price"),
    ],
)
def test_a_bad_event_is_named(tmp_path: Path, row: str, field: str) -> None:
    with pytest.raises(MalformedRow, match=r"e\.csv, line 7") as caught:
        read(write_csv(tmp_path / "e.csv", f"{EVENTS}{row}\n"))
    assert caught.value.field == field


def test_a_bad_value_in_parquet_is_named_by_its_row(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "q.parquet", QUOTES, bid=pl.Series([1300.0, -5.0, 1300.0]))
    with pytest.raises(MalformedRow, match=r"q\.parquet, line 2: field 'bid' is -5\.0"):
        read(path)
    path = write_parquet(tmp_path / "n.parquet", QUOTES, ask=pl.Series([1300.1, 1300.1, None]))
    with pytest.raises(MalformedRow, match=r"n\.parquet, line 3: field 'ask' is None"):
        read(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("ts_ns,symbol,open,close", "expected ts_ns,symbol and bid"),
        ("ts_ns,symbol,price,size,venue", "unknown columns venue"),
        ("ts_ns,symbol,price,size,size", "stands twice"),
    ],
)
def test_unknown_columns_are_refused(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write_csv(tmp_path / "t.csv", f"{header}\n1,GC,1300.1,2,3\n"))


def test_a_header_alone_and_a_truncated_parquet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a header but no rows"):
        read(write_csv(tmp_path / "q.csv", QUOTES.splitlines()[0]))
    whole = write_parquet(tmp_path / "q.parquet", QUOTES)
    with pytest.raises(DataError, match=r"cut\.parquet: truncated or damaged Parquet"):
        read(cut_file(whole, tmp_path / "cut.parquet", 0.8))


def test_many_rows_keep_their_numbers_over_blocks(tmp_path: Path) -> None:
    count = 60_000
    frame = pl.DataFrame({"ts_ns": np.arange(count), "symbol": ["GC"] * count}).with_columns(
        price=pl.lit(1300.1), size=pl.lit(1.0)
    )
    frame.write_csv(tmp_path / "t.csv")
    frame.write_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        assert read(tmp_path / name)["seq"].tolist() == list(range(count))
