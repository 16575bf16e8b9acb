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


def neighbourhoods(found: ParameterMap, steps: int) -> dict[str, Array]:
    """Return the results of all neighbours within ``steps`` grid steps, of parameters that have an effect.

    Two groups: each parameter moved alone, and the two most sensitive ones together. Many parameters that hardly
    matter would hide in one group that the two that do stand on a peak.
    """
    alone: list[float] = []
    for curve in found.curves:
        if curve.has_effect:
            near = _near(curve.parameter, steps)
            alone += [curve.results[i] for i in near if i != curve.parameter.centre]
    groups = {"of all parameters, each moved alone": np.array(alone)}
    if found.heat_map is not None:
        first, second, grid = found.heat_map
        block = grid[np.ix_(_near(first, steps), _near(second, steps))].astype(np.float64)
        block[_near(first, steps).index(first.centre), _near(second, steps).index(second.centre)] = math.nan
        groups["of the two most sensitive parameters together"] = block.ravel()
    return {name: results[~np.isnan(results)] for name, results in groups.items()}


def _near(parameter: Parameter, steps: int) -> list[int]:
    """Return the indices of the values within ``steps`` of the present one, itself among them."""
    return list(range(max(parameter.centre - steps, 0), min(parameter.centre + steps + 1, len(parameter.values))))


class _Standing(NamedTuple):
    """How the present parameters stand among one group of neighbours; shares of the group."""

    where: str
    neighbours: int
    alike: float  # earn about the same
    below: float  # earn less
    losers: float

    def __str__(self) -> str:
        said = f"{self.alike:.0%} of {self.neighbours} neighbours ({self.where}) earn about the same"
        return f"{said}; {self.below:.0%} earn less, {self.losers:.0%} lose"


def judge(found: ParameterMap, settings: AuditSettings) -> Finding:
    """Say whether the present parameters earn what their neighbours earn.

    Plateau score: the share of neighbours whose result is within ``plateau_tolerance`` of the centre's, in the group
    in which it is smaller. Rank: the share of these neighbours that earn less. Parameters without effect count for
    nothing.
    """
    centre, margin = found.centre, settings.plateau_tolerance * abs(found.centre)
    threshold = f"at least {settings.plateau_share_min:.0%} of neighbours within {settings.plateau_tolerance:.0%}"
    standings = [
        _Standing(
            where,
            len(near),
            float((np.abs(near - centre) <= margin).mean()),
            float((near < centre).mean()),
            float((near <= 0).mean()),
        )
        for where, near in neighbourhoods(found, settings.neighbour_steps).items()
        if len(near)
    ]
    table = Table(("parameter", "present value", "depends on it", "lowest", "highest"), _sensitivities(found))
    if not standings:
        reason = "no parameter has any effect on this data: nothing to stand on"
        return Finding("plateau", Part.PARAMETERS, Verdict.SKIP, math.nan, "", threshold, reason, table=table)
    worst = min(standings, key=lambda standing: standing.alike)
    verdict, reason = Verdict.PASS, f"plateau: {worst}"
    if centre <= 0:
        verdict, reason = Verdict.WARN, f"the present parameters earn nothing ({centre:,.2f}); {worst}"
    elif worst.alike < settings.plateau_share_min and worst.below >= settings.peak_rank:
        verdict = Verdict.FAIL if worst.losers >= 0.5 else Verdict.WARN
        reason = f"peak, not plateau: {worst}. The present values look picked for this data"
    elif worst.alike < settings.plateau_share_min:
        verdict, reason = Verdict.WARN, f"rough or sloping ground, neither plateau nor peak: {worst}"
    notes = (*map(str, standings), f"a peak has {settings.peak_rank:.0%} of its neighbours below it")
    unit = "% of neighbours earn about the same"
    return Finding(
        "plateau", Part.PARAMETERS, verdict, 100.0 * worst.alike, unit, threshold, reason, table=table, notes=notes
    )


def _sensitivities(found: ParameterMap) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        (c.parameter.label, c.parameter.value, c.spread, float(np.nanmin(c.results)), float(np.nanmax(c.results)))
        for c in found.curves
        if c.has_effect
    )
