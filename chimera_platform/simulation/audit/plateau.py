"""Whether the present parameters stand on a plateau or on a peak of their neighbourhood."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chimera_platform.simulation.audit.findings import Finding, Part, Table, Verdict
from chimera_platform.simulation.audit.parameter_grid import Parameter
from chimera_platform.simulation.audit.settings import AuditSettings

Array = np.ndarray[Any, Any]
Point = dict[tuple[str, str], float]
Objective = Callable[[Sequence[Point]], list[float]]
"""Parameter values by (section, name), the others as they are → what each such set earns."""


class Curve(NamedTuple):
    """One parameter moved alone.

    Attributes
    ----------
    parameter : with the values tried.
    results : what each earns; NaN where the values do not go together.
    """

    parameter: Parameter
    results: tuple[float, ...]

    @property
    def has_effect(self) -> bool:
        """Whether the result changes anywhere on the curve."""
        known = [r for r in self.results if not math.isnan(r)]
        return bool(known) and max(known) > min(known)

    @property
    def spread(self) -> float:
        """Largest less smallest result: how much depends on the parameter."""
        known = [r for r in self.results if not math.isnan(r)]
        return max(known) - min(known) if known else 0.0


class HeatMap(NamedTuple):
    """Two parameters moved together; ``results[i, j]`` is at ``first.values[i]``, ``second.values[j]``."""

    first: Parameter
    second: Parameter
    results: Array


class ParameterMap(NamedTuple):
    """The neighbourhood of the present parameters.

    Attributes
    ----------
    centre : what they earn.
    curves : one a parameter, the most sensitive first.
    heat_map : of the two most sensitive ones; None where fewer than two matter.
    runs : how many parameter sets were run.
    """

    centre: float
    curves: tuple[Curve, ...]
    heat_map: HeatMap | None
    runs: int


def parameter_map(objective: Objective, parameters: Sequence[Parameter]) -> ParameterMap:
    """Run the neighbourhood: the ends of every curve first, the points between where the ends matter."""
    ends = [(p, i) for p in parameters for i in sorted({0, len(p.values) - 1} - {p.centre})]
    found = objective([{}, *(_point(p, i) for p, i in ends)])
    centre = found[0]
    known: dict[tuple[str, int], float] = {(p.label, i): r for (p, i), r in zip(ends, found[1:], strict=True)}
    moved = {p.label for p, i in ends if known[p.label, i] != centre}
    between = [(p, i) for p in parameters if p.label in moved for i in range(len(p.values)) if i != p.centre]
    between = [(p, i) for p, i in between if (p.label, i) not in known]
    known |= {(p.label, i): r for (p, i), r in zip(between, objective([_point(*t) for t in between]), strict=True)}
    curves = sorted((_curve(p, centre, known) for p in parameters), key=lambda curve: -curve.spread)
    heat_map, runs = None, 1 + len(ends) + len(between)
    if len(curves) > 1 and curves[1].has_effect:
        heat_map = _heat_map(objective, curves[0].parameter, curves[1].parameter)
        runs += heat_map.results.size
    return ParameterMap(centre, tuple(curves), heat_map, runs)


def _point(parameter: Parameter, i: int) -> Point:
    return {(parameter.section, parameter.name): parameter.values[i]}


def _curve(parameter: Parameter, centre: float, known: dict[tuple[str, int], float]) -> Curve:
    """Return a curve; points that were not run lie between ends that change nothing."""
    return Curve(parameter, tuple(known.get((parameter.label, i), centre) for i in range(len(parameter.values))))


def _heat_map(objective: Objective, first: Parameter, second: Parameter) -> HeatMap:
    points = [_point(first, i) | _point(second, j) for i in range(len(first.values)) for j in range(len(second.values))]
    return HeatMap(first, second, np.array(objective(points)).reshape(len(first.values), len(second.values)))


def neighbours(found: ParameterMap, steps: int) -> Array:
    """Return the results of all neighbours within ``steps`` grid steps, of parameters that have an effect."""
    results: list[float] = []
    for parameter, values in found.curves:
        if min(values) < max(values):
            near = range(max(parameter.centre - steps, 0), min(parameter.centre + steps + 1, len(values)))
            results += [values[i] for i in near if i != parameter.centre]
    if found.heat_map is not None:
        first, second, grid = found.heat_map
        for i in range(max(first.centre - steps, 0), min(first.centre + steps + 1, grid.shape[0])):
            for j in range(max(second.centre - steps, 0), min(second.centre + steps + 1, grid.shape[1])):
                if i != first.centre and j != second.centre:  # the others are on the curves
                    results.append(float(grid[i, j]))
    known = np.array(results, np.float64)
    return known[~np.isnan(known)]


def judge(found: ParameterMap, settings: AuditSettings) -> Finding:
    """Say whether the present parameters earn what their neighbours earn.

    Plateau score: the share of neighbours whose result is within ``plateau_tolerance`` of the centre's. Rank: the
    share of neighbours that earn less. Parameters without effect count for nothing.
    """
    near = neighbours(found, settings.neighbour_steps)
    centre = found.centre
    threshold = (
        f"{settings.plateau_share_min:.0%} of neighbours within {settings.plateau_tolerance:.0%}, "
        f"or not above {settings.peak_rank:.0%} of them"
    )
    rows = tuple(
        (c.parameter.label, c.parameter.value, c.spread, float(np.nanmin(c.results)), float(np.nanmax(c.results)))
        for c in found.curves
        if c.has_effect
    )
    table = Table(("parameter", "present value", "depends on it", "lowest", "highest"), rows)
    if not len(near):
        reason = "no parameter has any effect on this data: nothing to stand on"
        return Finding("plateau", Part.PARAMETERS, Verdict.SKIP, math.nan, "", threshold, reason, table=table)
    score = float((np.abs(near - centre) <= settings.plateau_tolerance * abs(centre)).mean())
    rank = float((near < centre).mean())
    losers = float((near <= 0).mean())
    said = f"{score:.0%} of {len(near)} neighbours earn about the same; {rank:.0%} earn less, {losers:.0%} lose"
    verdict, reason = Verdict.PASS, f"plateau: {said}"
    if centre <= 0:
        verdict, reason = Verdict.WARN, f"the present parameters earn nothing ({centre:,.2f}); {said}"
    elif score < settings.plateau_share_min and rank >= settings.peak_rank:
        verdict = Verdict.FAIL if losers >= 0.5 else Verdict.WARN
        reason = f"peak, not plateau: {said}. The present values look picked for this data"
    elif score < settings.plateau_share_min:
        verdict, reason = Verdict.WARN, f"slope, neither plateau nor peak: {said}"
    notes = (f"rank of the present parameters among their neighbours: {rank:.2f}",)
    return Finding(
        "plateau", Part.PARAMETERS, verdict, 100.0 * score, "% of neighbours earn about the same", threshold, reason,
        table=table, notes=notes,
    )  # fmt: skip
