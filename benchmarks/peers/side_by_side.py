"""One comparison: every participant runs the same stream in turn, round after round; medians are compared."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import NS, ratio
from benchmarks.peers.conversion import level_updates
from benchmarks.peers.environment import PeersEnvironment
from benchmarks.peers.runners import HERE, PeerRunner, Run, Runner, our_runners
from benchmarks.streams import EventStream, first_events, recorded
from chimera_platform.errors import ChimeraError
from chimera_platform.market.instruments import load_instruments
from chimera_platform.simulation.market.simulator import SimulatedMarket

ROUNDS = 5
_SIMULATOR = "sim://?symbols=XAUUSD&seed=7&days=10"


def comparison_streams(most: int) -> list[tuple[str, EventStream]]:
    """Return the streams: level updates of the simulator and of Binance, quotes of XAUUSD; (kind, stream) each."""
    market = SimulatedMarket.from_url(_SIMULATOR, load_instruments())
    found = [_as_levels(EventStream("simulator", market.universe, first_events(market, most)), most)]
    for name in ("binance_btcusdt", "oanda_xauusd"):
        stream = recorded(name, most)
        if stream is not None:
            found.append(("quotes", stream) if name.startswith("oanda") else _as_levels(stream, most))
    return found


def _as_levels(stream: EventStream, most: int) -> tuple[str, EventStream]:
    return "levels", replace(stream, events=level_updates(stream.events)[:most])


def compare(
    kind: str, stream: EventStream, environment: PeersEnvironment, rounds: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Run everybody over ``stream``.

    Returns
    -------
    dict with ``events``, ``books_equal``, ``versions`` and ``runs``: participant → ns_per_event (median of processor
    time: all compute in one thread), wall_ns_per_event, wall_best_ns_per_event, callbacks, book, and, for ours,
    ``times_faster_than``: the ratio of each peer's ns_per_event to ours (above 1: ours is faster).
    """
    with tempfile.TemporaryDirectory(prefix="chimera-peers-") as folder:
        ours = our_runners(stream)
        peers = _peers(kind, stream, environment, Path(folder))
        try:
            taken = _take_turns([*ours, *peers], rounds, progress)
        finally:
            for peer in peers:
                peer.close()
    return summarise(len(stream.events), taken, [runner.name for runner in ours]) | {
        "versions": sorted({peer.version for peer in peers})
    }


def _take_turns(runners: Sequence[Runner], rounds: int, progress: Callable[[str], None]) -> dict[str, list[Run]]:
    taken: dict[str, list[Run]] = {runner.name: [] for runner in runners}
    for number in range(rounds):
        progress(f"  round {number + 1} of {rounds}")
        for runner in runners:
            taken[runner.name].append(runner.run())
    return taken


def summarise(events: int, taken: dict[str, list[Run]], ours: Sequence[str]) -> dict[str, Any]:
    """Return the medians, the ratios of peers' times to ours, and whether all books ended alike.

    Raises
    ------
    ChimeraError : a participant's book differs from ours: its time would not be of the same work.
    """
    ns = {name: statistics.median(run.cpu_s for run in runs) * NS / events for name, runs in taken.items()}
    books = {name: runs[-1].book for name, runs in taken.items() if runs[-1].book is not None}
    for name, book in books.items():
        if book != books[ours[0]]:
            raise ChimeraError(f"{name} ends with the book {book}, {ours[0]} with {books[ours[0]]}")
    rows: dict[str, Any] = {}
    for name, runs in taken.items():
        rows[name] = {
            "ns_per_event": round(ns[name], 2),
            "wall_ns_per_event": round(statistics.median(run.seconds for run in runs) * NS / events, 2),
            "wall_best_ns_per_event": round(min(run.seconds for run in runs) * NS / events, 2),
            "callbacks": runs[-1].callbacks,
            "book": runs[-1].book,
        }
        if name in ours:
            peers = {peer: ratio(ns[peer], ns[name]) for peer in taken if peer not in ours}
            rows[name]["times_faster_than"] = {peer: round(value, 3) for peer, value in peers.items() if value}
    return {"events": events, "books_equal": sorted(books), "runs": rows}


def _peers(kind: str, stream: EventStream, environment: PeersEnvironment, folder: Path) -> list[PeerRunner]:
    tick = str(stream.universe[0].tick_size)
    own, levels = folder / "events.npy", folder / "levels.npy"
    np.save(own, stream.events)
    np.save(levels, level_updates(stream.events) if kind == "quotes" else stream.events)
    python = str(environment.python)
    started: list[PeerRunner] = []
    wanted = [
        ("hftbacktest, hash map depth", ["hftbacktest_loop.py", str(levels), tick, "hashmap"]),
        ("hftbacktest, vector depth", ["hftbacktest_loop.py", str(levels), tick, "roi"]),
    ]
    if "NautilusTrader" not in environment.left_out:
        form = "quotes" if kind == "quotes" else "deltas"
        wanted.append(("NautilusTrader", ["nautilus_loop.py", str(own), tick, form]))
    try:
        for name, (script, *arguments) in wanted:
            started.append(PeerRunner(name, [python, str(HERE / script), *arguments]))
    except BaseException:
        for each in started:
            each.close()
        raise
    return started
