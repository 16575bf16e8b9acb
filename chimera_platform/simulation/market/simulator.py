"""The embedded market: a seeded L3 order flow of several correlated symbols, an event source like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from pydantic import ValidationError

from chimera_platform.errors import CapacityError, ConfigurationError
from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.instruments import Instrument, Universe, find_instrument
from chimera_platform.settings import to_record
from chimera_platform.simulation.market.calendar import sessions
from chimera_platform.simulation.market.episodes import EPISODE_DTYPE, REGIME_DTYPE
from chimera_platform.simulation.market.loop import RATES, generate
from chimera_platform.simulation.market.own_book import FLOW_BOOK_DTYPE, NO_ORDER
from chimera_platform.simulation.market.random_numbers import seeded_random
from chimera_platform.simulation.market.records import EPISODE_CAPACITY, MARKET_DTYPE
from chimera_platform.simulation.market.regimes import SYMBOL_DTYPE, day_curve, regime_records
from chimera_platform.simulation.market.settings import MarketSettings, profile_of, profile_records

GENERATION = 2  # of the algorithm: raised whenever the same parameters give another stream
CHUNK_ROWS = 65_536
DEFAULT_SYMBOLS = ("XAUUSD", "XAGUSD")
DEFAULT_SEED, DEFAULT_DAYS, DEFAULT_START = 7, 4, date(2024, 1, 2)
SYMBOLS_MAX, DAYS_MAX, SEED_MAX = 32, 2_000, 2**63 - 1
START_MIN, START_MAX = date(1971, 1, 1), date(2200, 1, 1)  # ns since 1970 must fit 64 bits


class OrderFlow:
    """One pass over a simulated market: the state, and the kernel that moves it on.

    Attributes
    ----------
    market, symbols, books : MARKET_DTYPE (1,), SYMBOL_DTYPE (n,), FLOW_BOOK_DTYPE (n,); copying them is a checkpoint.
    profiles : PROFILE_DTYPE (n,).
    episodes, regimes : ground truth of the last chunk; EPISODE_DTYPE and REGIME_DTYPE.
    """

    def __init__(
        self, instruments: tuple[Instrument, ...], seed: int, times: np.ndarray[Any, Any], settings: MarketSettings
    ):
        count = len(instruments)
        self.profiles = profile_records(instruments, settings)
        self.market = np.zeros(1, MARKET_DTYPE)
        self.market["random"] = seeded_random(seed)
        self.market["next_order_id"] = 1
        self.symbols = np.zeros(count, SYMBOL_DTYPE)
        self.symbols["efficient"] = self.profiles["start_price"]
        self.symbols["iceberg_slot"] = NO_ORDER
        self.books = np.zeros(count, FLOW_BOOK_DTYPE)
        self.episodes = np.zeros(0, EPISODE_DTYPE)
        self.regimes = np.zeros(0, REGIME_DTYPE)
        self._parameters = to_record(settings)
        own = regime_records(settings)
        self._regime_records = np.concatenate([own, np.zeros(count, own.dtype)])
        self._curve = day_curve(settings)
        self._times = times
        self._rates = np.zeros((count, RATES + 1))
        self._episode_rows = np.zeros(EPISODE_CAPACITY, EPISODE_DTYPE)
        self._regime_rows = np.zeros(EPISODE_CAPACITY, REGIME_DTYPE)

    def fill(self, out: np.ndarray[Any, Any]) -> int:
        """Write the next rows of the stream to ``out`` (EVENT_DTYPE, a few thousand at least); 0 at the end."""
        rows = generate(
            self._parameters[0],
            self._regime_records,
            self.profiles,
            self._curve,
            self._times,
            self.market[0],
            self.symbols,
            self.books,
            self._rates,
            self._episode_rows,
            self._regime_rows,
            out,
        )
        if self.books["fault"].any():
            raise CapacityError("the simulated order book is full; lower 'orders_a_side' or 'volatility'")
        self.episodes = self._episode_rows[: self.market["episodes"][0]].copy()
        self.regimes = self._regime_rows[: self.market["spans"][0]].copy()
        return int(rows)


class SimulatedMarket:
    """A seeded L3 order flow: the same parameters give the same bytes, however they are read.

    A marked point process on an order book: self-exciting (Hawkes 1971), with large orders worked piece by piece
    (Lillo, Mike & Farmer 2005), placement by a power law of the distance (Bouchaud, Mézard & Potters 2002), and
    intensities that react to distance, queue and spread (Cont, Stoikov & Talreja 2010; Huang, Lehalle & Rosenbaum
    2015).
    docs/simulated-market.md has the parts.

    Records are ADD, CANCEL, DELETE and EXECUTE (a market order: EXECUTE records of one ``seq``, ``side`` the resting
    side; no TRADE prints), with a CLEAR and a snapshot at each session's opening and STATUS at its opening and close.
    At every LAST each book is two-sided and uncrossed. Prices lie on a quoting grid of whole ticks.

    Parameters
    ----------
    universe : the symbols; ``instrument_id`` is the index in it. At most 32.
    seed : 0 to 2**63 - 1.
    days : trading days; one session each, weekends skipped.
    start : the first date (UTC) that may trade.
    settings : how the market behaves.

    Raises
    ------
    ConfigurationError : a parameter out of its bounds.
    """

    def __init__(
        self,
        universe: Universe,
        seed: int = DEFAULT_SEED,
        days: int = DEFAULT_DAYS,
        start: date = DEFAULT_START,
        settings: MarketSettings | None = None,
    ) -> None:
        _check("seed", seed, 0, SEED_MAX)
        _check("days", days, 1, DAYS_MAX)
        _check("number of symbols", len(universe), 1, SYMBOLS_MAX)
        if not START_MIN <= start <= START_MAX:
            raise ConfigurationError(f"simulated market: 'start' is {start}; expected {START_MIN} to {START_MAX}")
        self.universe = universe
        self.seed, self.days, self.start = seed, days, start
        self.settings = settings if settings is not None else MarketSettings()
        self._truth: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None

    @classmethod
    def from_url(cls, url: str, instruments: Mapping[str, Instrument]) -> SimulatedMarket:
        """Return the market that ``sim://?symbols=XAUUSD,XAGUSD&seed=7&days=3&start=2024-01-02&rate=2`` describes.

        Beside ``symbols``, ``seed``, ``days`` and ``start``, every number of :class:`MarketSettings` is a parameter.

        Raises
        ------
        ConfigurationError : an unknown parameter or symbol, or a value that is not allowed.
        """
        values = _query(url)
        symbols = values.pop("symbols", ",".join(DEFAULT_SYMBOLS)).split(",")
        universe = Universe([find_instrument(dict(instruments), symbol.strip()) for symbol in symbols])
        seed = _integer("seed", values.pop("seed", str(DEFAULT_SEED)))
        days = _integer("days", values.pop("days", str(DEFAULT_DAYS)))
        start = _date("start", values.pop("start", DEFAULT_START.isoformat()))
        return cls(universe, seed, days, start, _settings(values))

    @property
    def description(self) -> str:
        """All that decides the stream's content, in a fixed form."""
        symbols = [
            {"symbol": i.symbol, "tick_size": str(i.tick_size), "size": i.assumed_size, **profile_of(i).model_dump()}
            for i in self.universe.instruments
        ]
        identity = {
            "generation": GENERATION,
            "seed": self.seed,
            "days": self.days,
            "start": self.start.isoformat(),
            "symbols": symbols,
            "settings": self.settings.model_dump(),
        }
        return "sim://" + json.dumps(identity, sort_keys=True, separators=(",", ":"))

    def flow(self) -> OrderFlow:
        """Return a new pass over the stream, at its beginning."""
        times = sessions(self.start, self.days, self.settings)
        return OrderFlow(self.universe.instruments, self.seed, times, self.settings)

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the events from row ``start`` on, EVENT_DTYPE, ``batch_size`` rows at a time, the last one shorter.

        Memory is bounded by a chunk and a batch; what lies before ``start`` is generated and dropped.
        """
        if batch_size < 1 or start < 0:
            raise ConfigurationError(f"batch_size {batch_size} must be at least 1 and start {start} at least 0")
        flow, skip = self.flow(), start
        rest = np.zeros(0, EVENT_DTYPE)
        while True:
            chunk = np.zeros(CHUNK_ROWS, EVENT_DTYPE)
            rows = flow.fill(chunk)
            if rows == 0:
                break
            dropped = min(skip, rows)
            skip -= dropped
            ready = chunk[dropped:rows] if rest.size == 0 else np.concatenate([rest, chunk[dropped:rows]])
            whole = ready.size - ready.size % batch_size
            for first in range(0, whole, batch_size):
                yield ready[first : first + batch_size]
            rest = ready[whole:]
        if rest.size:
            yield rest

    def ground_truth(self) -> np.ndarray[Any, Any]:
        """Return every injected episode in order of its end: EPISODE_DTYPE (see there), any length.

        The stream is generated once for it, chunk by chunk, and not kept.
        """
        return self._passes()[0]

    def regimes(self) -> np.ndarray[Any, Any]:
        """Return the volatility regimes in time order: REGIME_DTYPE; the stretches cover every session gaplessly."""
        return self._passes()[1]

    def _passes(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        if self._truth is None:
            flow, chunk = self.flow(), np.zeros(CHUNK_ROWS, EVENT_DTYPE)
            episodes, regimes = [], []
            while flow.fill(chunk):
                episodes.append(flow.episodes)
                regimes.append(flow.regimes)
            self._truth = np.concatenate(episodes), np.concatenate(regimes)
        return self._truth


def _query(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.scheme != "sim" or parts.netloc or parts.path not in ("", "/"):
        raise ConfigurationError(f"'{url}' is not a simulator's address; expected sim://?symbols=XAUUSD,XAGUSD&seed=7")
    known = ["symbols", "seed", "days", "start", *_numeric_settings()]
    values: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise ConfigurationError(f"unknown parameter '{name}={value}' of sim://; known: {', '.join(known)}")
        if name in values:
            raise ConfigurationError(f"parameter '{name}' of sim:// is given twice: '{values[name]}' and '{value}'")
        values[name] = value
    return values


def _numeric_settings() -> list[str]:
    return [name for name, field in MarketSettings.model_fields.items() if field.annotation in (int, float)]


def _settings(values: dict[str, str]) -> MarketSettings:
    try:
        return MarketSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if not name:
            raise ConfigurationError(f"parameters of sim:// {values}: {first['msg']}") from error
        about = MarketSettings.model_fields[name].description
        raise ConfigurationError(
            f"parameter '{name}' of sim:// is '{first['input']}': {first['msg']}; it is: {about}"
        ) from error


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"parameter '{name}' of sim:// is '{text}'; expected a whole number") from None


def _date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"parameter '{name}' of sim:// is '{text}'; expected a date like 2024-01-02") from None


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"simulated market: '{name}' is {value}; expected {low} to {high}")
