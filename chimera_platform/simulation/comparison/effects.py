"""What each upgrade adds or costs on one market, with how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from chimera_platform.simulation.comparison.compare import MarketOutcome, VariantOutcome
from chimera_platform.simulation.comparison.statistics import (
    DAYS_MIN,
    SIGNIFICANT,
    Difference,
    difference,
    holm,
)
from chimera_platform.simulation.comparison.variants import V2, Role


@dataclass(frozen=True)
class Effect:
    """A variant against the one that it is compared with.

    Attributes
    ----------
    outcome : of the variant.
    adds : a day, what the upgrade adds: with it against without it, whichever of the two the variant is.
    won : a day, what the variant itself won, against an account that does nothing.
    p_holm : sign test's p, adjusted for all upgrades that changed something on this market; 1 where nothing changed.
    """

    outcome: VariantOutcome
    adds: Difference
    won: Difference
    p_holm: float

    @property
    def verdict(self) -> str:
        """Two or three words; bold where it also stands after Holm's adjustment."""
        if self.adds.is_none:
            return "changes nothing"
        if self.adds.days < DAYS_MIN:
            return "too few days"
        if not self.adds.has_interval:
            return f"differs on {self.adds.better + self.adds.worse} days only"
        word = {1: "adds", -1: "costs", 0: "nothing shown"}[self.adds.side]
        return f"**{word}**" if self.adds.side and self.p_holm < SIGNIFICANT else word


def effects(outcome: MarketOutcome, seed: int) -> dict[str, Effect]:
    """Return the effects on one market by the variant's name, of all variants that are compared with another.

    Holm's family is every variant but the second version itself, whose comparison with the first is the one question
    that was asked before; those that changed nothing are not in it.
    """
    found: dict[str, tuple[VariantOutcome, Difference]] = {}
    for name, each in outcome.variants.items():
        if not each.variant.against:
            continue
        other = outcome.variants[each.variant.against]
        days = other.daily_gain(each) if each.variant.role == Role.LEFT_OUT else each.daily_gain(other)
        found[name] = each, difference(days, seed, are_independent=outcome.market.is_simulated)
    family = [name for name, (_, adds) in found.items() if name != V2 and not adds.is_none]
    adjusted = dict(zip(family, holm([found[name][1].sign_p for name in family]), strict=True))
    adjusted[V2] = found[V2][1].sign_p
    apart = outcome.market.is_simulated
    return {
        name: Effect(each, adds, difference(each.daily_net(), seed, are_independent=apart), adjusted.get(name, 1.0))
        for name, (each, adds) in found.items()
    }
