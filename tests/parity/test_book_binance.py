"""The book built from Binance's depth updates equals the exchange's own best bid and offer stream."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from chimera_platform.market.book import apply_events, ask_level, bid_level, new_books
from chimera_platform.market.depth_export import book_table
from chimera_platform.market.events import EventKind
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source

pytestmark = pytest.mark.real_data
CAPTURES = {
    "BTCUSDT": ["usdm_btcusdt_20240808.gz"],
    "BTCUSD_PERP": ["cm_btcusd_perp_20240808.gz", "cm_btcusd_perp_20240809.gz"],
}


class Capture(NamedTuple):
    """What an independent reading of the files finds."""

    tickers: dict[int, tuple[Decimal, ...]]  # update id → best bid, its size, best ask, its size
    updates: list[int]  # `u` of the depth updates that join up with the snapshot


def read_capture(paths: Sequence[Path]) -> Capture:
    tickers: dict[int, tuple[Decimal, ...]] = {}
    depth: list[tuple[int, int, int]] = []
    snapshot = 0
    for path in paths:
        with gzip.open(path, "rt") as lines:
            for line in lines:
                message = json.loads(line.split(" ", 1)[1])
                data = message.get("data", message)
                if "lastUpdateId" in data:
                    snapshot = snapshot or data["lastUpdateId"]
                elif data["e"] == "bookTicker":
                    tickers[data["u"]] = tuple(Decimal(data[name]) for name in "bBaA")
                elif data["e"] == "depthUpdate":
                    depth.append((data["pu"], data["u"], len(data["b"]) + len(data["a"])))
    updates = [u for _, u, _ in depth if u >= snapshot]
    assert all(pu == before for (pu, _, _), (_, before, _) in zip(depth[1:], depth, strict=False)), "messages were lost"
    return Capture(tickers, updates)


@pytest.mark.parametrize("symbol", list(CAPTURES))
def test_the_touch_equals_every_book_ticker_that_the_updates_reach(real_data: Path, symbol: str) -> None:
    paths = [real_data / "binance" / name for name in CAPTURES[symbol]]
    capture = read_capture(paths)
    table = book_table(open_source(paths, "binance", load_instruments()), 1)
    rows = pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in table])
    assert rows["seq"].to_list() == capture.updates, "one row per depth update from the snapshot on"
    touch = rows.select("seq", "bid_px_1", "bid_sz_1", "ask_px_1", "ask_sz_1").iter_rows()
    exact = exact_equal = between_equal = between = 0
    ids = sorted(capture.tickers)
    for seq, *values in touch:
        latest = bisect_right(ids, seq) - 1
        if latest >= 0:
            matches = values == [float(v) for v in capture.tickers[ids[latest]]]
            between, between_equal = between + 1, between_equal + matches
            if ids[latest] == seq:
                exact, exact_equal = exact + 1, exact_equal + matches
    print(
        f"Binance {symbol}: {len(ids)} tickers, {len(capture.updates)} updates; same update id: {exact} compared, "
        f"{exact_equal} equal; latest ticker at or before each update: {between} compared, {between_equal} equal"
    )
    assert exact > 500
    assert exact_equal == exact
    assert between_equal == between
    assert (table.gaps, table.crossed) == (0, 0)


def test_the_bound_on_levels_never_shows_in_the_thousand_levels_at_the_touch(real_data: Path) -> None:
    source = open_source([real_data / "binance" / CAPTURES["BTCUSDT"][0]], "binance", load_instruments())
    books = new_books(1)
    levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
    for events in source.batches(20_000):
        apply_events(books, events)
        for kind, side, price, size in zip(
            *(events[n].tolist() for n in ("kind", "side", "price", "size")), strict=True
        ):
            if kind == EventKind.LEVEL:
                levels[side][price] = size
            elif kind == EventKind.CLEAR:
                levels = {1: {}, -1: {}}
        for side, level in ((1, bid_level), (-1, ask_level)):
            truth = sorted(((p, q) for p, q in levels[side].items() if q), reverse=side > 0)[:1000]
            assert [level(books[0], k + 1) for k in range(len(truth))] == truth
    assert books[0]["dropped_levels"] > 0, "the capture has grown beyond the bound"
