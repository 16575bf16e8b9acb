"""Feeds named by a URL: the simulator, and recorded files replayed at a pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from chimera_platform.errors import ConfigurationError
from chimera_platform.market.instruments import Instrument
from chimera_platform.market.sources import EventSource, open_source

_AVAILABLE = "sim://?symbols=XAUUSD,XAGUSD&seed=7 and replay:PATH?format=oanda&speed=10"
_PLANNED = ("fix", "ibkr")
_REPLAY_OPTIONS = ("format", "speed", "symbols")


@dataclass(frozen=True)
class Feed:
    """A source and how fast to play it.

    Attributes
    ----------
    source : the events.
    speed : event time per wall-clock time (10: ten times as fast as it happened); None: as fast as possible.
    """

    source: EventSource
    speed: float | None = None


def open_feed(url: str, instruments: Mapping[str, Instrument]) -> Feed:
    """Return the feed that ``url`` names.

    ``sim://?symbols=A,B&seed=7`` is the simulator; ``replay:PATH?format=…&symbols=A,B&speed=10`` is
    :func:`~chimera_platform.market.sources.open_source` on ``PATH`` (several: joined by commas).

    Raises
    ------
    ConfigurationError : unknown scheme or option, bad value.
    DataError : as :func:`~chimera_platform.market.sources.open_source`.
    """
    scheme = url.partition(":")[0].lower() if ":" in url else ""
    if scheme == "sim":
        from chimera_platform.simulation.market.simulator import SimulatedMarket

        return Feed(SimulatedMarket.from_url(url, dict(instruments)))
    if scheme == "replay":
        return _replay(url, instruments)
    state = "is not available yet" if scheme in _PLANNED else "names no known kind of feed"
    raise ConfigurationError(f"feed '{url}' {state}; available: {_AVAILABLE}")


def _replay(url: str, instruments: Mapping[str, Instrument]) -> Feed:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _REPLAY_OPTIONS:
            raise ConfigurationError(f"feed '{url}': unknown option '{name}'; known: {', '.join(_REPLAY_OPTIONS)}")
    paths = [Path(p) for p in unquote(parts.netloc + parts.path).split(",") if p]
    symbols = options["symbols"].split(",") if "symbols" in options else None
    return Feed(open_source(paths, options.get("format"), instruments, symbols), _speed(url, options.get("speed")))


def _speed(url: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigurationError(f"feed '{url}': speed is '{text}'; expected a number above 0, such as 10")
    return speed
