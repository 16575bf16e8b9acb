"""How far is each queue model's time to fill from the exact one, on a real day of orders?

Real orders that were added at the touch of a Nasdaq day are each given a shadow: an own order of one lot at their
price, right behind them, for a minute. Shadows never live at the same time, so each is alone with the market; every
model sees the same day. Under EXACT the venue knows from the order ids who is ahead of the shadow; the other models
have to guess from what the level shows. The figure is the mean absolute difference of the time to fill (a shadow that
is not filled counts as filled at the end of its minute).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.figures import NS, Figure, Scale
from benchmarks.streams import data_folder, recorded
from chimera_platform.errors import ConfigurationError
from chimera_platform.execution.records import OrderType, TimeInForce
from chimera_platform.execution.reports import ReportKind
from chimera_platform.kernels import kernel
from chimera_platform.market.book import apply_event, best_ask, best_bid, is_tradable, new_books
from chimera_platform.market.events import EventFlag, EventKind
from chimera_platform.simulation.exchange.order_script import SCRIPT_DTYPE, ScriptAction, run_script_on_events
from chimera_platform.simulation.exchange.settings import QueueModel, VenueSettings

LIFE_NS = 60 * NS
SHADOWS = 2_000
POWERS = (1.0, 2.0, 3.0)
_ADD, _SNAPSHOT, _LAST = int(EventKind.ADD), int(EventFlag.SNAPSHOT), int(EventFlag.LAST)
Array = np.ndarray[Any, Any]


@kernel
def _mark_joins(book: Any, events: Any, marks: Any) -> None:
    """Mark the orders that join the touch, or are a new one, of a tradable market."""
    for n in range(events.shape[0]):
        event = events[n]
        apply_event(book, event)
        touch = best_bid(book) if event.side > 0 else best_ask(book)
        joins = event.kind == _ADD and event.flags & _SNAPSHOT == 0 and event.price == touch
        marks[n] = joins and is_tradable(book)


def shadowed(events: Array, seed: int = 7, most: int = SHADOWS) -> list[Array]:
    """Return rows of ``events`` that get a shadow, in groups of which no two live at the same time.

    One of several orders that are added at one time is taken: the last.
    """
    marks = np.zeros(len(events), bool)
    _mark_joins(new_books(1)[0], events, marks)
    ts = events["ts_event"]
    rows = np.flatnonzero(marks)
    rows = rows[np.append(ts[rows[1:]] != ts[rows[:-1]], True)]
    rows = rows[ts[rows] + LIFE_NS < ts[-1]]
    rng, groups, left = np.random.default_rng(seed), [], most
    while left > 0 and len(rows):
        group, free_from = [], ts[0] + rng.integers(0, LIFE_NS)
        for row in rows:
            if ts[row] >= free_from:
                group.append(row)
                free_from = ts[row] + LIFE_NS + rng.integers(1, LIFE_NS // 4)
        groups.append(np.array(group[:left], np.int64))
        left -= len(groups[-1])
        rows = np.setdiff1d(rows, groups[-1])
    return groups


def script_of(events: Array, rows: Array) -> Array:
    """Return the shadows of ``rows`` as SCRIPT_DTYPE, sent at once after the orders that they follow."""
    script = np.zeros(len(rows), SCRIPT_DTYPE)
    script["ts"], script["id"] = events["ts_event"][rows], np.arange(len(rows))
    script["price"], script["side"], script["size"] = events["price"][rows], events["side"][rows], 1
    script["expire_ts"] = script["ts"] + LIFE_NS
    script["action"], script["order_type"] = ScriptAction.NEW, OrderType.POST_ONLY
    script["time_in_force"] = TimeInForce.GTD
    return script


def venue(model: QueueModel, power: float = 2.0) -> VenueSettings:
    """Return a venue without latency, so that a shadow stands right behind its order."""
    return VenueSettings(order_latency_ns=0, report_latency_ns=0, queue_model=model, queue_power=power)


def fill_times(events: Array, groups: list[Array], settings: VenueSettings) -> Array:
    """Return each shadow's time to fill (ns), LIFE_NS for one that is not filled, -1 for one that was refused."""
    found = []
    for rows in groups:
        reports = run_script_on_events([events], 0, settings, script_of(events, rows))
        times = np.full(len(rows), LIFE_NS)
        for kind in (ReportKind.TRADE, ReportKind.REJECTED):
            of = reports[reports["kind"] == kind]
            waited = of["ts_venue"] - events["ts_event"][rows[of["order_no"]]]
            times[of["order_no"]] = waited if kind is ReportKind.TRADE else -1
        found.append(times)
    return np.concatenate(found)


def compare(events: Array, groups: list[Array]) -> dict[str, dict[str, float]]:
    """Return what each model makes of the shadows, beside EXACT; times in seconds."""
    exact = fill_times(events, groups, venue(QueueModel.EXACT))
    settings = {"risk_averse": venue(QueueModel.RISK_AVERSE)}
    settings |= {f"probabilistic, n = {n:g}": venue(QueueModel.PROBABILISTIC, n) for n in POWERS}
    settings |= {"logarithmic": venue(QueueModel.LOGARITHMIC)}
    table = {"exact": _row(exact, exact)}
    return table | {name: _row(fill_times(events, groups, each), exact) for name, each in settings.items()}


def _row(times: Array, exact: Array) -> dict[str, float]:
    known = (times >= 0) & (exact >= 0)
    error = (times - exact)[known] / NS
    filled, truly = times[known] < LIFE_NS, exact[known] < LIFE_NS
    return {
        "shadows": int(known.sum()),
        "filled": int(filled.sum()),
        "missed": int((truly & ~filled).sum()),
        "invented": int((filled & ~truly).sum()),
        "same time": float((error == 0).mean()),
        "mean error s": float(error.mean()),
        "mean absolute error s": float(np.abs(error).mean()),
    }


def markdown(table: dict[str, dict[str, float]]) -> str:
    """Return the table of :func:`compare` for a document."""
    lines = ["| model | filled | missed | invented | at the same time | mean error | mean absolute error |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for name, row in table.items():
        counts = f"{row['filled']} of {row['shadows']} | {row['missed']} | {row['invented']} | {row['same time']:.1%}"
        lines.append(f"| {name} | {counts} | {row['mean error s']:+.2f} s | {row['mean absolute error s']:.2f} s |")
    return "\n".join(lines)


def measure(scale: Scale) -> Iterator[Figure]:
    stream = recorded("lobster_goog", scale.events)
    if stream is None:
        return
    table = compare(stream.events, shadowed(stream.events))
    for name, row in table.items():
        variant = name.replace(", n = ", "_")
        yield Figure(f"queue_models.{variant}", row["mean absolute error s"], "s", None, dict(row))


def main() -> None:
    stream = recorded("lobster_goog", 1_000_000)
    if stream is None:
        raise ConfigurationError(f"no LOBSTER day of GOOG in {data_folder()} (set CHIMERA_DATA)")
    print(markdown(compare(stream.events, shadowed(stream.events))))


if __name__ == "__main__":
    main()
