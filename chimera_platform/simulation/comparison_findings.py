"""What the comparison says in plain sentences: where the second version wins, where not, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from chimera_platform.signals.scorecard_page import shown, with_interval
from chimera_platform.simulation.comparison import MarketOutcome, VariantOutcome
from chimera_platform.simulation.comparison_effects import Effect
from chimera_platform.simulation.comparison_statistics import DAYS_MIN, SIGNIFICANT, Difference
from chimera_platform.simulation.comparison_variants import IDEAL_V1, IDEAL_V2, V1, V2, Plan, Role

Found = tuple[MarketOutcome, Mapping[str, Effect]]


def findings(traded: Sequence[Found], chosen: Plan) -> list[str]:
    """Return the lines of what was found on the markets on which there was a trade."""
    if not traded:
        return ["## What came out", "", "No variant wanted a trade on any market.", ""]
    return [
        "## What came out",
        "",
        *(_versions(outcome, found) for outcome, found in traded),
        "",
        "### Where V2 does not win",
        "",
        *_losses(traded, chosen),
        "",
        "### What adds",
        "",
        *(list(_named(traded, lambda effect: effect.adds.side > 0)) or ["- Nothing, on any market."]),
        "",
        "### What the venue costs",
        "",
        "With neither latency nor impact, and still the spread and the fees:",
        "",
        *(_venue(outcome, found) for outcome, found in traded),
        "",
    ]


def _versions(outcome: MarketOutcome, found: Mapping[str, Effect]) -> str:
    """Return the sentence about the two versions on one market."""
    first, second, adds = outcome.variants[V1], outcome.variants[V2], found[V2].adds
    days = len(outcome.days)
    said = f"- **{outcome.market.name}** ({days} trading day{'s' if days > 1 else ''}): "
    said += f"V1 {_a_day(first, days)}, V2 {_a_day(second, days)}. {_against(adds)} "
    return said + _by_trade(first, second)


def _a_day(outcome: VariantOutcome, days: int) -> str:
    net = outcome.total("net_nanos") / days
    return f"{'earns' if net > 0 else 'loses'} {shown(abs(net), 1)} a day"


def _against(adds: Difference) -> str:
    if adds.is_none:
        return "There is no difference on any day."
    word = "better" if adds.mean > 0 else "**worse**"
    said = f"V2 is {word} by {shown(abs(adds.mean), 1)} a day, on {adds.better} of {adds.days} days"
    if adds.days < DAYS_MIN:
        return f"{said}: too few days to say more."
    said += f" (V2 - V1 {with_interval(adds.mean, adds.low, adds.high, 1)}; sign test p {adds.sign_p:.2g})"
    if adds.side == 0:
        return f"{said}: **no difference is shown.**"
    return f"{said}." if adds.sign_p < SIGNIFICANT else f"{said}: the interval leaves 0 out, the sign test does not."


def _by_trade(first: VariantOutcome, second: VariantOutcome) -> str:
    """Say how much of it comes from trading better and how much from trading less."""
    parts = []
    for name, outcome in (("V1", first), ("V2", second)):
        trades = outcome.total("trades")
        if trades:
            gross = outcome.total("gross_nanos") / trades
            paid = (outcome.total("cost_nanos") + outcome.total("fees_nanos")) / trades
            parts.append(f"{name} {shown(gross, 2)} gross and {shown(paid, 2)} paid in {int(trades):,} trades")
    return f"A trade: {', '.join(parts)}." if parts else "Neither traded."


def _losses(traded: Sequence[Found], chosen: Plan) -> Iterator[str]:
    """Yield what speaks against the second version."""
    worse = [(o, f[V2].adds) for o, f in traded if f[V2].adds.mean < 0.0]
    yield _listed(
        "V2 earns less than V1",
        [f"{o.market.name} (by {shown(-adds.mean, 1)} a day on {adds.worse} of {adds.days} days)" for o, adds in worse],
    )
    yield _listed(
        "No difference between V2 and V1 is shown, whatever its sign",
        [
            f"{o.market.name} ({'too few days' if f[V2].adds.days < DAYS_MIN else _interval(f[V2].adds)})"
            for o, f in traded
            if f[V2].adds.side == 0
        ],
    )
    losing = [(o, o.variants[V2].total("net_nanos") / len(o.days)) for o, _ in traded]
    yield _listed(
        "V2 loses money, as an account that does nothing does not",
        [f"{o.market.name} ({shown(net, 1)} a day)" for o, net in losing if net < 0.0],
    )
    costs = list(_named(traded, lambda effect: effect.adds.side < 0))
    yield "- Upgrades that cost, the interval leaving 0 out:" if costs else "- No upgrade is shown to cost."
    yield from (f"  {line}" for line in costs)
    yield from _nothing_shown(traded, chosen)


def _interval(adds: Difference) -> str:
    return f"{with_interval(adds.mean, adds.low, adds.high, 1)} a day"


def _venue(outcome: MarketOutcome, found: Mapping[str, Effect]) -> str:
    """Return what each version would earn more at a venue without latency and impact."""
    parts = []
    for version, ideal in ((V1, IDEAL_V1), (V2, IDEAL_V2)):
        adds = found[ideal].adds
        verb = "more" if adds.mean >= 0 else "less"
        sure = _interval(adds) if adds.has_interval else f"better on {adds.better} of {adds.days} days"
        parts.append(f"{version.upper()} {shown(abs(adds.mean), 1)} a day {verb} ({sure})")
    return f"- {outcome.market.name}: {', '.join(parts)}."


def _listed(what: str, names: Sequence[str]) -> str:
    return f"- {what}: {'; '.join(names) if names else 'on no market'}."


def _named(traded: Sequence[Found], is_wanted: Callable[[Effect], bool]) -> Iterator[str]:
    """Yield a line for each wanted effect of an upgrade, largest sums first within a market."""
    for outcome, found in traded:
        wanted = [(n, e) for n, e in found.items() if e.outcome.variant.upgrade and is_wanted(e)]
        for name, effect in sorted(wanted, key=lambda each: -abs(each[1].adds.mean)):
            variant, adds = effect.outcome.variant, effect.adds
            verb = "adds" if adds.mean > 0 else "costs"
            where = _WHERE.get(variant.role, "")
            stands = " Also after Holm's adjustment." if effect.p_holm < SIGNIFICANT else ""
            yield (
                f"- {outcome.market.name}: `{variant.upgrade}` {verb} {shown(abs(adds.mean), 1)} a day{where} "
                f"(`{name}`, {_interval(adds)}, better on {adds.better} of {adds.days} days).{stands}"
            )


_WHERE = {Role.ALONE: " over V1", Role.LEFT_OUT: " within V2"}


def _nothing_shown(traded: Sequence[Found], chosen: Plan) -> Iterator[str]:
    """Yield the upgrades that are not shown to add or to cost anything anywhere, and those that change nothing."""
    spoken: dict[str, list[Effect]] = {}
    for outcome, found in traded:
        for effect in found.values():
            if effect.outcome.variant.upgrade and len(outcome.days) >= DAYS_MIN:
                spoken.setdefault(effect.outcome.variant.upgrade, []).append(effect)
    keys = [each.key for each in chosen.upgrades if each.key in spoken]
    idle = [key for key in keys if all(effect.adds.is_none for effect in spoken[key])]
    unclear = [key for key in keys if key not in idle and all(effect.adds.side == 0 for effect in spoken[key])]
    enough = f"on any market of {DAYS_MIN} days or more"
    if unclear:
        yield f"- Upgrades of which nothing is shown {enough}: {', '.join(f'`{key}`' for key in unclear)}."
    if idle:
        yield f"- Upgrades that change no trade {enough}: {', '.join(f'`{key}`' for key in idle)}."
