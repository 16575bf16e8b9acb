"""The default spread limits on recorded and simulated markets: 99 % of their quotes pass in the session they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.city_sessions import CitySession, city_sessions
from chimera_platform.market.events import EventFlag
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import EventSource, open_source
from chimera_platform.risk.gates.market import spread_share
from chimera_platform.risk.risk_settings import RiskAdaptiveSettings, RiskSettings
from chimera_platform.settings import to_record

LAST = int(EventFlag.LAST)


@kernel
def collect_spreads(books: Any, events: Any, ppm: Any) -> None:
    """Write the spread in millionths of the mid after each source event, NaN where there is none."""
    for k in range(events.shape[0]):
        book = books[events[k].instrument_id]
        apply_event(book, events[k])
        ppm[k] = np.nan
        if events[k].flags & LAST and is_tradable(book):
            bid, ask = best_bid(book), best_ask(book)
            ppm[k] = 2e6 * (ask - bid) / abs(ask + bid)


def shares_that_pass(source: EventSource, most: int) -> dict[tuple[str, CitySession], float]:
    """Return, for each instrument and session with a thousand quotes, the share of them within the limit."""
    risk, adaptive = RiskSettings(), to_record(RiskAdaptiveSettings())[0]
    limits = np.array([risk.max_spread_ppm * spread_share(adaptive, int(session)) for session in CitySession])
    books, passing, counts = new_books(len(source.universe.symbols)), {}, {}
    seen = 0
    for events in source.batches(65_536):
        ppm = np.empty(len(events))
        collect_spreads(books, events, ppm)
        sessions = city_sessions(events["ts_event"])
        for i, symbol in enumerate(source.universe.symbols):
            for session in CitySession:
                chosen = ppm[(events["instrument_id"] == i) & (sessions == session) & ~np.isnan(ppm)]
                key = (symbol, session)
                counts[key] = counts.get(key, 0) + len(chosen)
                passing[key] = passing.get(key, 0) + int((chosen <= limits[session]).sum())
        seen += len(events)
        if seen >= most:
            break
    return {key: passing[key] / count for key, count in counts.items() if count >= 1_000}


def test_a_simulated_market_passes_in_every_session() -> None:
    source = open_feed("sim://?symbols=XAUUSD,XAGUSD,EURUSD&seed=7&days=1", load_instruments()).source
    shares = shares_that_pass(source, 400_000)
    assert {session for _, session in shares} == set(CitySession)
    assert min(shares.values()) >= 0.99, shares


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_1.zip",
        "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip",
        "binance/usdm_btcusdt_20240808.gz",
        "oanda/tick",
    ],
)
def test_a_recorded_market_passes_in_its_sessions(real_data: Path, name: str) -> None:
    shares = shares_that_pass(open_source(real_data / name, None, load_instruments()), 2_000_000)
    assert min(shares.values()) >= 0.99, shares
