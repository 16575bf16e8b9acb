"""OANDA quotes: what a row becomes, the order of the days, and every way in which a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest

from chimera_platform.errors import ConfigurationError, DataError, MalformedRow
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.formats import oanda, text
from chimera_platform.market.sources import open_source
from tests.reference.source_files import INSTRUMENTS, cut_file, read, rows, write_oanda, write_zip

MAY_1 = int(np.datetime64("2014-05-01", "ns").astype(np.int64))
DAY = 86_400_000_000_000
GOOD = ["43.142,1291.677,1292.033", "62.2662,1291.6,1292"]


def test_a_row_becomes_a_quote_of_assumed_size(tmp_path: Path) -> None:
    events = read(write_oanda(tmp_path, "20140501", GOOD))
    assert rows(events, "ts_event", "price", "ask_price", "size", "ask_size", "seq") == [
        (MAY_1 + 43_142_000, 1_291_677, 1_292_033, 500, 500, 0),
        (MAY_1 + 62_266_200, 1_291_600, 1_292_000, 500, 500, 1),
    ]
    assert (events["kind"] == EventKind.QUOTE).all()
    assert (events["flags"] == EventFlag.LAST | EventFlag.SIZE_ASSUMED).all()
    assert (events["ts_recv"] == events["ts_event"]).all()


def test_a_folder_is_read_in_the_order_of_its_days(tmp_path: Path) -> None:
    write_oanda(tmp_path, "20140502", ["0,1300,1301"])
    write_oanda(tmp_path, "20140501", ["0,1290,1291", "1,1291,1292"])
    (tmp_path / "LICENSE").write_text("text that is no data")
    assert rows(read(tmp_path), "ts_event", "price", "seq") == [
        (MAY_1, 1_290_000, 0),
        (MAY_1 + 1_000_000, 1_291_000, 1),
        (MAY_1 + DAY, 1_300_000, 2),
    ]


def test_days_given_out_of_order_are_read_in_order(tmp_path: Path) -> None:
    days = [write_oanda(tmp_path, f"2014050{d}", ["0,1290,1291"]) for d in (1, 2, 3)]
    assert rows(read(days[::-1]), "ts_event") == rows(read(days), "ts_event")


def test_two_symbols_are_merged_by_time_and_then_by_order_of_the_files(tmp_path: Path) -> None:
    gold = write_oanda(tmp_path / "g", "20140501", ["1,1290,1291", "3,1290,1291", "5,1290,1291"])
    euro = write_oanda(tmp_path / "e", "20140501", ["2,1.1,1.2", "3,1.1,1.2"], "eurusd")
    source = open_source([gold, euro], None, INSTRUMENTS)
    assert source.universe.symbols == ("XAUUSD", "EURUSD")
    (events,) = source.batches(100)
    assert rows(events, "instrument_id", "seq") == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]


def test_a_file_without_a_line_end_or_with_windows_ones_reads_the_same(tmp_path: Path) -> None:
    unix = read(write_oanda(tmp_path / "a", "20140501", [*GOOD, ""]))
    windows = read(
        write_zip(tmp_path / "b" / "20140501_quote.zip", {"20140501_xauusd_tick_quote.csv": "\r\n".join([*GOOD, ""])})
    )
    assert unix.tobytes() == windows.tobytes() == read(write_oanda(tmp_path / "c", "20140501", GOOD)).tobytes()


def test_the_blocks_of_the_text_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_oanda(tmp_path, "20140501", [f"{i},{1290 + i % 7}.5,{1300 + i % 3}.25" for i in range(500)])
    whole = read(path).tobytes()
    original = text.TextFile.blocks
    for size in (7, 64, 1000):
        monkeypatch.setattr(text.TextFile, "blocks", lambda self, _=0, size=size: original(self, size))
        assert read(path).tobytes() == whole


def test_the_name_may_stand_in_the_archive_the_folder_or_the_request(tmp_path: Path) -> None:
    in_folder = write_zip(tmp_path / "eurusd" / "20140501_quote.zip", {"ticks.csv": "1,1.1,1.2"})
    assert open_source(in_folder, None, INSTRUMENTS).universe.symbols == ("EURUSD",)
    nowhere = write_zip(tmp_path / "x" / "20140501_quote.zip", {"ticks.csv": "1,1.1,1.2"})
    assert open_source(nowhere, "oanda", INSTRUMENTS, ["EURUSD"]).universe.symbols == ("EURUSD",)
    with pytest.raises(ConfigurationError, match=r"no known symbol; known: XAUUSD.*ask for exactly one"):
        open_source(nowhere, None, INSTRUMENTS)


def test_an_unknown_symbol_in_the_name_is_refused_unless_another_is_asked_for(tmp_path: Path) -> None:
    write_oanda(tmp_path / "o", "20140501", ["1,50,51"], "wtico")
    with pytest.raises(ConfigurationError, match="'wtico' is no known symbol; known: XAUUSD"):
        open_source(tmp_path, None, INSTRUMENTS)
    write_oanda(tmp_path / "g", "20140501", ["1,1290,1291"])
    assert len(read(tmp_path, symbols=["XAUUSD"])) == 1


@pytest.mark.parametrize(
    ("bad_row", "field", "value", "expected"),
    [
        ("50,1291.6", "row", "50,1291.6", "3 fields (ms,bid,ask), not 2"),
        ("50,1291.6,1292,1", "row", "50,1291.6,1292,1", "3 fields (ms,bid,ask), not 4"),
        ("", "row", "", "3 fields (ms,bid,ask), not an empty line"),
        ("50,gold,1292", "bid", "gold", "a number"),
        ("50,1291.6,", "ask", "", "a number"),
        ("50,1291.6,nan", "ask", "nan", "a number"),
        ("50,1291.6,1e999", "ask", "1e999", "a number"),
        ("50, 1291.6,1292 ", "bid", " 1291.6", "a number"),
        ("50,-1291.6,1292", "bid", -1291.6, "a price above 0"),
        ("50,0,1292", "bid", 0.0, "a price above 0"),
        ("50,1291.67712,1292", "bid", 1291.67712, "a multiple of the tick 0.001"),
        ("50,1e300,1292", "bid", 1e300, "less than 2**53 ticks"),
        ("-1,1291.6,1292", "ms", -1.0, "milliseconds after midnight"),
        ("86400000,1291.6,1292", "ms", 86_400_000.0, "milliseconds after midnight"),
        ("43.141,1291.6,1292", "ms", 43.141, "a time not before the previous row's"),
    ],
)
def test_a_bad_row_is_named_by_file_line_field_and_value(
    tmp_path: Path, bad_row: str, field: str, value: object, expected: str
) -> None:
    path = write_oanda(tmp_path, "20140501", [GOOD[0], GOOD[0], bad_row, "70,1291.6,1292"])
    with pytest.raises(MalformedRow) as caught:
        read(path, "oanda")
    error = caught.value
    assert (error.path, error.line) == (f"{path}!20140501_xauusd_tick_quote.csv", 3)
    assert (error.field, error.value) == (field, value)
    assert expected in str(error)


def test_the_line_of_a_bad_row_is_right_far_into_the_file(tmp_path: Path) -> None:
    lines = [f"{i},1290.5,1291.5" for i in range(120_000)]
    lines[100_001] = "x,1290.5,1291.5"
    with pytest.raises(MalformedRow, match="line 100002: field 'ms' is 'x'"):
        read(write_oanda(tmp_path, "20140501", lines))


def test_rows_before_the_bad_one_have_been_given_out(tmp_path: Path) -> None:
    lines = [f"{i},1290.5,1291.5" for i in range(200_000)]
    lines[-1] = "x"
    batches = open_source(write_oanda(tmp_path, "20140501", lines), None, INSTRUMENTS).batches(1000)
    assert len(next(batches)) == 1000


def test_two_files_of_one_day_are_refused_where_their_times_overlap(tmp_path: Path) -> None:
    first, second = (write_oanda(tmp_path / n, "20140501", GOOD) for n in ("a", "b"))
    with pytest.raises(MalformedRow, match=r"previous row's in .*a/20140501_quote\.zip"):
        read([first, second])


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    whole = write_oanda(tmp_path / "w", "20140501", [f"{i},1290.5,1291.5" for i in range(5000)])
    for share in (0.3, 0.99):
        cut = cut_file(whole, tmp_path / "20140501_quote.zip", share)
        with pytest.raises(DataError, match=r"20140501_quote\.zip: truncated or damaged zip"):
            open_source(cut, None, INSTRUMENTS)


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = write_oanda(tmp_path, "20140501", [f"{i},1290.{i % 1000:03d},1291.5" for i in range(50_000)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"20140501_quote\.zip"):
        read(path, "oanda", ["XAUUSD"])


def test_an_empty_file_and_an_empty_member_are_refused(tmp_path: Path) -> None:
    (tmp_path / "20140501_quote.zip").touch()
    with pytest.raises(DataError, match="the file is empty"):
        open_source(tmp_path / "20140501_quote.zip", None, INSTRUMENTS)
    with pytest.raises(DataError, match=r"xauusd_tick_quote\.csv: the file is empty"):
        read(write_oanda(tmp_path, "20140501", []))


def test_a_name_without_a_date_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no date in the file's name"):
        open_source(write_zip(tmp_path / "q.zip", {"xauusd.csv": GOOD[0]}), "oanda", INSTRUMENTS, ["XAUUSD"])


def test_minute_bars_are_not_taken_for_ticks(tmp_path: Path) -> None:
    bar = "0,1291.677,1291.955,1291.376,1291.464,0,1292.033,1292.423,1291.698,1291.741,0"
    path = write_zip(tmp_path / "20140501_quote.zip", {"20140501_xauusd_minute_quote.csv": bar})
    assert not oanda.recognises(path)
    with pytest.raises(DataError, match=r"not of the expected format .*oanda: a zip or CSV a day"):
        open_source(path, "oanda", INSTRUMENTS)


@pytest.mark.real_data
def test_all_real_gold_quotes_are_read_in_flat_memory(real_data: Path) -> None:
    source = open_source(real_data / "oanda", None, INSTRUMENTS, ["XAUUSD"])
    sizes, last, resident = [], 0, list[int]()
    for batch in source.batches(10_007):
        resident.append(psutil.Process().memory_info().rss)
        sizes.append(len(batch))
        assert batch["ts_event"][0] >= last
        assert (np.diff(batch["ts_event"]) >= 0).all()
        last = int(batch["ts_event"][-1])
    assert sum(sizes) == 1_312_635
    assert set(sizes[:-1]) == {10_007}
    assert max(resident) - resident[5] < 40_000_000  # all events together are 94 MB
    (tail,) = source.batches(100_000, start=1_312_600)
    assert tail["seq"].tolist() == list(range(1_312_600, 1_312_635))
