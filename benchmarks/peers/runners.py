"""What takes part in a comparison: a name, one timed run at a time, and the book that it ended with."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.backtest import decide
from benchmarks.book_and_features import BATCH
from benchmarks.order_flow import instrument_parts, run_parts
from benchmarks.streams import EventStream
from chimera_platform.configuration import Configuration
from chimera_platform.errors import ChimeraError
from chimera_platform.market.book import apply_events, best_ask, best_ask_size, best_bid, best_bid_size, new_books
from chimera_platform.microstructure.feature_stream import FeatureStream
from chimera_platform.simulation.backtest.fused import FusedPath

Array = np.ndarray[Any, Any]
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Run:
    """One timed run.

    Attributes
    ----------
    seconds, cpu_s : by the wall clock, and of the processor.
    callbacks : how often the strategy was called; for ours, the source events.
    book : final best bid, its lots, best ask, its lots; None where the runner shows no book.
    """

    seconds: float
    cpu_s: float
    callbacks: int
    book: list[int] | None


class Runner(Protocol):
    """A participant."""

    name: str

    def run(self) -> Run:
        """Do the whole stream once."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class OurRunner:
    """One of our loops in this process.

    Parameters
    ----------
    prepare : makes the fresh state of a run, untimed.
    work : does the stream; returns the book records, or None.
    """

    def __init__(self, name: str, stream: EventStream, prepare: Callable[[], Any], work: Callable[[Any], Any]) -> None:
        self.name, self._prepare, self._work = name, prepare, work
        self._source_events = int((stream.events["flags"] & 1).sum())
        self._work(self._prepare())  # compiled kernels are loaded here

    def run(self) -> Run:
        """Do the whole stream once."""
        prepared = self._prepare()
        began, cpu_began = time.perf_counter(), time.process_time()
        books = self._work(prepared)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        return Run(seconds, cpu_s, self._source_events, None if books is None else best_quotes(books[0]))

    def close(self) -> None:
        """Nothing is held."""


def best_quotes(book: Any) -> list[int]:
    """Return best bid, its lots, best ask, its lots."""
    return [int(read(book)) for read in (best_bid, best_bid_size, best_ask, best_ask_size)]


def our_runners(stream: EventStream) -> list[OurRunner]:
    """Return the book alone, book with features, all that looks at one instrument, and the whole decision path."""
    events, universe = stream.events, stream.universe

    def book(books: Any) -> Any:
        apply_events(books, events)
        return books

    def features(state: FeatureStream) -> Any:
        for batch in stream.batches(BATCH):
            state.run(batch)
        return state.books

    def order_flow(parts: Any) -> None:
        run_parts(parts)

    def whole(path: FusedPath) -> None:
        decide(path, stream)

    return [
        OurRunner("Chimera, book", stream, lambda: new_books(1), book),
        OurRunner("Chimera, book and features", stream, lambda: FeatureStream(universe), features),
        OurRunner("Chimera, order flow and engines", stream, lambda: instrument_parts(stream), order_flow),
        OurRunner("Chimera, full backtest", stream, lambda: FusedPath(universe, Configuration()), whole),
    ]


class PeerRunner:
    """A peer in a process of its own, kept loaded and warm between runs.

    Parameters
    ----------
    command : interpreter, script and its arguments.
    """

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE
        )
        self.version = str(self._answer()["ready"])

    def run(self) -> Run:
        """Do the whole stream once."""
        if self._process.stdin is None:
            raise ValueError("the peer has no input")
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return Run(**self._answer())

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            _, said = self._process.communicate()
            raise ChimeraError(f"{self.name} ended: {' '.join(said.split()[-40:])}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
