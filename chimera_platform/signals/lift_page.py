"""The page about the detectors, second half: what prices did after they spoke on recorded markets, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chimera_platform.market.city_sessions import CitySession
from chimera_platform.regimes.names import Regime
from chimera_platform.signals.forward_returns import HORIZONS_NS, horizon_names
from chimera_platform.signals.lift import FEW, FEWEST, REPLICATES, SEED, Edge, Estimate, bin_width, edge, placebo
from chimera_platform.signals.market_evidence import SymbolEvidence
from chimera_platform.signals.scorecard_markets import session_name
from chimera_platform.signals.scorecard_page import NONE, shown, table, with_interval

PART_HORIZONS = (1, 2)  # indices of the horizons that are shown by session and regime


@dataclass(frozen=True)
class LiftRow:
    """What one signal said over one horizon in one part of a recorded market."""

    signal: str
    horizon: int
    part: str
    edge: Edge
    placebo: Estimate

    @property
    def verdict(self) -> str:
        """A plain sentence about the mean signed return."""
        if self.edge.known == 0:
            return "no return known"
        if self.edge.known < FEW:
            return f"few (n < {FEW})"
        if not math.isfinite(self.edge.ticks.low):
            return "sample too short"
        if not self.edge.ticks.leaves_out(0.0):
            return "no edge shown"
        if self.placebo.leaves_out(0.0):
            return "price drifted: so does the placebo"
        return "**moves its way**" if self.edge.ticks.value > 0 else "**moves against it**"


def evaluate(evidence: SymbolEvidence) -> list[LiftRow]:
    """Return the rows of a symbol: every signal and horizon overall, then the parts in which it spoke."""
    every = evidence.every
    if not len(every):
        return []
    bin_ns = bin_width(int(every["ts_event"][-1] - every["ts_event"][0]))
    rows = []
    for signal, moments in evidence.moments.items():
        for h in range(len(HORIZONS_NS)):
            rows.append(LiftRow(signal, h, "all", edge(moments, every, h, bin_ns), placebo(moments, every, h)))
        for field, part, value in _parts():
            own, free = moments[moments[field] == value], every[every[field] == value]
            if len(own) and len(free) < len(every):
                rows += [
                    LiftRow(signal, h, part, edge(own, free, h, bin_ns), placebo(own, free, h)) for h in PART_HORIZONS
                ]
    return rows


def _parts() -> Iterator[tuple[str, str, int]]:
    for session in CitySession:
        yield "session", session_name(session), int(session)
    for regime in Regime:
        yield "regime", regime.name.lower().replace("_", " "), int(regime)


@dataclass(frozen=True)
class MarketColumn:
    """One symbol of a recorded market, evaluated."""

    label: str
    tick: str
    evidence: SymbolEvidence
    rows: list[LiftRow]
    note: str


def recorded_section(columns: Sequence[MarketColumn]) -> list[str]:
    """Return the lines about the recorded markets."""
    lines = [
        "## On recorded markets, where nobody knows the truth",
        "",
        "What the mid did after each CONFIRMED detection, in the direction that it speaks for; after a sweep that came",
        "back (`sweep_reversal`), in the other direction. Nothing later than a detection's own event decides where its",
        f"return starts. Brackets: 95 % intervals of a stationary block bootstrap ({REPLICATES:,} replicates, seed "
        f"{SEED}).",
        "",
        *_counted(columns),
    ]
    for column in columns:
        lines += _market(column)
    return lines


def _counted(columns: Sequence[MarketColumn]) -> Iterator[str]:
    judged = [(c, r) for c in columns for r in c.rows if r.edge.known >= FEW and math.isfinite(r.edge.ticks.low)]
    found = [(c, r) for c, r in judged if r.verdict.startswith("**")]
    yield f"Of {len(judged)} cells below with at least {FEW} detections and an interval, {len(found)} leave zero out;"
    yield f"about {len(judged) / 20:.0f} would by chance if nothing were there. Those over whole days or captures:"
    yield ""
    overall = [(c, r) for c, r in found if r.part == "all"]
    for column, row in overall:
        yield (
            f"- {column.label}, {row.signal.replace('_', ' ')}, {horizon_names()[row.horizon]}: "
            f"{row.verdict.replace('*', '')}, {_estimate(row.edge.ticks, 1)} ticks, n {row.edge.known}."
        )
    if not overall:
        yield "- none."
    yield ""


def _market(column: MarketColumn) -> list[str]:
    seen = column.evidence
    spoke = {r.signal for r in column.rows if r.edge.moments}
    silent = sorted({r.signal for r in column.rows} - spoke)
    lines = [
        f"### {column.label}",
        "",
        f"{seen.hours:.1f} hours, {seen.events:,} events, {len(seen.every):,} seconds with a price; a tick is "
        f"{column.tick}. {column.note}".rstrip(),
        "",
    ]
    if not column.rows:
        return [*lines, "No price could be followed.", ""]
    lines += [f"Never spoke: {', '.join(silent)}.", ""] if silent else []
    lines += table(("any second", *horizon_names()), _unconditional(seen))
    overall = [r for r in column.rows if r.part == "all" and r.signal in spoke]
    if overall:
        lines += table(_HEAD, [_line(r) for r in overall])
    parts = [r for r in column.rows if r.part != "all"]
    told = [r for r in parts if r.edge.moments >= FEWEST]
    if told:
        lines += table(("in", *_HEAD), [(r.part, *_line(r)) for r in told])
    fewer = [f"{r.signal.replace('_', ' ')} in {r.part} {r.edge.moments}" for r in parts if r not in told]
    if fewer:
        lines += [f"Fewer than {FEWEST} detections: {', '.join(dict.fromkeys(fewer))}.", ""]
    return lines


_HEAD = ("signal", "after", "n", "lift", "way", "mean, ticks", "mean, spreads", "placebo, ticks", "mean return")


def _line(row: LiftRow) -> tuple[str, ...]:
    e = row.edge
    n = f"{e.known}" if e.known == e.moments else f"{e.known} of {e.moments}"
    estimates = (_estimate(e.lift), _estimate(e.way), _estimate(e.ticks, 1), _estimate(e.spreads))
    name = row.signal.replace("_", " ")
    return name, horizon_names()[row.horizon], n, *estimates, _estimate(row.placebo, 1), row.verdict


def _estimate(estimate: Estimate, decimals: int = 2) -> str:
    return with_interval(estimate.value, estimate.low, estimate.high, decimals)


def _unconditional(seen: SymbolEvidence) -> list[tuple[str, ...]]:
    changes = [seen.every["change"][:, h] for h in range(len(HORIZONS_NS))]
    known = [c[~np.isnan(c)] for c in changes]

    def row(name: str, figures: Sequence[float], decimals: int) -> tuple[str, ...]:
        return name, *(shown(f, decimals) if len(k) else NONE for f, k in zip(figures, known, strict=True))

    def mean(values: list[np.ndarray]) -> list[float]:
        return [float(v.mean()) if len(v) else math.nan for v in values]

    return [
        row("share up", mean([k > 0 for k in known]), 3),
        row("share down", mean([k < 0 for k in known]), 3),
        row("mean, ticks", mean(known), 2),
    ]
