"""The book equals LOBSTER's own book file, row for row and level for level, on a whole trading day."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from chimera_platform.market.depth_export import book_table
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source

pytestmark = pytest.mark.real_data
ABSENT = 9_999_999_999  # LOBSTER's price where there is no such level


def answer_key(archive: Path, levels: int) -> np.ndarray:
    """Return the book file as (row, level, [ask price, ask size, bid price, bid size]), read independently."""
    with zipfile.ZipFile(archive) as opened:
        (name,) = (n for n in opened.namelist() if "_orderbook_" in n)
        frame = pl.read_csv(io.BytesIO(opened.read(name)), has_header=False)
    return frame.to_numpy().reshape(frame.height, levels, 4)


@pytest.mark.parametrize(("symbol", "levels"), [("GOOG", 1), ("GOOG", 5), ("GOOG", 10), ("AMZN", 1)])
def test_the_book_equals_the_publishers_row_after_every_message(real_data: Path, symbol: str, levels: int) -> None:
    archive = real_data / "lobster" / f"LOBSTER_SampleFile_{symbol}_2012-06-21_{levels}.zip"
    table = book_table(open_source([archive], "lobster", load_instruments()), levels)
    rows = pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in table])
    truth = answer_key(archive, levels)
    assert rows["seq"].to_list() == list(range(len(truth)))
    equal = np.ones(len(truth), bool)
    for side, column in (("ask", 0), ("bid", 2)):
        for level in range(levels):
            price, size = rows[f"{side}_px_{level + 1}"].to_numpy(), rows[f"{side}_sz_{level + 1}"].to_numpy()
            wanted, absent = truth[:, level, column], np.abs(truth[:, level, column]) == ABSENT
            equal &= np.where(absent, np.isnan(price), np.abs(price * 10_000 - wanted) < 1e-6)
            equal &= np.where(absent, np.isnan(size), size == truth[:, level, column + 1])
    print(f"LOBSTER {symbol} {levels} levels: {len(truth)} rows compared, {int(equal.sum())} equal")
    assert equal.all(), f"first row that differs: {int(np.argmin(equal))}"
    assert (table.gaps, table.events) == (0, len(truth))
    assert int(table.books["dropped_levels"].sum()) == 0
