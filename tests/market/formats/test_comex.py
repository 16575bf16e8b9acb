"""COMEX trades: New York time, contracts, quantity 0 and bad rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chimera_platform.errors import ConfigurationError, DataError, MalformedRow
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.sources import open_source
from tests.reference.source_files import INSTRUMENTS, read, rows, write_zip

HOUR = 3_600 * 10**9


def write_comex(folder: Path, day: str, contracts: dict[str, list[str]]) -> Path:
    members = {f"{day}_gc_tick_trade_{contract}.csv": "\n".join(lines) for contract, lines in contracts.items()}
    return write_zip(folder / f"{day}_trade.zip", members)


def midnight(day: str) -> int:
    return int(np.datetime64(day, "ns").astype(np.int64))


def test_a_row_becomes_a_trade_of_unknown_aggressor_in_utc(tmp_path: Path) -> None:
    events = read(write_comex(tmp_path, "20131007", {"201312": ["276,1313.7,3,usa,,0", "3600000.5,1313.8,1,usa,,0"]}))
    assert rows(events, "ts_event", "kind", "price", "size", "side", "seq", "flags") == [
        (midnight("2013-10-07") + 4 * HOUR + 276_000_000, EventKind.TRADE, 13_137, 3, 0, 0, EventFlag.LAST),
        (midnight("2013-10-07") + 5 * HOUR + 500_000, EventKind.TRADE, 13_138, 1, 0, 1, EventFlag.LAST),
    ]


def test_winter_time_begins_within_the_day(tmp_path: Path) -> None:
    # Sunday 3 November 2013: clocks went back at 2:00, the market opened at 18:00
    events = read(write_comex(tmp_path, "20131103", {"201312": ["1000,1313.7,1,usa,,0", "64800000,1313.7,1,usa,,0"]}))
    midnight_utc = midnight("2013-11-03")
    assert events["ts_event"].tolist() == [midnight_utc + 4 * HOUR + 10**9, midnight_utc + 23 * HOUR]


def test_quantity_zero_is_a_trade_without_volume_and_a_suspicious_row_is_left_out(tmp_path: Path) -> None:
    lines = ["1,1313.7,0,usa,,0", "2,1999.9,5,usa,,1", "3,1313.8,2,usa,,0"]
    events = read(write_comex(tmp_path, "20131007", {"201312": lines}))
    assert rows(events, "price", "size") == [(13_137, 0), (13_138, 2)]


def test_the_root_is_the_busiest_contract_over_all_files(tmp_path: Path) -> None:
    few, many = ["1,1300.0,1,usa,,0"] * 4, ["1,1310.0,1,usa,,0"] * 5
    first = write_comex(tmp_path, "20131007", {"201310": few, "201312": few[:1]})
    second = write_comex(tmp_path, "20131008", {"201312": many})
    assert set(read([first, second])["price"].tolist()) == {13_000, 13_100}
    assert len(read([first, second])) == 6
    assert len(read(first)) == 4


def test_single_contracts_are_asked_for_by_name(tmp_path: Path) -> None:
    path = write_comex(tmp_path, "20131007", {"201310": ["5,1300.0,1,usa,,0"], "201312": ["1,1310.0,1,usa,,0"] * 2})
    source = open_source(path, None, INSTRUMENTS, ["GC.201310", "GC"])
    assert source.universe.symbols == ("GC.201310", "GC")
    assert source.universe[0].multiplier == 100
    assert rows(next(source.batches(9)), "instrument_id", "price") == [(1, 13_100), (1, 13_100), (0, 13_000)]
    with pytest.raises(ConfigurationError, match=r"'GC\.201402' is not in the data"):
        open_source(path, None, INSTRUMENTS, ["GC.201402"])


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("5,1313.7,-1,usa,,0", "quantity"),
        ("5,1313.75,1,usa,,0", "price"),
        ("5,1313.7,1,usa,0", "row"),
        ("5,1313.7,1,usa,,2", "suspicious"),
        ("0,1313.7,1,usa,,0", "ms"),
        ("86400000,1313.7,1,usa,,0", "ms"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, field: str) -> None:
    with pytest.raises(MalformedRow, match=r"trade\.zip!20131007_gc_tick_trade_201312\.csv, line 2") as caught:
        read(write_comex(tmp_path, "20131007", {"201312": ["1,1313.7,1,usa,,0", row]}))
    assert caught.value.field == field


def test_minute_bars_are_not_taken_for_trades(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "t.zip", {"20131007_gc_minute_trade_201312.csv": "4920000,1313.8,1313.8,1313.8,1313.8,4"}
    )
    with pytest.raises(DataError, match="not of the expected format"):
        open_source(path, None, INSTRUMENTS)


@pytest.mark.real_data
def test_every_trade_of_the_busiest_contract_is_read(real_data: Path) -> None:
    source = open_source(real_data / "comex" / "tick", None, INSTRUMENTS)
    (events,) = source.batches(1_000_000)
    assert source.universe.symbols == ("GC",)
    assert len(events) == 39_702 + 52_038
    assert int((events["size"] == 0).sum()) == 92 + 75
