"""The registry of benchmarks and the loop that runs, compares and stores them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.figures import FULL, Figure, Scale
from benchmarks.results import Results
from chimera_platform.errors import ConfigurationError

# Name → the question it answers. Each is the module of that name, with ``measure(scale) -> Iterator[Figure]``.
BENCHMARKS = {
    "book_and_features": "What does one event cost in the book, with the state of all features, and with all written?",
    "order_flow": "What does one event cost with all that looks at one instrument, and how much memory does it take?",
    "detectors": "What does one event cost in the book with all order-flow detectors, beside the book alone?",
    "coordinator": "What does the coordinator cost at an event without an intent, and what does an intent cost?",
    "portfolio_risk": "What does portfolio risk cost at a sample of all mids, at a decision, at a change of exposure?",
    "value_at_risk": "What does it cost to measure value at risk and stress of what is held?",
    "hedging": "What does the hedge controller cost at a tick of the clock?",
    "backtest": "How many events a second does the whole decision path take, from event to fill?",
    "sweep": "How long do 1,000 parameter sets over a real day take, and how much of it do two workers save?",
    "queue_models": "How far is each queue model's time to fill from the exact one, on a real day of orders?",
    "monte_carlo": "How long do 1,000 resampled paths of 10,000 trades take?",
    "streaming_memory": "In what memory does a backtest stream 50 million events from Parquet, how fast are they read?",
    "model_score": "What does one score of the signal model cost inside the decision path, beside XGBoost's own?",
    "read_files": "How many events a second do the loaders deliver, from file to record?",
    "live_latency": "How long is one event under way in the live flow, from feed to decision?",
    "live_throughput": "How many events a second does the live flow take in batches of 1,024, and in what memory?",
    "ingest": "How many rows a second go from the journal into the warehouse?",
    "start_up": "How long does it take from starting the process to its first decisions, cold and warm?",
}


def selected(names: Sequence[str]) -> list[str]:
    """Return the benchmarks called ``names``, all for none; ConfigurationError naming the known ones otherwise."""
    for name in names:
        if name not in BENCHMARKS:
            raise ConfigurationError(f"unknown benchmark '{name}'; known: {', '.join(BENCHMARKS)}")
    return list(dict.fromkeys(names)) or list(BENCHMARKS)


def measure(name: str, scale: Scale = FULL) -> Iterator[Figure]:
    """Yield the figures of one benchmark as they are measured."""
    function: Callable[[Scale], Iterator[Figure]] = importlib.import_module(f"benchmarks.{name}").measure
    return function(scale)


def run(
    names: Sequence[str], results: Results, scale: Scale = FULL, progress: Callable[[str], None] = lambda line: None
) -> dict[str, dict[str, Any]]:
    """Run benchmarks one after another, storing each as it ends.

    Parameters
    ----------
    names : of :data:`BENCHMARKS`; all for none.
    progress : told each question before its benchmark begins.

    Returns
    -------
    Figure name → figure, unit, baseline, ratio, goal, reached, detail.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name in selected(names):
        progress(f"{name}: {BENCHMARKS[name]}")
        found = results.compare(list(measure(name, scale)))
        results.store(name, found)
        rows |= found
    return rows
