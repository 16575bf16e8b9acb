"""The table of the `book` command: which source events are rows, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest

from chimera_platform.errors import ConfigurationError
from chimera_platform.market.depth_export import BookTable, book_table
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind, StatusCode
from chimera_platform.market.instruments import Universe, load_instruments
from tests.reference.event_streams import make_events


class ArraySource:
    """Events held in memory."""

    def __init__(self, events: np.ndarray[Any, Any], *symbols: str) -> None:
        self.events = events
        self.universe = Universe([load_instruments()[s] for s in symbols or ("BTCUSDT",)])
        self.description = "array"

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        for begin in range(start, len(self.events), batch_size):
            yield self.events[begin : begin + batch_size]


def level(side: int, price: int, size: int, seq: int, **more: int) -> dict[str, int]:
    return {
        "kind": EventKind.LEVEL,
        "side": side,
        "price": price,
        "size": size,
        "seq": seq,
        "ts_event": 10 + seq,
        **more,
    }


def frame(table: BookTable) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in table])


def test_rows_hold_real_prices_and_sizes_and_absent_levels_are_null() -> None:
    events = make_events(level(BUY, 618_002, 1, 0), level(SELL, 618_003, 2_909, 1), level(BUY, 617_997, 3, 2))
    rows = frame(book_table(ArraySource(events), 2))
    assert rows.columns == [
        "ts_ns", "seq", "symbol", "bid_px_1", "bid_sz_1", "bid_px_2", "bid_sz_2",
        "ask_px_1", "ask_sz_1", "ask_px_2", "ask_sz_2",
    ]  # fmt: skip
    assert rows.row(0) == (10, 0, "BTCUSDT", 61800.2, 0.001, None, None, None, None, None, None)
    assert rows.row(2) == (12, 2, "BTCUSDT", 61800.2, 0.001, 61799.7, 0.003, 61800.3, 2.909, None, None)


def test_prints_snapshots_and_gap_notices_beside_a_stream_of_levels_give_no_row() -> None:
    snapshot = EventFlag.SNAPSHOT
    events = make_events(
        {"kind": EventKind.CLEAR, "flags": 0},
        level(BUY, 99, 5, 0, flags=snapshot),
        level(SELL, 101, 5, 0, flags=snapshot | EventFlag.LAST),
        {"kind": EventKind.TRADE, "side": BUY, "price": 101, "size": 1, "seq": 1},
        level(BUY, 99, 6, 2),
        {"kind": EventKind.STATUS, "price": StatusCode.GAP, "seq": 3},
        level(BUY, 102, 6, 4),
    )
    table = book_table(ArraySource(events), 1)
    assert frame(table)["seq"].to_list() == [2, 4]
    assert (table.rows, table.events, table.gaps, table.crossed) == (2, 5, 1, 1)


def test_every_event_of_an_order_stream_is_a_row_prints_and_halts_too() -> None:
    hidden = EventFlag.HIDDEN | EventFlag.LAST
    events = make_events(
        {"kind": EventKind.ADD, "side": BUY, "price": 99, "size": 5, "seq": 0},
        {"kind": EventKind.EXECUTE, "side": BUY, "price": 99, "size": 5, "seq": 1, "flags": hidden},
        {"kind": EventKind.TRADE, "price": 99, "size": 5, "seq": 2},
        {"kind": EventKind.STATUS, "price": StatusCode.HALT, "seq": 3},
    )
    assert frame(book_table(ArraySource(events), 1))["seq"].to_list() == [0, 1, 2, 3]


def test_the_table_does_not_depend_on_the_batch_size() -> None:
    rng = np.random.default_rng(8)
    events = make_events(
        *(
            level(side, 1000 - side * int(k), int(q), i, instrument_id=int(j), flags=int(last))
            for i, (side, k, q, j, last) in enumerate(
                zip(
                    rng.choice([BUY, SELL], 400).tolist(), rng.integers(1, 9, 400), rng.integers(0, 4, 400),
                    rng.integers(0, 2, 400), rng.integers(0, 2, 400), strict=True,
                )
            )
        )
    )  # fmt: skip
    source = ArraySource(events, "BTCUSDT", "GOOG")
    whole = frame(BookTable(source, 3))
    assert set(whole["symbol"].cast(pl.String)) == {"BTCUSDT", "GOOG"}
    for size in (1, 7, 64):
        assert frame(BookTable(source, 3, size)).equals(whole)


def test_a_number_of_levels_that_no_book_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="levels is 0"):
        book_table(ArraySource(make_events()), 0)
