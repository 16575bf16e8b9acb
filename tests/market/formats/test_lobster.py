"""Invariant: applying the events of a row makes the book equal the publisher's row, on real files and made-up ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import DataError, MalformedRow
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, ask_level, bid_level, new_books
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind, StatusCode
from chimera_platform.market.formats.lobster import book_rows
from chimera_platform.market.formats.lobster_window import WindowReconciler
from chimera_platform.market.formats.text import text_files
from chimera_platform.market.sources import open_source
from tests.reference.book import ReferenceBook
from tests.reference.source_files import INSTRUMENTS, read, rows, write_lobster

SECONDS = 1_000_000_000
# 2012-06-21 00:00 in New York is 04:00 UTC
MIDNIGHT = int(np.datetime64("2012-06-21T04:00", "ns").astype(np.int64))
MESSAGES = [
    "34200.017459617,1,11,18,5853100,1",
    "34200.017459618,1,12,5,5853300,-1",
    "34200.5,2,11,3,5853100,1",
    "34201,4,11,5,5853100,1",
    "34202,5,0,7,5853250,-1",
    "34203,3,11,10,5853100,1",
]
# After the last message the bid at 5853100 is gone and one at 5852000 enters the view.
BOOKS = [
    "9999999999,0,5853100,18",
    "5853300,5,5853100,18",
    "5853300,5,5853100,15",
    "5853300,5,5853100,10",
    "5853300,5,5853100,10",
    "5853300,5,5852000,40",
]


@kernel
def _compare(book: Any, events: Any, expected: Any) -> Any:
    """Return (rows that are equal, rows in all); prices and sizes of every level."""
    equal, row = 0, 0
    for i in range(events.shape[0]):
        apply_event(book, events[i])
        if events[i].flags & 1:
            same = True
            for level in range(expected.shape[1]):
                price, size = ask_level(book, level + 1)
                same &= price == expected[row, level, 0] and size == expected[row, level, 1]
                price, size = bid_level(book, level + 1)
                same &= price == expected[row, level, 2] and size == expected[row, level, 3]
            equal += same
            row += 1
    return equal, row


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["AMZN_2012-06-21_1", "GOOG_2012-06-21_1", "GOOG_2012-06-21_5", "GOOG_2012-06-21_10"])
def test_the_book_equals_the_publishers_row_to_row(real_data: Path, name: str) -> None:
    path = real_data / "lobster" / f"LOBSTER_SampleFile_{name}.zip"
    instrument = INSTRUMENTS[name[:4]]
    (text,) = [text for text in text_files(path) if "_orderbook_" in text.name]
    expected = np.concatenate(list(book_rows(text, instrument)))
    book = new_books(1)[0]
    equal, compared = _compare(book, read(path), expected)
    print(f"{name}: {compared} rows compared, {equal} equal")
    assert equal == compared == len(expected)
    assert (book["unmatched"], book["crossed"], book["gaps"]) == (0, 0, 0)


def test_messages_become_order_events(tmp_path: Path) -> None:
    events = read(write_lobster(tmp_path, MESSAGES, None))
    assert rows(events, "kind", "side", "price", "size", "order_id", "seq") == [
        (EventKind.ADD, 1, 117_062, 18, 11, 0),
        (EventKind.ADD, -1, 117_066, 5, 12, 1),
        (EventKind.CANCEL, 1, 117_062, 3, 11, 2),
        (EventKind.EXECUTE, 1, 117_062, 5, 11, 3),
        (EventKind.EXECUTE, -1, 117_065, 7, 0, 4),
        (EventKind.DELETE, 1, 117_062, 10, 11, 5),
    ]
    assert events["ts_event"][0] == MIDNIGHT + 34_200_017_459_617
    assert events["ts_event"][1] == MIDNIGHT + 34_200_017_459_618
    hidden = EventFlag.LAST | EventFlag.HIDDEN
    assert events["flags"].tolist() == [1, 1, 1, 1, hidden, 1]


def test_levels_that_enter_or_leave_the_view_are_window_records_of_the_message(tmp_path: Path) -> None:
    events = read(write_lobster(tmp_path, MESSAGES, BOOKS))
    window = events[events["kind"] == EventKind.LEVEL]
    assert rows(window, "seq", "side", "price", "size", "flags") == [
        (5, 1, 117_040, 40, EventFlag.WINDOW | EventFlag.LAST)
    ]
    assert events["flags"][-2] == 0
    assert events["ts_event"][-1] == events["ts_event"][-2]


def test_halts_and_crosses_are_told_apart(tmp_path: Path) -> None:
    messages = [f"3420{i},7,0,0,{price},-1" for i, price in enumerate((-1, 0, 1))] + ["34209,6,0,900,5853250,-1"]
    events = read(write_lobster(tmp_path, messages, None))
    assert rows(events, "kind", "price", "side", "size") == [
        (EventKind.STATUS, StatusCode.HALT, 0, 0),
        (EventKind.STATUS, StatusCode.HALT, 0, 0),
        (EventKind.STATUS, StatusCode.RESUME, 0, 0),
        (EventKind.TRADE, 117_065, 0, 900),
    ]


def test_a_second_day_starts_with_an_empty_book_and_counts_on(tmp_path: Path) -> None:
    first = write_lobster(tmp_path, MESSAGES, BOOKS)
    second = write_lobster(tmp_path, MESSAGES[:1], BOOKS[:1], "2012-06-22")
    events = read([second, first])
    assert rows(events[-2:], "kind", "seq", "flags") == [(EventKind.CLEAR, 6, 0), (EventKind.ADD, 6, 1)]
    assert events["ts_event"][-2] == MIDNIGHT + 86_400 * SECONDS + 34_200_017_459_617


def test_message_and_book_may_be_plain_files(tmp_path: Path) -> None:
    names = [f"GOOG_2012-06-21_34200000_57600000_{kind}_1.csv" for kind in ("message", "orderbook")]
    for name, lines in zip(names, (MESSAGES, BOOKS), strict=True):
        (tmp_path / name).write_text("\n".join(lines))
    assert read(tmp_path).tobytes() == read(write_lobster(tmp_path / "z", MESSAGES, BOOKS)).tobytes()
    alone = open_source(tmp_path / names[0], None, INSTRUMENTS)
    assert len(next(alone.batches(100))) == len(MESSAGES)
    with pytest.raises(DataError, match="a book file without its message file"):
        open_source(tmp_path / names[1], None, INSTRUMENTS)


@pytest.mark.parametrize(
    ("message", "field", "expected"),
    [
        ("34200,8,11,18,5853100,1", "type", "1 to 7"),
        ("34200,1,11,-18,5853100,1", "size", "a size above 0"),
        ("34200,1,11,0,5853100,1", "size", "a size above 0"),
        ("34200,1,11,18,5853100,0", "direction", "1 or -1"),
        ("34200,1,11,18,5853110,1", "price", "a multiple of the tick 0.005 of GOOG"),
        ("34200,1,11,18,-5853100,1", "price", "a price above 0"),
        ("86400,1,11,18,5853100,1", "time", "0 to 86400"),
        ("34199,1,11,18,5853100,1", "time", "not before the previous row's"),
        ("34200,7,0,0,5853100,-1", "price", "-1, 0 or 1 in a halt message"),
        ("34200,1,11,18,5853100", "row", "6 fields"),
        ("34200,1,11,1.5,5853100,1", "size", "a whole number"),
    ],
)
def test_a_bad_message_is_named(tmp_path: Path, message: str, field: str, expected: str) -> None:
    path = write_lobster(tmp_path, ["34200,1,10,18,5853100,1", message], None)
    with pytest.raises(MalformedRow) as caught:
        read(path)
    assert (caught.value.line, caught.value.field) == (2, field)
    assert expected in str(caught.value)
    assert "message_1.csv" in caught.value.path


@pytest.mark.parametrize(
    ("book", "field"),
    [
        ("5853300,5,5853100", "row"),
        ("5853300,-5,5853100,18", "ask_size_1"),
        ("5853300,5,5853110,18", "bid_price_1"),
        ("5853300,five,5853100,18", "ask_size_1"),
    ],
)
def test_a_bad_book_row_is_named(tmp_path: Path, book: str, field: str) -> None:
    with pytest.raises(MalformedRow, match=r"orderbook_1\.csv") as caught:
        read(write_lobster(tmp_path, MESSAGES[:2], [BOOKS[0], book]))
    assert (caught.value.line, caught.value.field) == (2, field)


def test_message_and_book_files_of_different_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"orderbook_1\.csv: ends before line 6 of .*message_1\.csv"):
        read(write_lobster(tmp_path, MESSAGES, BOOKS[:-1]))
    with pytest.raises(DataError, match=r"orderbook_1\.csv: more rows than .*message_1\.csv"):
        read(write_lobster(tmp_path, MESSAGES[:-1], BOOKS))


sides = st.dictionaries(st.integers(1, 12), st.integers(1, 5), max_size=4)
kinds = st.sampled_from((EventKind.ADD, EventKind.CANCEL, EventKind.DELETE, EventKind.EXECUTE, EventKind.TRADE))
steps = st.tuples(kinds, st.sampled_from((1, -1)), st.integers(1, 14), st.integers(1, 6), st.booleans(), sides, sides)


def view_of(asks: dict[int, int], bids: dict[int, int]) -> np.ndarray[Any, Any]:
    view = np.zeros((4, 4), np.int64)
    for level, price in enumerate(sorted(asks)):
        view[level, :2] = 20 + price, asks[price]
    for level, price in enumerate(sorted(bids, reverse=True)):
        view[level, 2:] = price, bids[price]
    return view


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=1, max_size=20))
def test_any_message_and_any_row_are_reconciled(steps: list[Any]) -> None:
    """Even a row that does not follow from the message at all is reached, and no record takes what is not there."""
    messages = np.zeros(len(steps), EVENT_DTYPE)
    views = np.zeros((len(steps), 4, 4), np.int64)
    for i, (kind, side, price, size, hidden, asks, bids) in enumerate(steps):
        flags = EventFlag.LAST | (EventFlag.HIDDEN if hidden and kind is EventKind.EXECUTE else 0)
        messages[i] = (i, i, i, 0, price if side > 0 else 20 + price, size, 0, 0, 0, flags, kind, side)
        views[i] = view_of(asks, bids)
    events = np.concatenate(list(WindowReconciler().reconcile(messages, views)))
    book, row = ReferenceBook(100), 0
    for event in events:
        book.apply(event)
        if event["flags"] & EventFlag.LAST:
            assert (view_of({p - 20: s for p, s in book.levels(-1)}, dict(book.levels(1))) == views[row]).all()
            row += 1
    assert row == len(steps)
    assert book.unmatched == 0
    kept = events[events["kind"] != EventKind.LEVEL]
    assert rows(kept, "seq", "kind", "price", "size") == rows(messages, "seq", "kind", "price", "size")
