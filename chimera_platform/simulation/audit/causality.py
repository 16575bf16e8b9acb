"""Decisions must not know what comes after them: cuts, other futures, repetition, batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chimera_platform.digest import digest_of
from chimera_platform.simulation.audit.comparison import Difference, first_difference
from chimera_platform.simulation.audit.decision_maker import DecisionMaker, Decisions
from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.futures import FUTURES
from chimera_platform.simulation.audit.settings import AuditSettings
from chimera_platform.simulation.audit.threads import side_by_side

Array = np.ndarray[Any, Any]
_HEAD = ("cut", "future", "parts at event", "table", "field", "whole run", "cut or changed run")


def truncation(maker: DecisionMaker, events: Array, whole: Decisions, cuts: list[int]) -> Finding:
    """Compare each run on a stream that ends at a cut with the whole run up to there."""

    def look(cut: int) -> Difference | None:
        return first_difference(whole, maker.run(events[:cut]), cut)

    found = side_by_side(look, cuts)
    rows = [(cut, "none") for cut in cuts]
    return _finding(
        "truncation",
        rows,
        found,
        whole,
        "with the stream cut off, every decision before the cut is byte for byte that of the whole run",
        "decisions change when the events after them are taken away: they depend on the future",
    )


def other_futures(
    maker: DecisionMaker, events: Array, whole: Decisions, cuts: list[int], settings: AuditSettings, seed: int
) -> Finding:
    """Compare each run whose future was replaced after a cut with the whole run up to there."""
    tasks = [(cut, name) for cut in cuts for name in FUTURES]

    def look(task: tuple[int, str]) -> Difference | None:
        cut, name = task
        random = np.random.default_rng([seed, cut, list(FUTURES).index(name)])
        changed = FUTURES[name](events[: cut + settings.future_events], cut, random)
        return first_difference(whole, maker.run(changed), cut)

    return _finding(
        "other futures",
        tasks,
        side_by_side(look, tasks),
        whole,
        f"whatever comes after a cut ({', '.join(FUTURES)}), every decision before it stays byte for byte the same",
        "decisions change when only what comes after them is changed: they depend on the future",
    )


def repetition(maker: DecisionMaker, events: Array, whole: Decisions) -> Finding:
    """Run the same again: chance or a wall clock in a decision is no lookahead, but nothing else can be told then."""
    difference = first_difference(whole, maker.run(events), len(events))
    return Finding(
        "repetition",
        Part.LOOKAHEAD,
        Verdict.PASS if difference is None else Verdict.FAIL,
        0.0 if difference is None else 1.0,
        "differing runs",
        "0",
        "the same events give the same decisions again"
        if difference is None
        else "the same events give other decisions at the next run: chance, a clock or left-over state decides",
        disproves=difference is not None,
        table=_table([(len(events), "none")], [difference]),
    )


def batch_cuts(
    maker: DecisionMaker, events: Array, whole: Decisions, settings: AuditSettings, random: np.random.Generator
) -> Finding:
    """Compare the digests of runs that get the events in other pieces."""
    count = len(events)
    single = min(settings.single_events, count)
    pieces: dict[str, list[int]] = {
        "batches of 97": list(range(97, count, 97)) if count <= 97 * 2_000 else list(range(997, count, 997)),
        "batches of 4,096": list(range(4_096, count, 4_096)),
        "random batches": np.unique(random.integers(1, max(count, 2), 100)).tolist(),
        f"the first {single:,} one by one": list(range(1, single + 1)),
    }
    expected = _digest(whole)
    digests = side_by_side(lambda ends: _digest(maker.run(events, ends)), pieces.values())
    pieces["engines first, as live"] = []
    digests.append(_digest(maker.execute(events, maker.intents(events))))
    other = sum(digest != expected for digest in digests)
    return Finding(
        "batch cuts",
        Part.LOOKAHEAD,
        Verdict.FAIL if other else Verdict.PASS,
        float(other),
        f"of {len(pieces)} runs with another digest",
        "0",
        "a decision depends on how the events are cut into batches: it sees, or forgets, what its batch decides"
        if other
        else "the digest depends neither on the cut into batches nor on running engines and account apart, as live",
        disproves=other > 0,
        table=Table(("pieces", "digest"), tuple(zip(["as given", *pieces], [expected, *digests], strict=True))),
    )


def _digest(decisions: Decisions) -> str:
    return digest_of(decisions.intents, decisions.orders, decisions.fills)


def _finding(
    name: str, tasks: list[tuple[int, str]], found: list[Difference | None], whole: Decisions, passed: str, failed: str
) -> Finding:
    apart = [d for d in found if d is not None]
    is_empty = not apart and not any(len(rows) for rows in whole)
    if not tasks or is_empty:
        reason = "there is nothing to cut" if not tasks else "without a single decision nothing could differ"
        return Finding(name, Part.LOOKAHEAD, Verdict.SKIP, math.nan, "", "0", reason)
    first = min(apart, key=lambda d: d.event_no) if apart else None
    where = f"; first at event {first.event_no:,} in {first.table}.{first.field}" if first is not None else ""
    return Finding(
        name,
        Part.LOOKAHEAD,
        Verdict.FAIL if apart else Verdict.PASS,
        float(len(apart)),
        f"of {len(tasks)} runs differ before the cut",
        "0",
        failed + where if apart else passed,
        disproves=bool(apart),
        table=_table(tasks, found),
    )


def _table(tasks: list[tuple[int, str]], found: list[Difference | None]) -> Table:
    rows = []
    for task, difference in zip(tasks, found, strict=True):
        if difference is not None:
            d = difference
            rows.append((*task, d.event_no, d.table, d.field, d.expected, d.found))
    return Table(_HEAD, tuple(rows))
