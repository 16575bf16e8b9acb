"""Invariant: bars built event by event, however the stream is cut, equal bars of gathered lists."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import ConfigurationError
from chimera_platform.market.bar_table import bar_table
from chimera_platform.market.bars import TIMEFRAMES, BarBuilder, parse_interval
from chimera_platform.market.events import EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from tests.reference.bars import reference_bars
from tests.reference.event_streams import event_streams, make_events

INSTRUMENTS = load_instruments()
UNIVERSE = Universe([INSTRUMENTS["XAUUSD"], INSTRUMENTS["GC"]])
INTERVALS = ("1m", "1h", "3t", "1t")
MINUTE = 60_000_000_000
HIDDEN_FIELDS = ("is_open", "in_event")


def built(batches: list[Any], intervals: tuple[str, ...]) -> np.ndarray[Any, Any]:
    builder = BarBuilder(UNIVERSE, intervals)
    return np.concatenate([builder.update(batch) for batch in batches] + [builder.unfinished()])


def rows_of(bars: np.ndarray[Any, Any], instrument_id: int, interval: int) -> list[dict[str, int]]:
    chosen = bars[(bars["instrument_id"] == instrument_id) & (bars["interval"] == interval)]
    names = [name for name in bars.dtype.names or () if name not in HIDDEN_FIELDS]
    return [{name: int(bar[name]) for name in names} for bar in chosen]


def in_time_order(events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    events["ts_event"] = np.maximum.accumulate(events["ts_event"])
    return events


@settings(max_examples=60, deadline=None)
@given(event_streams(events_max=80, instruments=2).map(in_time_order), st.sampled_from((1, 3, 1000)))
def test_incremental_bars_equal_gathered_bars(events: np.ndarray[Any, Any], batch_size: int) -> None:
    batches = [events[i : i + batch_size] for i in range(0, len(events), batch_size)]
    bars = built(batches, INTERVALS)
    for instrument_id in (0, 1):
        own = events[events["instrument_id"] == instrument_id]
        for name in INTERVALS:
            interval = parse_interval(name)
            expected = [bar | {"instrument_id": instrument_id} for bar in reference_bars(own, interval)]
            assert rows_of(bars, instrument_id, interval) == expected


def test_the_reference_itself_sees_what_a_hand_count_sees() -> None:
    events = make_events(
        {"kind": EventKind.QUOTE, "ts_event": 5, "price": 10, "size": 1, "ask_price": 12, "ask_size": 1},
        {"kind": EventKind.TRADE, "ts_event": 6, "price": 12, "size": 3, "side": 1},
        {"kind": EventKind.QUOTE, "ts_event": MINUTE - 1, "price": 8, "size": 1, "ask_price": 13, "ask_size": 1},
        {"kind": EventKind.QUOTE, "ts_event": MINUTE, "price": 9, "size": 1, "ask_price": 10, "ask_size": 1},
    )
    first, second = reference_bars(events, MINUTE)
    assert (first["open"], first["high"], first["low"], first["close"]) == (22, 22, 21, 21)
    assert (first["bid_low"], first["ask_high"], first["events"], first["turnover"]) == (8, 13, 3, 36)
    assert (second["ts_open"], second["open"], second["volume"]) == (MINUTE, 19, 0)


@pytest.mark.parametrize(
    ("ts_event", "name", "opened"),
    [
        ("2014-05-01T23:59:59.999999999", "1d", "2014-05-01T00:00"),
        ("2014-05-04T23:59:59.999999999", "1w", "2014-04-28T00:00"),
        ("2014-05-05T00:00:00", "1w", "2014-05-05T00:00"),
        ("1969-12-31T12:00:00", "1w", "1969-12-29T00:00"),
        ("2014-05-01T13:37:00", "4h", "2014-05-01T12:00"),
        ("2014-05-01T13:37:00", "30m", "2014-05-01T13:30"),
    ],
)
def test_a_bar_opens_at_the_start_of_its_interval(ts_event: str, name: str, opened: str) -> None:
    at = int(np.datetime64(ts_event, "ns").astype(np.int64))
    trade = make_events({"kind": EventKind.TRADE, "ts_event": at, "price": 7, "size": 1})
    (bar,) = built([trade], (name,))
    assert bar["ts_open"] == np.datetime64(opened, "ns").astype(np.int64)


def test_intervals_without_events_give_no_bar() -> None:
    at = (0, 10 * MINUTE)
    trades = make_events(*({"kind": EventKind.TRADE, "ts_event": t, "price": 7, "size": 1} for t in at))
    assert built([trades], ("1m",))["ts_open"].tolist() == list(at)


def test_more_bars_than_the_output_holds_are_given_out_in_parts() -> None:
    rows = [{"kind": EventKind.TRADE, "ts_event": t, "price": 7, "size": 1} for t in range(9000)]
    assert len(built([make_events(*rows)], ("1t", "2t"))) == 9000 + 4500


@pytest.mark.parametrize("name", ["2m", "0t", "t", "", "1M"])
def test_an_unknown_timeframe_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w"):
        parse_interval(name)


def test_all_nine_timeframes_have_a_name() -> None:
    assert list(TIMEFRAMES) == ["tick", "1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"]
    assert [parse_interval(name) for name in TIMEFRAMES] == list(TIMEFRAMES.values())


def publisher_minutes(path: Path) -> dict[int, list[int]]:
    """The publisher's bid and ask open, high, low, close in ticks of 0.001, by open time in ns."""
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
        rows = list(csv.reader(io.TextIOWrapper(member)))
    day = np.datetime64(f"{path.name[:4]}-{path.name[4:6]}-{path.name[6:8]}", "ns").astype(np.int64)
    return {int(day) + int(r[0]) * 10**6: [round(float(v) * 1000) for v in r[1:5] + r[6:10]] for r in rows}


@pytest.mark.real_data
def test_minute_bars_of_the_oanda_ticks_equal_the_publishers(real_data: Path) -> None:
    source = open_source(real_data / "oanda", None, INSTRUMENTS, ["XAUUSD"])
    builder = BarBuilder(source.universe, ["1m"])
    bars = np.concatenate([builder.update(batch) for batch in source.batches(8192)] + [builder.unfinished()])
    fields = [f"{side}_{part}" for side in ("bid", "ask") for part in ("open", "high", "low", "close")]
    ours = {int(bar["ts_open"]): [int(bar[name]) for name in fields] for bar in bars}
    published: dict[int, list[int]] = {}
    for path in sorted((real_data / "oanda" / "minute" / "xauusd").glob("*_quote.zip")):
        published |= publisher_minutes(path)
    equal = sum(ours.get(ts) == bar for ts, bar in published.items())
    print(f"minute bars: {len(published)} published, {len(ours)} built, {equal} equal")
    assert len(published) > 9000
    assert ours == published


@pytest.mark.real_data
def test_minute_bars_of_the_comex_trades_equal_the_publishers(real_data: Path) -> None:
    """The tick files repeat each day's last trade, which the publisher's bars count once: its volume differs there."""
    source = open_source(real_data / "comex" / "tick", None, INSTRUMENTS, ["GC.201312"])
    table = pl.from_arrow(list(bar_table(source, "1m")))
    assert isinstance(table, pl.DataFrame)
    names = ("open", "high", "low", "close", "volume")
    ours = {row["ts_ns"]: [row[name] for name in names] for row in table.iter_rows(named=True)}
    equal, last_minutes = 0, []
    for day, midnight in (("20131007", "2013-10-07T04:00"), ("20131008", "2013-10-08T04:00")):
        with zipfile.ZipFile(real_data / "comex" / "minute" / "gc" / f"{day}_trade.zip") as archive:
            text = archive.read(f"{day}_gc_minute_trade_201312.csv").decode()
        rows = list(csv.reader(io.StringIO(text)))
        for number, row in enumerate(rows):
            opened = int(np.datetime64(midnight, "ns").astype(np.int64)) + int(row[0]) * 10**6
            bar = ours.pop(opened)
            if number == len(rows) - 1:
                assert bar[:4] == [float(v) for v in row[1:5]]
                last_minutes.append(bar[4] - float(row[5]))
            else:
                assert bar == [float(v) for v in row[1:6]]
                equal += 1
    print(f"minute bars: {equal} equal, volume above the publisher's in the last of each day: {last_minutes}")
    assert equal > 2600
    assert not ours
    assert last_minutes == [2.0, 1.0]


def test_the_table_gives_real_prices_and_nulls_for_what_a_bar_has_not(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("ts_ns,symbol,kind,side,price,size,ask_price,ask_size\n"
                    "1,XAUUSD,QUOTE,0,1300.001,5,1300.004,5\n"
                    "2,GC,TRADE,-1,1300.1,2,0,0\n"
                    "3,GC,TRADE,1,1300.3,1,0,0\n")  # fmt: skip
    gold, future = pl.DataFrame(
        pl.from_arrow(list(bar_table(open_source(path, None, INSTRUMENTS, ["XAUUSD", "GC"]), "1d")))
    ).iter_rows(named=True)
    assert gold["symbol"] == "XAUUSD"
    assert (gold["open"], gold["bid_close"], gold["ask_high"]) == (1300.0025, 1300.001, 1300.004)
    assert (gold["trade_open"], gold["vwap"], gold["volume"], gold["quotes"]) == (None, None, 0.0, 1)
    assert (future["open"], future["high"], future["bid_open"], future["trades"]) == (1300.1, 1300.3, None, 2)
    assert future["vwap"] == pytest.approx((2 * 1300.1 + 1300.3) / 3)
    assert future["delta"] == -1.0
