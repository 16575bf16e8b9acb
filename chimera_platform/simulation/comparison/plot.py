"""What each upgrade adds a day, with its interval, as a picture: a row an upgrade, a panel a market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chimera_platform.simulation.comparison.compare import MarketOutcome
from chimera_platform.simulation.comparison.effects import Effect
from chimera_platform.simulation.comparison.statistics import DAYS_MIN
from chimera_platform.simulation.comparison.variants import V2, Role

_COLOURS = {1: "#2b6cb0", 0: "#a0aec0", -1: "#c53030"}
_WHOLE = "V2 against V1"


def draw_effects(found: Sequence[tuple[MarketOutcome, Mapping[str, Effect]]], path: Path) -> bool:
    """Write a PNG of what upgrades add within V2; return False where no market has enough days for intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [(o, _effects(f)) for o, f in found if len(o.days) >= DAYS_MIN and not o.is_silent]
    if not shown:
        return False
    names = list(dict.fromkeys(name for _, each in shown for name in each))[::-1]
    figure = Figure(figsize=(3.2 + 3.0 * len(shown), 0.9 + 0.27 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    for k, (outcome, own) in enumerate(shown):
        ax = figure.add_subplot(1, len(shown), k + 1)
        for row, name in enumerate(names):
            if name not in own:
                continue
            adds = own[name].adds
            if adds.has_interval:
                ax.plot([adds.low, adds.high], [row, row], color=_COLOURS[adds.side], linewidth=2.0)
            ax.plot([adds.mean], [row], "o", color=_COLOURS[adds.side], markersize=4)
        ax.axvline(0.0, color="#4a5568", linewidth=0.8)
        ax.set_yticks(range(len(names)), names if k == 0 else [""] * len(names), fontsize=8)
        ax.set_ylim(-0.7, len(names) - 0.3)
        ax.tick_params(axis="x", labelsize=8)
        ax.set_title(f"{outcome.market.name}, {len(outcome.days)} days", fontsize=9)
        ax.set_xlabel("adds a day", fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    partial = path.with_suffix(".partial")
    figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
    partial.replace(path)
    return True


def _effects(found: Mapping[str, Effect]) -> dict[str, Effect]:
    """Return by name what V2 adds to V1, and each upgrade within V2."""
    chosen = {_WHOLE: found[V2]}
    for name, effect in found.items():
        variant = effect.outcome.variant
        if variant.role == Role.LEFT_OUT and variant.against == V2:
            chosen[name.removeprefix("v2 - ").replace("_", " ")] = effect
    return chosen
