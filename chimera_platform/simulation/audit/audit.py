"""The audit of one stream under one configuration: all checks, and the verdict."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.market.sources import EventSource
from chimera_platform.releases import Release
from chimera_platform.simulation.audit.causality import batch_cuts, other_futures, repetition, truncation
from chimera_platform.simulation.audit.control import planted_cheat
from chimera_platform.simulation.audit.cut_points import cut_points
from chimera_platform.simulation.audit.decision_maker import DecisionMaker, PlatformDecisions
from chimera_platform.simulation.audit.findings import Finding, Verdict
from chimera_platform.simulation.audit.late_start import late_starts
from chimera_platform.simulation.audit.latencies import feed_delay
from chimera_platform.simulation.audit.learning_leaks import (
    feature_causality,
    label_horizon,
    platform_features,
    platform_labels,
    purged_split,
    training_skew,
)
from chimera_platform.simulation.audit.mids import Mids
from chimera_platform.simulation.audit.outcome import Outcome, outcome_of
from chimera_platform.simulation.audit.parameter_grid import engine_parameters
from chimera_platform.simulation.audit.plateau import ParameterMap, Point, judge, parameter_map
from chimera_platform.simulation.audit.settings import AuditSettings
from chimera_platform.simulation.audit.shifts import shifts
from chimera_platform.simulation.audit.stress import cost_stress, latency_stress
from chimera_platform.simulation.backtest.sweep import HeldEvents, hold, run_sweep

Array = np.ndarray[Any, Any]
Progress = Callable[[str], None]
_FEATURE_EVENTS = 50_000


@dataclass(frozen=True)
class AuditReport:
    """What the audit found.

    Attributes
    ----------
    findings : of every check, in the order in which they were made.
    outcome : of the run that is audited.
    parameter_map : behind the finding about plateaus.
    description, symbols, events : of the stream; ``is_whole`` False where only its first events were taken.
    seed : of cuts and futures.
    seconds : what the audit took.
    """

    findings: tuple[Finding, ...]
    outcome: Outcome
    parameter_map: ParameterMap
    description: str
    symbols: tuple[str, ...]
    events: int
    is_whole: bool
    seed: int
    seconds: float

    @property
    def is_disproved(self) -> bool:
        """Whether a check shows that the backtest is not to be believed: it knows the future or can't be repeated."""
        return any(finding.disproves for finding in self.findings)

    @property
    def verdict(self) -> Verdict:
        """The worst of all findings."""
        found = {finding.verdict for finding in self.findings}
        return next((v for v in (Verdict.FAIL, Verdict.WARN) if v in found), Verdict.PASS)

    @property
    def answer(self) -> str:
        """Whether the backtest can be believed, in a sentence."""
        if self.is_disproved:
            names = [f.name for f in self.findings if f.disproves]
            if "repetition" in names:
                return "No: the same events give other decisions at the next run, so nothing else can be told."
            return f"No: decisions depend on what they could not know, says {' and '.join(names)}."
        if all(f.verdict is not Verdict.PASS for f in self.findings if f.name in ("truncation", "other futures")):
            return "Nothing can be said: there is not one decision in this data."
        if self.outcome.net_profit <= 0:
            return "No lookahead found. The run earns nothing, so there is no profit that could be fragile."
        failed = [f.name for f in self.findings if f.verdict is Verdict.FAIL]
        warned = [f.name for f in self.findings if f.verdict is Verdict.WARN]
        if failed:
            return f"No lookahead found, but the result is fragile: {', '.join(failed)}."
        if warned:
            return f"No lookahead found; with reservations about {', '.join(warned)}."
        return "Yes, as far as this data tells: no lookahead, and the result is robust."


def run_audit(
    source: EventSource,
    configuration: Configuration,
    release: Release | None = None,
    settings: AuditSettings | None = None,
    seed: int = 7,
    events_max: int = 300_000,
    say: Progress | None = None,
) -> AuditReport:
    """Audit the platform's decision path on a source.

    Parameters
    ----------
    source : the events; the first ``events_max`` of them are taken, into memory.
    configuration, release : what the backtest runs under.
    settings : defaults where None.
    seed : of cuts and futures.
    say : told what is looked at, once a check.

    Raises
    ------
    DataError : the source has fewer than two events.
    ChimeraError : as a backtest of it would.
    """
    settings, told = settings or AuditSettings(), say or (lambda _: None)
    started = time.perf_counter()
    events, is_whole = _first_events(source, events_max)
    maker = PlatformDecisions(source.universe, configuration, release)
    told(f"{len(events):,} events: lookahead")
    findings = lookahead_findings(maker, events, settings, seed, told)
    findings += learning_findings(maker, events, settings, seed, told)
    told("costs and latencies")
    findings += [
        feed_delay(events, configuration),
        cost_stress(maker, events, settings),
        latency_stress(maker, events, settings),
    ]
    told("parameters")
    found = platform_map(maker, events, settings)
    findings.append(judge(found, settings))
    starting = float(configuration.account.starting_equity)
    return AuditReport(
        tuple(findings),
        outcome_of(maker.run(events), maker.universe, starting, settings.spread_cost),
        found,
        source.description,
        source.universe.symbols,
        len(events),
        is_whole,
        seed,
        time.perf_counter() - started,
    )


def lookahead_findings(
    maker: DecisionMaker, events: Array, settings: AuditSettings, seed: int, say: Progress | None = None
) -> list[Finding]:
    """Return the findings about a decision path's causality; ``maker`` may be any path."""
    told = say or (lambda _: None)
    whole = maker.run(events)
    cuts = cut_points(len(events), whole, settings.cuts, np.random.default_rng([seed, 0]))
    findings = [repetition(maker, events, whole), truncation(maker, events, whole, cuts)]
    told(f"other futures after {len(cuts)} cuts")
    findings.append(other_futures(maker, events, whole, cuts, settings, seed))
    findings.append(planted_cheat(maker, events, settings, seed))
    findings.append(batch_cuts(maker, events, whole, settings, np.random.default_rng([seed, 2])))
    told("decisions moved in time, late starts")
    findings += shifts(maker, events, whole, Mids(maker.universe, events), settings)
    findings += late_starts(maker, events, whole, settings)
    return findings


def learning_findings(
    maker: PlatformDecisions, events: Array, settings: AuditSettings, seed: int, say: Progress | None = None
) -> list[Finding]:
    """Return the findings about features and labels."""
    (say or (lambda _: None))("features and labels")
    whole, random = maker.run(events), np.random.default_rng([seed, 3])
    make = platform_features(maker.universe, maker.release)
    first = events[:_FEATURE_EVENTS]
    cuts = sorted(random.integers(1, max(len(first), 2), settings.cuts).tolist())
    quotes, end_ns = Mids(maker.universe, events).quotes, int(events["ts_event"][-1])
    labels = platform_labels(maker.universe)
    return [
        feature_causality(make, first, cuts, settings, seed),
        training_skew(make, events[:200_000], whole),
        label_horizon(labels, whole, quotes, end_ns, settings, random),
        purged_split(whole, labels(whole.intents, quotes, end_ns)),
    ]


def platform_map(maker: PlatformDecisions, events: Array, settings: AuditSettings) -> ParameterMap:
    """Return the parameter map of net profit around the maker's configuration."""
    held = HeldEvents(maker.universe, events, "audited events")

    def objective(points: Sequence[Point]) -> list[float]:
        results = [math.nan] * len(points)
        numbers, configurations = [], []
        for number, point in enumerate(points):
            try:
                configurations.append(with_parameters(maker.configuration, _by_section(point)))
            except ConfigurationError:  # values that do not go together earn nothing that could be told
                continue
            numbers.append(number)
        for number, result in zip(numbers, run_sweep(held, configurations, release=maker.release), strict=True):
            results[number] = result.metrics.net_profit
        return results

    return parameter_map(objective, engine_parameters(maker.configuration, settings))


def _by_section(point: Point) -> dict[str, dict[str, float]]:
    content: dict[str, dict[str, float]] = {}
    for (section, name), value in point.items():
        content.setdefault(section, {})[name] = value
    return content


def _first_events(source: EventSource, count: int) -> tuple[Array, bool]:
    """Return the first ``count`` events of a source in one array, and whether they are all."""
    events = hold(source, count + 1).events
    if len(events) < 2:
        raise DataError(f"{len(events)} event(s): an audit needs at least two to cut between ({source.description})")
    return events[:count], len(events) <= count
