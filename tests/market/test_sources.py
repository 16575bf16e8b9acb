"""Opening recorded data: the guessed format, the choice of symbols, the identity, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from chimera_platform.errors import ConfigurationError, DataError, JournalError
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import EventSource, open_source
from tests.reference.source_files import (
    INSTRUMENTS,
    Capture,
    cut_file,
    read_source,
    write_lobster,
    write_oanda,
    write_zip,
)

GOOD = ["1,1290,1291", "2,1290.5,1291", "3,1290,1291", "4,1290,1291", "5,1290,1291"]


def test_a_source_is_an_event_source(tmp_path: Path) -> None:
    assert isinstance(open_source(write_oanda(tmp_path, "20140501", GOOD), None, INSTRUMENTS), EventSource)


def test_the_format_is_guessed_from_the_content(tmp_path: Path) -> None:
    capture = Capture()
    capture.trade(1, "100.0", "1", buyer_is_maker=True)
    table = tmp_path / "any.txt"
    table.write_text("ts_ns,symbol,price,size\n1,GC,1300.1,2\n")
    files = {
        "oanda": write_oanda(tmp_path, "20140501", GOOD),
        "lobster": write_lobster(tmp_path, ["34200,1,10,18,5853100,1"], None),
        "binance": capture.write(tmp_path / "capture"),
        "comex": write_zip(tmp_path / "c.zip", {"20131007_gc_tick_trade_201312.csv": "1,1313.7,1,usa,,0"}),
        "csv": table,
    }
    for format, path in files.items():
        guessed = open_source(path, None, INSTRUMENTS)
        assert guessed.description.startswith(f"format={format};")
        assert read_source(guessed).tobytes() == read_source(open_source(path, format, INSTRUMENTS)).tobytes()


@pytest.mark.parametrize("format", ["oanda", "lobster", "binance", "comex", "csv", "parquet"])
def test_a_file_of_no_format_is_refused_whatever_is_asked_for(tmp_path: Path, format: str) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader,\nthis is no market data.\n")
    for named in (None, format):
        with pytest.raises(DataError, match=rf"letter\.txt: not of the expected format \(.*{format}: "):
            open_source(path, named, INSTRUMENTS)


def test_a_wrong_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"20140501_quote\.zip: not of the expected format \(lobster: zip or CSV"):
        open_source(write_oanda(tmp_path, "20140501", GOOD), "lobster", INSTRUMENTS)


def test_unknown_and_planned_formats_are_told_apart(tmp_path: Path) -> None:
    path = write_oanda(tmp_path, "20140501", GOOD)
    with pytest.raises(ConfigurationError, match="format 'dbn' is not available yet; available: oanda, lobster"):
        open_source(path, "dbn", INSTRUMENTS)
    with pytest.raises(ConfigurationError, match=r"format 'xls' is unknown; available: .*journal"):
        open_source(path, "xls", INSTRUMENTS)


def test_missing_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.zip: no such file or folder"):
        open_source(tmp_path / "none.zip", None, INSTRUMENTS)
    with pytest.raises(DataError, match="no file inside is of the expected format"):
        open_source(tmp_path, None, INSTRUMENTS)
    with pytest.raises(ConfigurationError, match="no file"):
        open_source([], None, INSTRUMENTS)


def test_a_damaged_file_in_a_folder_is_refused_and_a_stray_one_is_not_read(tmp_path: Path) -> None:
    whole = write_oanda(tmp_path, "20140501", GOOD)
    for stray in ("LICENSE", ".gitkeep", "NOTES.md"):
        (tmp_path / stray).touch()
    assert len(read_source(open_source(tmp_path, None, INSTRUMENTS))) == len(GOOD)
    cut_file(whole, tmp_path / "20140502_quote.zip", 0.5)
    with pytest.raises(DataError, match=r"20140502_quote\.zip: truncated or damaged"):
        open_source(tmp_path, None, INSTRUMENTS)


def test_a_run_of_the_journal_is_recognised_by_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "journal" / "run-1").mkdir(parents=True)
    (tmp_path / "journal" / "run-1" / "run.json").write_text("{")
    for format in (None, "journal"):
        with pytest.raises(JournalError, match=r"run\.json"):
            open_source(tmp_path, format, INSTRUMENTS)
    with pytest.raises(ConfigurationError, match="a journal is read alone and whole"):
        open_source(tmp_path, "journal", INSTRUMENTS, ["GC"])


def test_a_file_without_lines_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "20140501_xauusd_tick_quote.csv"
    with path.open("wb") as stream:
        stream.truncate(1 << 27)
    with pytest.raises(DataError, match="line 1: longer than"):
        read_source(open_source(path, "oanda", INSTRUMENTS))


def test_a_folder_of_several_formats_needs_one_named(tmp_path: Path) -> None:
    write_oanda(tmp_path, "20140501", GOOD)
    write_lobster(tmp_path, ["34200,1,10,18,5853100,1"], None)
    with pytest.raises(DataError, match=r"several formats \(lobster, oanda\)"):
        open_source(tmp_path, None, INSTRUMENTS)
    assert open_source(tmp_path, "lobster", INSTRUMENTS).universe.symbols == ("GOOG",)


def test_a_symbol_that_no_instrument_has_or_no_file_holds_is_refused(tmp_path: Path) -> None:
    path = write_oanda(tmp_path, "20140501", GOOD)
    with pytest.raises(ConfigurationError, match="unknown symbol 'OIL'; known: XAUUSD"):
        open_source(path, None, INSTRUMENTS, ["OIL"])
    with pytest.raises(ConfigurationError, match="'GC' is not in the data; it holds: XAUUSD"):
        open_source(path, None, INSTRUMENTS, ["XAUUSD", "GC"])


def test_the_universe_is_in_the_order_asked_for(tmp_path: Path) -> None:
    gold = write_oanda(tmp_path / "g", "20140501", GOOD)
    euro = write_oanda(tmp_path / "e", "20140501", ["1,1.1,1.2"], "eurusd")
    assert open_source([gold, euro], None, INSTRUMENTS, ["EURUSD", "XAUUSD"]).universe.symbols == ("EURUSD", "XAUUSD")
    assert open_source([gold, euro], None, INSTRUMENTS, ["EURUSD"]).universe.symbols == ("EURUSD",)


def test_the_description_is_the_identity_of_the_content(tmp_path: Path) -> None:
    path = write_oanda(tmp_path / "a", "20140501", GOOD)
    (tmp_path / "b").mkdir()
    copy = Path(shutil.copy(path, tmp_path / "b"))
    other = write_oanda(tmp_path / "c", "20140501", GOOD[:-1])
    one, two, three = (open_source(p, None, INSTRUMENTS).description for p in (path, copy, other))
    assert one == two != three
    assert str(tmp_path) not in one
    (tmp_path / "own.toml").write_text("[XAUUSD]\nassumed_size = 7\n")
    assert open_source(path, None, load_instruments(tmp_path / "own.toml")).description != one


def test_files_of_symbols_not_asked_for_are_not_part_of_the_identity(tmp_path: Path) -> None:
    gold = write_oanda(tmp_path / "g", "20140501", GOOD)
    write_oanda(tmp_path / "e", "20140501", ["1,1.1,1.2"], "eurusd")
    alone = open_source(gold, None, INSTRUMENTS).description
    assert open_source(tmp_path, None, INSTRUMENTS, ["XAUUSD"]).description == alone


def test_batches_do_not_depend_on_files(tmp_path: Path) -> None:
    for day in ("20140501", "20140502", "20140505"):
        write_oanda(tmp_path, day, GOOD)
    source = open_source(tmp_path, None, INSTRUMENTS)
    whole = read_source(source)
    for size in (1, 4, 7, 100):
        for start in (0, 3, 5, 14, 15, 20):
            batches = list(source.batches(size, start))
            assert all(len(b) == size for b in batches[:-1])
            assert b"".join(b.tobytes() for b in batches) == whole[start:].tobytes()


@pytest.mark.parametrize(("size", "start"), [(0, 0), (-1, 0), (1, -1)])
def test_impossible_batches_are_refused(tmp_path: Path, size: int, start: int) -> None:
    with pytest.raises(ConfigurationError, match="batch_size"):
        next(open_source(write_oanda(tmp_path, "20140501", GOOD), None, INSTRUMENTS).batches(size, start))


@pytest.mark.real_data
def test_a_real_folder_with_bars_and_ticks_gives_the_ticks(real_data: Path) -> None:
    source = open_source(real_data / "oanda", None, INSTRUMENTS)
    assert source.universe.symbols == ("EURUSD", "XAUUSD")
    first = next(source.batches(50_000))
    assert (np.diff(first["ts_event"]) >= 0).all()
    assert set(first["instrument_id"].tolist()) == {0, 1}


@pytest.mark.real_data
def test_daily_bars_are_refused_as_market_events(real_data: Path) -> None:
    with pytest.raises(DataError, match=r"us_daily_2016\.parquet: not of the expected format"):
        open_source(real_data / "bars" / "us_daily_2016.parquet", None, INSTRUMENTS)
