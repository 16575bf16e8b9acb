"""The markets that variants are compared on: simulated days that do not depend on each other, and recorded data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chimera_platform.errors import ConfigurationError
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.market.instruments import Instrument
from chimera_platform.market.sources import EventSource, open_source
from chimera_platform.signals.scorecard_markets import RATES, settings_together
from chimera_platform.simulation.market.calendar import trading_dates
from chimera_platform.simulation.market.simulator import SimulatedMarket

Array = np.ndarray[Any, Any]
USUAL, EVENTFUL = "simulated, usual days", "simulated, eventful days"
_SIZES = (EventKind.ADD, EventKind.MODIFY, EventKind.CANCEL, EventKind.DELETE, EventKind.EXECUTE)


@dataclass(frozen=True)
class Market:
    """Runs of one kind.

    Attributes
    ----------
    name : for people.
    runs : each opens a source; every run begins flat, with the starting equity.
    is_simulated : the runs are days that do not depend on each other; else the days of a run follow one another.
    about : what it is, a sentence or two.
    """

    name: str
    runs: tuple[Callable[[], EventSource], ...]
    is_simulated: bool
    about: str


@dataclass(frozen=True)
class MarketFacts:
    """What was read of a market.

    Attributes
    ----------
    symbols : of all runs.
    events : how many.
    hours : from each run's first event to its last, summed up.
    first_ts, last_ts : ns UTC, of all runs.
    kinds : event kinds that occur.
    has_assumed_sizes : the source publishes no sizes.
    """

    symbols: tuple[str, ...]
    events: int
    hours: float
    first_ts: int
    last_ts: int
    kinds: frozenset[EventKind]
    has_assumed_sizes: bool

    @property
    def shows(self) -> str:
        """What a trader sees of the market."""
        if self.kinds & set(_SIZES):
            return "single orders"
        book = [kind for kind in (EventKind.LEVEL, EventKind.QUOTE) if kind in self.kinds]
        if not book:
            return "prints only, no book: nothing can be traded against"
        what = "price levels" if EventKind.LEVEL in self.kinds else "the touch"
        what += " without sizes" if self.has_assumed_sizes else ""
        return f"{what} and prints" if EventKind.TRADE in self.kinds else f"{what}, no prints"


def facts_of(events: Array, symbols: tuple[str, ...]) -> MarketFacts:
    """Return the facts of one run's events, at least one."""
    first, last = int(events["ts_event"].min()), int(events["ts_event"].max())
    kinds = frozenset(EventKind(int(k)) for k in np.flatnonzero(np.bincount(events["kind"])))
    assumed = bool((events["flags"] & int(EventFlag.SIZE_ASSUMED)).any())
    return MarketFacts(symbols, len(events), (last - first) / 3.6e12, first, last, kinds, assumed)


def joined_facts(facts: Sequence[MarketFacts]) -> MarketFacts:
    """Return the facts of several runs together."""
    return MarketFacts(
        tuple(dict.fromkeys(symbol for each in facts for symbol in each.symbols)),
        sum(each.events for each in facts),
        sum(each.hours for each in facts),
        min(each.first_ts for each in facts),
        max(each.last_ts for each in facts),
        frozenset(kind for each in facts for kind in each.kinds),
        any(each.has_assumed_sizes for each in facts),
    )


def simulated_markets(
    instruments: Mapping[str, Instrument], symbols: Sequence[str], days: int, seed: int
) -> list[Market]:
    """Return the simulated markets: usual flow, and flow with every pattern that the detectors look for.

    Each day has a seed of its own, ``seed``, ``seed + 1``, …, and so a history of its own: no session stands before it.
    """
    if days < 1:
        raise ConfigurationError(f"--days is {days}; expected at least 1")
    eventful = settings_together()
    wanted = {name for rates in RATES.values() for name in rates}
    rates = {name: value for name, value in eventful.model_dump().items() if name in wanted}
    said = ", ".join(f"{name.removesuffix('_a_day').replace('_', ' ')} {value:g}" for name, value in rates.items())
    dates = trading_dates(SimulatedMarket.from_url("sim://", instruments).start, days)

    def day(number: int, is_eventful: bool) -> Callable[[], EventSource]:
        def opened() -> EventSource:
            url = f"sim://?symbols={','.join(symbols)}&seed={seed + number}&days=1&start={dates[number]}"
            market = SimulatedMarket.from_url(url, instruments)
            if is_eventful:
                market = SimulatedMarket(market.universe, market.seed, 1, market.start, eventful)
            return market

        return opened

    about = f"{days} sessions of 21 hours of {' and '.join(symbols)}, correlated, seeds {seed} to {seed + days - 1}; "
    return [
        Market(USUAL, tuple(day(k, False) for k in range(days)), True, about + "the simulator's defaults."),
        Market(
            EVENTFUL,
            tuple(day(k, True) for k in range(days)),
            True,
            about + f"the same flow with every pattern that the detectors look for, a symbol and day: {said}.",
        ),
    ]


def recorded_market(text: str, instruments: Mapping[str, Instrument]) -> Market:
    """Return the market that ``LABEL=PATH`` or ``LABEL=PATH,PATH`` names, as one run.

    Raises
    ------
    ConfigurationError : not of this form.
    DataError : see :func:`~chimera_platform.market.sources.open_source`.
    """
    label, separator, paths = text.partition("=")
    if not separator or not label or not paths:
        raise ConfigurationError(f"'{text}' is not of the form LABEL=PATH or LABEL=PATH,PATH")
    source = open_source([Path(part) for part in paths.split(",")], None, instruments)
    return Market(label, (lambda: source,), False, _said_of(source))


def _said_of(source: EventSource) -> str:
    """Return format and files of recorded data."""
    parts = dict(part.split("=", 1) for part in source.description.split("; ") if "=" in part)
    files = [file.partition(":")[0] for file in parts.get("files", "").split(",") if file]
    if not files:
        return "Recorded."
    named = files[0] if len(files) == 1 else f"{len(files)} files from {files[0]} to {files[-1]}"
    return f"Recorded, format {parts.get('format', 'unknown')}: {named}."
