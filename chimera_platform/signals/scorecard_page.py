"""The page about the detectors, first half: their scores on simulated markets, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from chimera_platform.market.city_sessions import CitySession
from chimera_platform.signals.block_bootstrap import poisson_interval, wilson_interval
from chimera_platform.signals.records import Detector
from chimera_platform.signals.scorecard import Score
from chimera_platform.signals.scorecard_markets import (
    HARDER,
    RATES,
    TOGETHER,
    NullRow,
    ScoreRow,
    session_name,
)
from chimera_platform.simulation.market.episodes import VolatilityRegime

NONE = "–"
SESSIONS = tuple(session_name(s) for s in CitySession)
REGIMES = tuple(r.name.lower() for r in VolatilityRegime)
CLEAR_ENOUGH = 0.9


def shown(value: float, decimals: int = 2) -> str:
    """Return a figure as text; a dash where it is undefined, no minus before a zero."""
    if not math.isfinite(value):
        return NONE
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def with_interval(value: float, low: float, high: float, decimals: int = 2) -> str:
    """Return ``0.93 [0.87, 0.96]``; without brackets where there is no interval."""
    if not math.isfinite(low):
        return shown(value, decimals)
    return f"{shown(value, decimals)} [{shown(low, decimals)}, {shown(high, decimals)}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table, an empty one behind it."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _rate(part: int, whole: int) -> str:
    return with_interval(part / whole if whole else math.nan, *wilson_interval(part, whole))


def precision_of(score: Score) -> str:
    """Return the precision with Wilson's interval."""
    return _rate(score.right, score.detections)


def recall_of(score: Score) -> str:
    """Return the recall with Wilson's interval."""
    return _rate(score.found, score.episodes)


def name_of(row: ScoreRow) -> str:
    """Return the detector's name, and what it saw where that matters."""
    name = row.detector.name.lower()
    if row.detector == Detector.ICEBERG:
        clear = f", {row.refills} refills or more" if row.refills else ""
        return f"{name}, levels and prints{clear}" if row.as_levels else f"{name}, orders"
    return name


def _seconds(ms: float) -> str:
    if not math.isfinite(ms):
        return NONE
    return f"{ms / 1e3:.1f} s" if ms >= 1e3 else f"{ms:.0f} ms"


def simulated_section(rows: Sequence[ScoreRow], alarms: Sequence[NullRow], seed: int, days: int) -> list[str]:
    """Return the lines about the simulated markets."""
    return [
        "## On simulated markets, where the truth is known",
        "",
        f"Seed {seed}, {days} trading days of two correlated symbols for each line. On each market one pattern only is",
        "injected into the usual flow of orders, whose trades, withdrawals, ranges and trends are none of it.",
        "Brackets: Wilson's 95 % interval.",
        "",
        *table(
            (
                "detector",
                "difficulty",
                "episodes",
                "not asked for",
                "detections",
                "set aside",
                "precision",
                "recall",
                "F1",
                "delay, median",
                "95 %",
            ),
            [_overall(row) for row in rows if row.part == "all" and row.difficulty > 0],
        ),
        *_sentences(rows),
        *_difficulties(),
        "### By session and volatility regime",
        "",
        "Recall, with the number of episodes:",
        "",
        *_by_part(rows, lambda s: f"{recall_of(s)}, n {s.episodes}"),
        "Precision, with the number of detections:",
        "",
        *_by_part(rows, lambda s: f"{precision_of(s)}, n {s.detections}"),
        "Delay, median / 95 %:",
        "",
        *_by_part(rows, lambda s: f"{_seconds(s.delay_ms_median)} / {_seconds(s.delay_ms_p95)}"),
        f"### {TOGETHER.capitalize()}",
        "",
        "All patterns in one market, clear ones, each a quarter as often, by the same strict rule: a detection is",
        "wrong even where another pattern explains it (the burst of a stop run does take many levels, an attacked",
        "iceberg does absorb).",
        "",
        *table(
            ("detector", "episodes", "detections", "precision", "recall"),
            [
                (name_of(r), str(r.score.episodes), str(r.score.detections), precision_of(r.score), recall_of(r.score))
                for r in rows
                if r.difficulty == 0
            ],
        ),
        "### False alarms",
        "",
        "Confirmed detections on the same market without any episode; brackets: 95 % interval of a Poisson count.",
        "",
        *table(
            ("detector", "sees", "alarms", "instrument-hours", "alarms an instrument-hour"),
            [_alarm(row) for row in alarms],
        ),
    ]


def _overall(row: ScoreRow) -> list[str]:
    s = row.score
    counts = (row.difficulty, s.episodes, s.hidden_from_all, s.detections, s.set_aside)
    delays = (_seconds(s.delay_ms_median), _seconds(s.delay_ms_p95))
    return [name_of(row), *map(str, counts), precision_of(s), recall_of(s), shown(s.f1), *delays]


def _sentences(rows: Sequence[ScoreRow]) -> Iterator[str]:
    """Say of each detector whether it does on clear episodes what is asked of it."""
    for row in rows:
        if row.part != "all" or row.difficulty != 1:
            continue
        s = row.score
        is_met = s.precision > CLEAR_ENOUGH and s.recall > CLEAR_ENOUGH
        said = "meets" if is_met else "**misses**"
        yield (
            f"- {name_of(row)}: {said} recall and precision above {CLEAR_ENOUGH} on clear episodes "
            f"(recall {shown(s.recall, 3)}, precision {shown(s.precision, 3)})."
        )
    yield ""


def _difficulties() -> Iterator[str]:
    yield "Difficulty is the simulator's: 1 is clear, 3 near the usual flow (`episode_difficulty`). Sweeps and icebergs"
    changes = [
        f"{detector.name.lower()} {difficulty}: " + ", ".join(f"{k} = {v:g}" for k, v in change.items())
        for detector, by_difficulty in HARDER.items()
        for difficulty, change in by_difficulty.items()
    ]
    yield f"are also made harder by settings ({'; '.join(changes)}). Episodes a symbol and day:"
    rates = [f"{name} = {rate:g}" for by_name in RATES.values() for name, rate in by_name.items()]
    yield f"{', '.join(rates)}."
    yield ""
    yield "Not asked for: icebergs and attacked levels never refilled, stop runs that did not come back. Set aside:"
    yield "detections of levels that broke in the end, of a stack's single levels, and of bursts through an extreme"
    yield "made just before. An iceberg seen as levels and prints takes several refills of like size to be told from"
    yield "other orders that arrive: the lines of all that refilled, and of those that did so often enough, where"
    yield "detections of the others are set aside, stand beside each other."
    yield ""


def _by_part(rows: Sequence[ScoreRow], cell) -> list[str]:  # type: ignore[no-untyped-def]
    keys = list(dict.fromkeys((name_of(r), r.difficulty) for r in rows if r.difficulty > 0))
    found = {(name_of(r), r.difficulty, r.part): r.score for r in rows}
    parts = (*SESSIONS, *REGIMES)
    lines = [(name, str(d), *(cell(found[name, d, part]) for part in parts)) for name, d in keys]
    return table(("detector", "difficulty", *parts), lines)


def _alarm(row: NullRow) -> list[str]:
    low, high = poisson_interval(row.alarms)
    rate = with_interval(row.alarms / row.hours, low / row.hours, high / row.hours, 3)
    sees = "levels and prints" if row.as_levels else "orders"
    return [row.detector.name.lower(), sees, str(row.alarms), f"{row.hours:.0f}", rate]
