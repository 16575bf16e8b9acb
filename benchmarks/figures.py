"""What a benchmark returns, and the arithmetic on it: medians of repeats, ratios to a baseline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

NS = 1_000_000_000


@dataclass(frozen=True)
class Scale:
    """How much work a benchmark does.

    Attributes
    ----------
    events : most events of a stream.
    repeats : timed runs, after one that is not counted; their median is the figure.
    seconds : length of what is paced by the clock.
    """

    events: int = 1_000_000
    repeats: int = 5
    seconds: float = 20.0


FULL = Scale()
QUICK = Scale(events=100_000, repeats=3, seconds=3.0)


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes
    ----------
    name : ``benchmark`` or ``benchmark.variant``, dots between the words of a path.
    figure, unit : the number; a unit that ends in ``/s`` is better when higher, any other when lower.
    goal : what the project set out to reach, in the same unit; None where it set none.
    detail : how it was measured and what else was seen, in plain values.
    """

    name: str
    figure: float
    unit: str
    goal: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger figure is the better one."""
        return self.unit.endswith("/s")

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.figure >= self.goal if self.higher_is_better else self.figure <= self.goal


def ratio(figure: float, baseline: float | None) -> float | None:
    """Return ``figure / baseline``; None without a baseline, or where it is zero."""
    return None if baseline is None or baseline == 0 else figure / baseline


@dataclass(frozen=True)
class Timing:
    """Seconds of repeated runs of one piece of work.

    Attributes
    ----------
    wall_s, cpu_s : one entry a run: by the wall clock, and by this process's processor time.
    """

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The median by the wall clock."""
        return statistics.median(self.wall_s)

    @property
    def median_cpu_s(self) -> float:
        """The median of the processor time: what pure computation in one thread costs, however busy the machine."""
        return statistics.median(self.cpu_s)

    def cpu_ns_per(self, count: int) -> float:
        """Return the median processor time in ns per one of ``count``."""
        return self.median_cpu_s * NS / count

    def spread(self, count: int) -> dict[str, float]:
        """Return medians by both clocks, and best and worst run by the wall clock, in ns per one of ``count``."""
        return {
            "cpu_ns": self.cpu_ns_per(count),
            "wall_ns": self.median_s * NS / count,
            "wall_best_ns": min(self.wall_s) * NS / count,
            "wall_worst_ns": max(self.wall_s) * NS / count,
        }


def timed(prepare: Callable[[], Any], work: Callable[[Any], Any], repeats: int, warm_up: int = 1) -> Timing:
    """Time ``work(prepare())`` ``repeats`` times, preparation excluded, after ``warm_up`` runs that are not counted."""
    wall, cpu = [], []
    for run in range(warm_up + repeats):
        prepared = prepare()
        began, cpu_began = time.perf_counter(), time.process_time()
        work(prepared)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        if run >= warm_up:
            wall.append(seconds)
            cpu.append(cpu_seconds)
    return Timing(tuple(wall), tuple(cpu))


def median_figure(name: str, unit: str, values: Sequence[float], goal: float | None, **detail: Any) -> Figure:
    """Return the median of ``values`` as a figure that shows the best and the worst of them."""
    return Figure(
        name, statistics.median(values), unit, goal, {"lowest": min(values), "highest": max(values), **detail}
    )
