"""Binance captures: the book equals the exchange's best bid and offer, and lost messages never go unseen."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.errors import DataError, MalformedRow
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_ask_size, best_bid, best_bid_size, new_books
from chimera_platform.market.events import EventFlag, EventKind, StatusCode
from chimera_platform.market.formats.binance import read_book_tickers
from chimera_platform.market.formats.binance_sync import HELD_UPDATES_MAX
from chimera_platform.market.sources import open_source
from tests.reference.source_files import INSTRUMENTS, Capture, cut_file, read, rows

SNAPSHOT = EventFlag.SNAPSHOT
LAST = EventFlag.LAST
TOUCH = ([["100.0", "1"]], [["100.1", "2"]])


@kernel
def _touch_after_updates(book: Any, events: Any, out: Any) -> Any:
    """Write seq, bid, bid size, ask, ask size after every depth update; return how many."""
    count = 0
    for i in range(events.shape[0]):
        apply_event(book, events[i])
        if events[i].flags & 1 and events[i].kind == 6:
            out[count, 0] = events[i].seq
            out[count, 1] = best_bid(book)
            out[count, 2] = best_bid_size(book)
            out[count, 3] = best_ask(book)
            out[count, 4] = best_ask_size(book)
            count += 1
    return count


@pytest.mark.real_data
@pytest.mark.parametrize("pattern", ["usdm_btcusdt_*.gz", "cm_btcusd_perp_*.gz"])
def test_the_book_equals_the_exchanges_best_bid_and_offer(real_data: Path, pattern: str) -> None:
    paths = sorted((real_data / "binance").glob(pattern))
    events = read(paths)
    tickers = np.concatenate(list(read_book_tickers(paths, INSTRUMENTS)))
    touch = np.zeros((len(events), 5), np.int64)
    book = new_books(1)[0]
    touch = touch[: _touch_after_updates(book, events, touch)]
    by_update = {row[0]: tuple(row[1:]) for row in touch.tolist()}
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    reached = [t for t in tickers if int(t["seq"]) in by_update]
    equal = sum(by_update[int(t["seq"])] == tuple(int(t[name]) for name in names) for t in reached)
    print(f"{pattern}: {len(tickers)} best bids and offers, {len(reached)} reached by the updates, {equal} equal")
    assert equal == len(reached) > 600
    assert (book["gaps"], book["crossed"], book["unmatched"]) == (0, 0, 0)
    assert (np.diff(events["ts_event"]) >= 0).all()


def test_a_snapshot_and_the_updates_that_reach_past_it_make_the_book(tmp_path: Path) -> None:
    capture = Capture()
    capture.depth((1, 4, 0), [["99.0", "9"]], [])  # older than the snapshot: dropped
    capture.depth((5, 8, 4), [["100.0", "3"]], [])  # spans it: used
    capture.depth((9, 9, 8), [["99.9", "1"]], [["100.2", "0"]])
    capture.snapshot(7, *TOUCH)
    capture.depth((10, 12, 9), [], [["100.1", "0"]])
    events = read(capture.write(tmp_path / "c.gz"))
    assert rows(events, "kind", "seq", "side", "price", "size", "flags") == [
        (EventKind.CLEAR, 7, 0, 0, 0, 0),
        (EventKind.LEVEL, 7, 1, 1000, 1000, SNAPSHOT),
        (EventKind.LEVEL, 7, -1, 1001, 2000, SNAPSHOT | LAST),
        (EventKind.LEVEL, 8, 1, 1000, 3000, LAST),
        (EventKind.LEVEL, 9, 1, 999, 1000, 0),
        (EventKind.LEVEL, 9, -1, 1002, 0, LAST),
        (EventKind.LEVEL, 12, -1, 1001, 0, LAST),
    ]


def test_a_trade_names_its_aggressor(tmp_path: Path) -> None:
    capture = Capture()
    capture.trade(70, "61800.30", "0.006", buyer_is_maker=False)
    capture.trade(71, "61800.20", "1.5", buyer_is_maker=True)
    events = read(capture.write(tmp_path / "c.gz"))
    assert rows(events, "kind", "seq", "side", "price", "size", "flags") == [
        (EventKind.TRADE, 70, 1, 618_003, 6, LAST),
        (EventKind.TRADE, 71, -1, 618_002, 1500, LAST),
    ]
    assert events["ts_event"][0] == 1_723_161_256_000 * 1_000_000
    assert events["ts_recv"][1] == 1_723_161_255_001_000_000


def test_exchange_times_that_go_back_between_streams_keep_the_order_of_receipt(tmp_path: Path) -> None:
    capture = Capture()
    for number, time in enumerate((1000, 990, 1005)):
        capture.trade(number, "100.0", "1", buyer_is_maker=True, time=time)
    events = read(capture.write(tmp_path / "c.gz"))
    assert rows(events, "seq", "ts_event") == [(0, 10**9), (1, 10**9), (2, 1005 * 10**6)]


def lossy(resynchronised: bool) -> Capture:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    capture.depth((8, 9, 7), [["100.0", "3"]], [])
    capture.depth((12, 13, 11), [["100.0", "4"]], [])  # update 10-11 was lost
    capture.depth((14, 15, 13), [["99.8", "5"]], [])
    if resynchronised:
        capture.snapshot(13, [["99.9", "1"]], [["100.1", "2"]])
        capture.depth((16, 16, 15), [["99.7", "6"]], [])
    return capture


def test_a_lost_update_is_a_gap_and_the_next_snapshot_ends_it(tmp_path: Path) -> None:
    events = read(lossy(resynchronised=True).write(tmp_path / "c.gz"))
    assert rows(events[3:], "kind", "seq", "price", "size") == [
        (EventKind.LEVEL, 9, 1000, 3000),
        (EventKind.STATUS, 13, StatusCode.GAP, 0),
        (EventKind.CLEAR, 13, 0, 0),
        (EventKind.LEVEL, 13, 999, 1000),
        (EventKind.LEVEL, 13, 1001, 2000),
        (EventKind.LEVEL, 13, 1000, 4000),  # spans the new snapshot
        (EventKind.LEVEL, 15, 998, 5000),
        (EventKind.LEVEL, 16, 997, 6000),
    ]


def test_after_a_gap_without_a_snapshot_no_update_reaches_the_book(tmp_path: Path) -> None:
    events = read(lossy(resynchronised=False).write(tmp_path / "c.gz"))
    book = new_books(1)[0]
    for event in events:
        apply_event(book, event)
    assert (book["gap"], book["gaps"]) == (1, 1)
    assert events["kind"][-1] == EventKind.STATUS


def test_a_snapshot_too_old_for_the_updates_is_followed_by_a_gap(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    capture.depth((10, 12, 9), [["100.0", "3"]], [])
    events = read(capture.write(tmp_path / "c.gz"))
    assert rows(events[3:], "kind", "price") == [(EventKind.STATUS, StatusCode.GAP)]


def test_a_snapshot_while_in_step_changes_nothing(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    capture.depth((8, 9, 7), [["100.0", "3"]], [])
    capture.snapshot(8, *TOUCH)
    capture.depth((10, 10, 9), [["100.0", "4"]], [])
    assert read(capture.write(tmp_path / "c.gz"))["seq"].tolist() == [7, 7, 7, 9, 10]


def test_an_update_without_levels_is_still_an_event(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    capture.depth((8, 9, 7), [], [])
    capture.depth((10, 10, 9), [["99.0", "4"]], [])
    events = read(capture.write(tmp_path / "c.gz"))
    assert rows(events[3:], "seq", "price", "size", "flags") == [(9, 0, 0, LAST), (10, 990, 4000, LAST)]


def test_spot_captures_lack_pu_and_some_times(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    for ids in ((6, 9, -1), (10, 11, -1), (13, 14, -1)):
        capture.depth(ids, [["100.0", "3"]], [])
    sent = capture.now
    capture.lines = [re.sub(r'"pu":-1,|"T":\d+,', "", line) for line in capture.lines]
    capture.lines[0] = re.sub(r'"E":\d+,', "", capture.lines[0])
    ticker = '{"stream":"btcusdt@bookTicker","data":{"u":9,"s":"BTCUSDT","b":"100.0","B":"3","a":"100.1","A":"2"}}'
    capture.lines.append(f"1723161255009000000 {ticker}")
    path = capture.write(tmp_path / "c.gz")
    events = read(path)
    assert rows(events[3:], "kind", "seq") == [(EventKind.LEVEL, 9), (EventKind.LEVEL, 11), (EventKind.STATUS, 14)]
    assert events["ts_event"][0] == 1_723_161_255_000_000_000
    assert events["ts_event"][-1] == (sent - 1) * 1_000_000
    (tickers,) = read_book_tickers([path], INSTRUMENTS)
    assert tickers.tolist() == [(1_723_161_255_009_000_000, 1_723_161_255_009_000_000, 9, 1000, 3000, 1001, 2000)]


def test_the_next_file_continues_the_recording(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    for number in range(8, 60):
        capture.depth((number, number, number - 1), [[f"{number}.0", "1"]], [])
    whole = read(capture.write(tmp_path / "whole.gz")).tobytes()
    second = Capture()
    second.lines, capture.lines = capture.lines[20:], capture.lines[:20]
    parts = [second.write(tmp_path / "p_20240809.gz"), capture.write(tmp_path / "p_20240808.gz")]
    assert read(parts).tobytes() == whole
    with pytest.raises(DataError, match=r"p_20240809\.gz: depth updates but no snapshot .* continues as well"):
        read(parts[0])


@pytest.mark.real_data
def test_the_real_recording_goes_on_over_two_files_without_a_gap(real_data: Path) -> None:
    paths = sorted((real_data / "binance").glob("cm_btcusd_perp_*.gz"))
    events = read(paths)
    updates = {int(seq) for seq in events["seq"][(events["kind"] == EventKind.LEVEL) & (events["flags"] == LAST)]}
    assert not (events["kind"] == EventKind.STATUS).any()
    sent = sum(gzip.decompress(path.read_bytes()).count(b'"depthUpdate"') for path in paths)
    assert len(updates) == sent - 23  # those older than the snapshot


def test_updates_that_wait_for_a_snapshot_are_bounded(tmp_path: Path) -> None:
    capture = Capture()
    for number in range(HELD_UPDATES_MAX + 10):
        capture.depth((number, number, number - 1), [["1.0", "1"]], [])
    capture.snapshot(HELD_UPDATES_MAX, *TOUCH)
    assert len(read(capture.write(tmp_path / "c.gz"))) == 3 + 10


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ('x {"stream":"btcusdt@trade"}', "recv", "the time of receipt in ns"),
        ("1723161255009000000", "json", "a stream message with its event type"),
        ('1723161255009000000 {"result":null,"id":1}', "json", "a stream message with its event type"),
        ('1723161255009000000 {"stream":"a","data":{"e":"trade","T":1,', "json", "valid JSON"),
        ('1723161255009000000 {"stream":"a","data":{"e":"trade","s":"BTCUSDT"}}', "T", "a value in every trade"),
        (
            '1723161255009000000 {"stream":"a","data":'
            '{"e":"trade","T":1,"s":"BTCUSDT","t":1,"p":"1.05","q":"1","m":true}}',
            "p",
            "a multiple of the tick 0.1",
        ),
        (
            '1723161255009000000 {"stream":"a","data":'
            '{"e":"trade","T":1,"s":"BTCUSDT","t":1,"p":"one","q":"1","m":true}}',
            "p",
            "a number",
        ),
        (
            '1723161255009000000 {"stream":"a","data":'
            '{"e":"depthUpdate","T":1,"s":"BTCUSDT","U":1,"u":1,"pu":0,"b":[["1.0","-5"]],"a":[]}}',
            "b",
            "a size of 0 or more",
        ),
        (
            '1723161255009000000 {"stream":"a","data":'
            '{"e":"depthUpdate","T":1,"s":"BTCUSDT","U":1,"u":1,"pu":0,"b":[["1.0"]],"a":[]}}',
            "b",
            "pairs of price and size",
        ),
        (
            '1723161255009000000 {"stream":"a","data":'
            '{"e":"trade","T":1,"s":"ETHUSDT","t":1,"p":"1.0","q":"1","m":true}}',
            "s",
            "a capture holds one symbol",
        ),
        (
            '1723161254000000003 {"stream":"a","data":'
            '{"e":"trade","T":1,"s":"BTCUSDT","t":1,"p":"1.0","q":"1","m":true}}',
            "recv_ns",
            "a time not before the previous row's",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, field: str, expected: str) -> None:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    capture.trade(1, "100.0", "1", buyer_is_maker=True)
    capture.lines.append(line)
    path = capture.write(tmp_path / "c.gz")
    with pytest.raises(MalformedRow) as caught:
        read(path)
    assert (caught.value.path, caught.value.line, caught.value.field) == (str(path), 3, field)
    assert expected in str(caught.value)


def test_a_truncated_capture_is_refused(tmp_path: Path) -> None:
    capture = Capture()
    capture.snapshot(7, *TOUCH)
    for number in range(8, 3000):
        capture.depth((number, number, number - 1), [[f"{number}.0", "1"]], [])
    cut = cut_file(capture.write(tmp_path / "c.gz"), tmp_path / "cut.gz", 0.7)
    with pytest.raises(DataError, match=r"cut\.gz: truncated, damaged or unreadable"):
        read(cut)


def test_two_markets_are_two_symbols_of_one_stream(tmp_path: Path) -> None:
    usdt, coin = Capture(), Capture()
    for number in range(3):
        usdt.trade(number, "100.0", "1", buyer_is_maker=True)
        coin.trade(number, "100.0", "1", buyer_is_maker=True)
    coin.lines = [line.replace('"BTCUSDT"', '"BTCUSD_PERP"') for line in coin.lines]
    paths = [usdt.write(tmp_path / "u.gz"), coin.write(tmp_path / "c.gz")]
    source = open_source(paths, None, INSTRUMENTS)
    assert source.universe.symbols == ("BTCUSDT", "BTCUSD_PERP")
    assert next(source.batches(100))["instrument_id"].tolist() == [0, 1] * 3
