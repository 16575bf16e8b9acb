"""The messages of a Binance capture, a block of lines at a time, as columns and as events."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import numpy as np
import polars as pl

from chimera_platform.errors import DataError
from chimera_platform.market.events import BUY, SELL, EventFlag, EventKind
from chimera_platform.market.formats.stream import NS_PER_MS, new_events
from chimera_platform.market.formats.text import Block, to_lots, to_ticks
from chimera_platform.market.instruments import Instrument

BOOK_TICKER_DTYPE = np.dtype(
    [
        ("ts_event", "<i8"),  # ns UTC
        ("ts_recv", "<i8"),  # ns UTC
        ("seq", "<i8"),  # update id u
        ("bid_price", "<i8"),  # ticks
        ("bid_size", "<i8"),  # lots
        ("ask_price", "<i8"),  # ticks
        ("ask_size", "<i8"),  # lots
    ]
)

_LEVELS = pl.List(pl.List(pl.String))
_DEPTH = {
    "T": pl.Int64,
    "E": pl.Int64,
    "s": pl.String,
    "u": pl.Int64,
    "U": pl.Int64,
    "pu": pl.Int64,
    "b": _LEVELS,
    "a": _LEVELS,
}
_TRADE = {"T": pl.Int64, "s": pl.String, "t": pl.Int64, "p": pl.String, "q": pl.String, "m": pl.Boolean}
_TICKER = {"T": pl.Int64, "E": pl.Int64, "s": pl.String, "u": pl.Int64}
_TICKER |= dict.fromkeys(("b", "B", "a", "A"), pl.String)
_SNAPSHOT = {"T": pl.Int64, "E": pl.Int64, "lastUpdateId": pl.Int64, "bids": _LEVELS, "asks": _LEVELS}
_KIND = (
    pl.when(pl.col("json").str.contains(r'^\{\s*"lastUpdateId"'))
    .then(pl.lit("snapshot"))
    .otherwise(
        pl.coalesce(
            pl.col("json").str.extract(r'"e"\s*:\s*"(\w+)"'),
            pl.col("json").str.extract(r'^\{\s*"stream"\s*:\s*"\w+@(bookTicker)"'),
        )
    )
)


def split_lines(block: Block) -> pl.DataFrame:
    """Return the lines as columns row, recv_ns, json, kind."""
    lines = (
        pl.read_csv(block.data, has_header=False, schema={"line": pl.String}, separator="\x01", quote_char=None)
        .lazy()
        .select(pl.col("line").str.split_exact(" ", 1).struct.rename_fields(["recv", "json"]).alias("parts"))
        .unnest("parts")
        .with_columns(pl.col("recv").cast(pl.Int64, strict=False).alias("recv_ns"), _KIND.alias("kind"))
        .with_row_index("row")
        .collect()
    )
    for column, shown, expected in (
        ("recv_ns", "recv", "the time of receipt in ns, a space, and JSON"),
        ("kind", "json", "a stream message with its event type, or a depth snapshot"),
    ):
        block.require(lines[column].is_not_null().to_numpy(), shown, lines[shown], expected)
    return lines


def _decode(
    block: Block, lines: pl.DataFrame, kind: str, schema: dict[str, Any], instrument: Instrument
) -> tuple[pl.DataFrame, Block]:
    """Return the messages of one kind with a column a field, and the block for checking them."""
    part = lines.filter(pl.col("kind") == kind)
    at = block.at(part["row"].to_numpy())
    message = pl.Struct(schema)
    try:
        decoded = part["json"].str.json_decode(message if kind == "snapshot" else pl.Struct({"data": message}))
    except pl.exceptions.PolarsError:
        _reject_first_bad_json(at, part["json"])
    fields = decoded.struct.unnest()
    if kind != "snapshot":
        fields = fields["data"].struct.unnest()
    optional = ("pu", "E") if kind == "trade" else ("pu", "E", "T")  # spot captures lack some of them
    for name in schema:
        if name not in optional:
            at.require(fields[name].is_not_null().to_numpy(), name, part["json"], f"a value in every {kind}")
    if "s" in schema:
        expected = f"{instrument.symbol}: a capture holds one symbol"
        at.require((fields["s"] == instrument.symbol).to_numpy(), "s", fields["s"], expected)
    decoded_part = pl.concat([part.select("recv_ns", "row"), fields], how="horizontal")
    if "E" in schema:
        decoded_part = decoded_part.with_columns(T=pl.coalesce("T", "E", pl.col("recv_ns") // NS_PER_MS))
    return decoded_part, at


def _reject_first_bad_json(block: Block, texts: pl.Series) -> NoReturn:
    for row, text in enumerate(texts):
        try:
            json.loads(text)
        except ValueError as error:
            block.reject(row, "json", text[:80], f"valid JSON ({error})")
    raise DataError(f"{block.label}, from line {block.first_line}: messages whose fields are not of the expected types")


def _numbers(block: Block, field: str, texts: pl.Series) -> np.ndarray[Any, Any]:
    numbers = texts.cast(pl.Float64, strict=False)
    block.require((numbers.is_not_null() & numbers.is_finite()).fill_null(False).to_numpy(), field, texts, "a number")
    return numbers.to_numpy()


def trades(
    block: Block, lines: pl.DataFrame, instrument: Instrument, instrument_id: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the trades as events, and the row of each."""
    part, at = _decode(block, lines, "trade", _TRADE, instrument)
    events = new_events(part.height, instrument_id)
    events["ts_event"] = part["T"].to_numpy() * NS_PER_MS
    events["ts_recv"] = part["recv_ns"].to_numpy()
    events["seq"] = part["t"].to_numpy()
    events["price"] = to_ticks(at, "p", _numbers(at, "p", part["p"]), instrument)
    events["size"] = to_lots(at, "q", _numbers(at, "q", part["q"]), instrument)
    events["side"] = np.where(part["m"].to_numpy(), SELL, BUY)  # m: the buyer was the maker
    events["kind"] = int(EventKind.TRADE)
    events["flags"] = int(EventFlag.LAST)
    return events, part["row"].to_numpy()


def depth_updates(
    block: Block, lines: pl.DataFrame, instrument: Instrument, instrument_id: int
) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """Return (row, U, u, pu) of each update (pu -1: none), shape (n, 4), and the events of each."""
    part, at = _decode(block, lines, "depthUpdate", _DEPTH, instrument)
    ids = part.select("row", "U", "u", pl.col("pu").fill_null(-1)).cast(pl.Int64).to_numpy()
    return ids, _level_events(at, part, "u", "b", "a", instrument, instrument_id)


def snapshots(
    block: Block, lines: pl.DataFrame, instrument: Instrument, instrument_id: int
) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """Return (row, lastUpdateId) of each snapshot, shape (n, 2), and the events of each, CLEAR first."""
    part, at = _decode(block, lines, "snapshot", _SNAPSHOT, instrument)
    ids = part.select("row", "lastUpdateId").cast(pl.Int64).to_numpy()
    found = []
    for levels in _level_events(at, part, "lastUpdateId", "bids", "asks", instrument, instrument_id):
        clear = new_events(1, instrument_id)
        for name in ("ts_event", "ts_recv", "seq"):
            clear[name] = levels[name][0]
        clear["kind"] = int(EventKind.CLEAR)
        levels["flags"] |= int(EventFlag.SNAPSHOT)
        found.append(np.concatenate((clear, levels)))
    return ids, found


def _level_events(
    block: Block, part: pl.DataFrame, seq: str, bids: str, asks: str, instrument: Instrument, instrument_id: int
) -> list[np.ndarray[Any, Any]]:
    """Return the LEVEL events of each message; one without levels gets a record that changes nothing."""
    owners, sides, prices, sizes = [], [], [], []
    for side, name in ((BUY, bids), (SELL, asks)):
        counts = part[name].list.len().to_numpy()
        owner = np.repeat(np.arange(part.height), counts)
        pairs = part[name].filter(part[name].list.len() > 0).explode()
        at = block.at(np.asarray(block.rows)[owner])
        at.require((pairs.list.len() == 2).fill_null(False).to_numpy(), name, pairs, "pairs of price and size")
        owners.append(owner)
        sides.append(np.full(owner.size, side))
        prices.append(to_ticks(at, name, _numbers(at, name, pairs.list.get(0)), instrument))
        sizes.append(to_lots(at, name, _numbers(at, name, pairs.list.get(1)), instrument))
    silent = np.setdiff1d(np.arange(part.height), np.concatenate(owners))
    owner = np.concatenate([*owners, silent])
    order = np.argsort(owner, kind="stable")
    nothing = np.zeros(silent.size, np.int64)
    events = new_events(owner.size, instrument_id)
    events["side"] = np.concatenate([*sides, nothing + BUY])[order]
    events["price"] = np.concatenate([*prices, nothing])[order]
    events["size"] = np.concatenate([*sizes, nothing])[order]
    owner = owner[order]
    events["ts_event"] = part["T"].to_numpy()[owner] * NS_PER_MS
    events["ts_recv"] = part["recv_ns"].to_numpy()[owner]
    events["seq"] = part[seq].to_numpy()[owner]
    events["kind"] = int(EventKind.LEVEL)
    ends = np.searchsorted(owner, np.arange(part.height), side="right")
    events["flags"][ends - 1] = int(EventFlag.LAST)
    return np.split(events, ends[:-1]) if part.height else []


def book_tickers(block: Block, lines: pl.DataFrame, instrument: Instrument) -> np.ndarray[Any, Any]:
    """Return the best bids and offers of the block, as ``BOOK_TICKER_DTYPE``."""
    part, at = _decode(block, lines, "bookTicker", _TICKER, instrument)
    rows = np.empty(part.height, BOOK_TICKER_DTYPE)
    rows["ts_event"] = part["T"].to_numpy() * NS_PER_MS
    rows["ts_recv"] = part["recv_ns"].to_numpy()
    rows["seq"] = part["u"].to_numpy()
    for side, price, size in (("bid", "b", "B"), ("ask", "a", "A")):
        rows[f"{side}_price"] = to_ticks(at, price, _numbers(at, price, part[price]), instrument)
        rows[f"{side}_size"] = to_lots(at, size, _numbers(at, size, part[size]), instrument)
    return rows
