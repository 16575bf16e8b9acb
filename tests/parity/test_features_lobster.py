"""Features on a real trading day equal those computed by whole-array arithmetic from the publisher's own files.

The comparison reads message and book file itself and uses no code of the platform beyond the event times.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.feature_stream import feature_table

pytestmark = pytest.mark.real_data
SECOND = 1_000_000_000
Array = np.ndarray[Any, Any]


class Day:
    """Message and book file of one archive as arrays, prices in dollars."""

    def __init__(self, archive: Path, levels: int) -> None:
        frames = {}
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                for part in ("message", "orderbook"):
                    if f"_{part}_" in name:
                        frames[part] = pl.read_csv(io.BytesIO(opened.read(name)), has_header=False).to_numpy()
        book = frames["orderbook"].reshape(-1, levels, 4)
        self.ask, self.bid = book[:, :, 0] / 10_000, book[:, :, 2] / 10_000
        self.ask_size, self.bid_size = book[:, :, 1], book[:, :, 3]
        messages = frames["message"]
        self.kind, self.size, self.price = messages[:, 1], messages[:, 3], messages[:, 4] / 10_000
        self.resting_side = messages[:, 5]
        self.mid = (self.bid[:, 0] + self.ask[:, 0]) / 2

    def order_flow(self) -> Array:
        """e between consecutive rows (Cont, Kukanov & Stoikov 2014); 0 in the first."""
        bid, bid_size, ask, ask_size = self.bid[:, 0], self.bid_size[:, 0], self.ask[:, 0], self.ask_size[:, 0]
        e = bid_size[1:] * (bid[1:] >= bid[:-1]) - bid_size[:-1] * (bid[1:] <= bid[:-1])
        e = e - ask_size[1:] * (ask[1:] <= ask[:-1]) + ask_size[:-1] * (ask[1:] >= ask[:-1])
        return np.concatenate([[0], e])


def rolling(ts: Array, values: Array) -> Array:
    """Sum over (t − 10 s, t] as it stands after each row."""
    total = np.concatenate([[0], np.cumsum(values)])
    return total[1:] - total[np.searchsorted(ts, ts - 10 * SECOND, side="right")]


def by_second(ts: Array, values: Array) -> tuple[Array, Array]:
    """Return the last value before each whole second, and for each row the number of such samples."""
    first = ts[0] // SECOND + 1
    grid = np.arange(first, ts[-1] // SECOND + 1) * SECOND
    return values[np.searchsorted(ts, grid, side="left") - 1], ts // SECOND - first + 1


@pytest.mark.parametrize(("symbol", "levels"), [("GOOG", 10), ("GOOG", 1), ("AMZN", 1)])
def test_every_feature_of_a_day_equals_array_arithmetic_on_the_files(real_data: Path, symbol: str, levels: int) -> None:
    archive = real_data / "lobster" / f"LOBSTER_SampleFile_{symbol}_2012-06-21_{levels}.zip"
    table = feature_table(open_source([archive], "lobster", load_instruments()))
    found = pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in table])
    day, ts = Day(archive, levels), found["ts_ns"].to_numpy()
    assert found["seq"].to_list() == list(range(len(day.mid)))
    assert table.stream.coalesced == 0

    bid_size, ask_size = day.bid_size[:, 0], day.ask_size[:, 0]
    spread = day.ask[:, 0] - day.bid[:, 0]
    weighted = (day.bid[:, 0] * ask_size + day.ask[:, 0] * bid_size) / (bid_size + ask_size)
    deep_bid, deep_ask = day.bid_size[:, :5].sum(axis=1), day.ask_size[:, :5].sum(axis=1)
    e = day.order_flow()
    traded = np.where(np.isin(day.kind, (4, 5)), day.size, 0)
    signed, volume = rolling(ts, -day.resting_side * traded), rolling(ts, traded)
    cumulated = np.cumsum(traded)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = {
            "mid": day.mid,
            "spread": spread,
            "microprice": weighted,
            "queue_imbalance": (bid_size - ask_size) / (bid_size + ask_size),
            "depth_imbalance_5": (deep_bid - deep_ask) / (deep_bid + deep_ask),
            "ofi_event": e,
            "ofi_10s": rolling(ts, e),
            "ofi_norm_10s": rolling(ts, e) / rolling(ts, np.abs(e)),
            "trade_imbalance_10s": signed / volume,
            "vwap_deviation": day.mid / (np.cumsum(day.price * traded) / cumulated) - 1,
            "microprice_edge": (weighted - day.mid) / spread,
        }
    mids, count = by_second(ts, day.mid)
    log_mids = np.log(mids)
    squares = np.concatenate([[0], np.cumsum(np.diff(log_mids) ** 2)])
    at = np.maximum(count - 1, 0)
    volatility = np.sqrt(np.maximum(squares[at] - squares[np.maximum(at - 60, 0)], 0))
    wanted["realised_vol_60s"] = np.where(count > 60, volatility, np.nan)
    wanted["mid_return_10s"] = np.where(count > 10, log_mids[at] - log_mids[np.maximum(at - 10, 0)], np.nan)
    for name, truth in wanted.items():
        mine = found[name].to_numpy()
        np.testing.assert_allclose(mine, truth, rtol=1e-9, atol=1e-8, err_msg=name)
    print(f"LOBSTER {symbol} {levels} levels: {len(wanted)} features at {len(ts)} messages compared, all equal")


def logistic_slope(x: Array, y: Array) -> tuple[float, float]:
    """Return slope and its z-score of P(y) = 1 / (1 + exp(−(a + b x))), by Newton's method."""
    design, beta = np.column_stack([np.ones(len(x)), x]), np.zeros(2)
    for _ in range(20):
        p = 1 / (1 + np.exp(-design @ beta))
        information = design.T @ (design * (p * (1 - p))[:, None])
        beta = beta + np.linalg.solve(information, design.T @ (y - p))
    return float(beta[1]), float(beta[1] / np.sqrt(np.linalg.inv(information)[1, 1]))


@pytest.mark.parametrize(("symbol", "levels"), [("GOOG", 10), ("AMZN", 1)])
def test_the_sign_of_the_queue_imbalance_predicts_the_next_move_of_the_mid(
    real_data: Path, symbol: str, levels: int
) -> None:
    """Gould & Bonart (2016): one observation between any two moves of the mid, drawn uniformly from its states."""
    archive = real_data / "lobster" / f"LOBSTER_SampleFile_{symbol}_2012-06-21_{levels}.zip"
    table = feature_table(open_source([archive], "lobster", load_instruments()))
    found = pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in table])
    mid, imbalance = found["mid"].to_numpy(), found["queue_imbalance"].to_numpy()
    moves = np.flatnonzero(np.diff(mid)) + 1
    rng = np.random.default_rng(2016)
    observed = imbalance[rng.integers(moves[:-1], moves[1:])]
    up = mid[moves[1:]] > mid[moves[1:] - 1]
    decided = observed != 0
    share = ((observed > 0) == up)[decided].mean()
    deviations = (share - 0.5) / np.sqrt(0.25 / decided.sum())
    slope, z = logistic_slope(observed, up)
    print(
        f"{symbol}: {decided.sum()} moves of the mid, {share:.1%} foreseen by the sign ({deviations:.0f} standard "
        f"deviations from a coin); logistic slope {slope:.2f} (z = {z:.0f})"
    )
    assert deviations > 5
    assert z > 5
    shuffled = rng.permutation(observed)
    assert abs(logistic_slope(shuffled, up)[1]) < 4, "shuffled imbalances foresee nothing"
