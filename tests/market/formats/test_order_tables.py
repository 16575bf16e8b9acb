"""Invariant: a file of order events that modifies by id gives the book that its orders make."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from chimera_platform.market.book import apply_events as apply
from chimera_platform.market.book import ask_level, bid_level, is_tradable, new_books
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source

ROWS = [
    ("ADD", 1, 1200.10, 10, 1),
    ("ADD", 1, 1200.10, 5, 2),
    ("ADD", -1, 1200.30, 7, 3),
    ("MODIFY", 1, 1200.20, 4, 1),  # moves to another price
    ("MODIFY", -1, 1200.30, 2, 3),  # shrinks in place
    ("DELETE", 1, 1200.10, 0, 2),  # by id alone
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_orders_are_modified_and_deleted_by_id(tmp_path: Path, kind: str) -> None:
    table = pl.DataFrame(
        {
            "ts_ns": [1_700_000_000_000_000_000 + k for k in range(len(ROWS))],
            "symbol": ["XAUUSD"] * len(ROWS),
            "kind": [row[0] for row in ROWS],
            "side": [row[1] for row in ROWS],
            "price": [row[2] for row in ROWS],
            "size": [float(row[3]) for row in ROWS],
            "order_id": [row[4] for row in ROWS],
        }
    )
    path = tmp_path / f"orders.{kind}"
    table.write_csv(path) if kind == "csv" else table.write_parquet(path)
    source = open_source([path], None, load_instruments())
    instrument = source.universe[0]
    books = new_books(1)
    for events in source.batches(2):
        apply(books, events)
    book = books[0]
    ticks, lots = instrument.price_to_ticks, instrument.size_to_lots
    assert bid_level(book, 1) == (ticks("1200.20"), lots("4")) and bid_level(book, 2) == (0, 0)
    assert ask_level(book, 1) == (ticks("1200.30"), lots("2"))
    assert is_tradable(book)
