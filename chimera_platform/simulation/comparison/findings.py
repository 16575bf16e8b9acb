"""What the comparison says in plain sentences: where the second version wins, where not, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from chimera_platform.signals.scorecard_page import shown, with_interval
from chimera_platform.simulation.comparison.compare import MarketOutcome, VariantOutcome
from chimera_platform.simulation.comparison.effects import Effect
from chimera_platform.simulation.comparison.statistics import DAYS_MIN, SIGNIFICANT, Difference
from chimera_platform.simulation.comparison.variants import IDEAL_V1, IDEAL_V2, V1, V2, Plan, Role

Found = tuple[MarketOutcome, Mapping[str, Effect]]


def findings(traded: Sequence[Found], chosen: Plan) -> list[str]:
    """Return the lines of what was found on the markets on which there was a trade."""
    if not traded:
        return ["## What came out", "", "No variant wanted a trade on any market.", ""]
    return [
        "## What came out",
        "",
        _in_short(traded),
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


def _in_short(traded: Sequence[Found]) -> str:
    """Return the sentence about all markets together."""
    judged = [(o, f[V2].adds) for o, f in traded if f[V2].adds.has_interval]
    better = [o.market.name for o, adds in judged if adds.side > 0]
    worse = [o.market.name for o, adds in judged if adds.side < 0]
    said = (
        f"Of {len(judged)} market{'' if len(judged) == 1 else 's'} with days enough for an interval, that of V2 - V1 "
    )
    said += f"lies above 0 on {_count(better)} and below on {_count(worse)}."
    for kind, is_simulated in (("simulated", True), ("recorded", False)):
        own = [o for o, _ in traded if o.market.is_simulated is is_simulated]
        if own:
            won = {name: sum(o.variants[name].total("net_nanos") > 0 for o in own) for name in (V1, V2)}
            said += f" On {len(own)} {kind} market{'s' if len(own) != 1 else ''} V1 earns money on {won[V1] or 'none'},"
            said += f" V2 on {won[V2] or 'none'}."
    return said


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} ({'; '.join(names)})" if names else "none"


def _versions(outcome: MarketOutcome, found: Mapping[str, Effect]) -> str:
    """Return the sentence about the two versions on one market."""
    first, second, adds = outcome.variants[V1], outcome.variants[V2], found[V2].adds
    days = len(outcome.days)
    said = f"- **{outcome.market.name}** ({days} trading day{'s' if days > 1 else ''}): "
    said += f"V1 {_a_day(first, days)}, V2 {_a_day(second, days)}"
    said += f" {_bracketed(found[V2].won)}. {_against(adds)} "
    return said + _by_trade(first, second)


def _a_day(outcome: VariantOutcome, days: int) -> str:
    net = outcome.total("net_nanos") / days
    return f"{'earns' if net > 0 else 'loses'} {shown(abs(net), 1)} a day"


def _bracketed(won: Difference) -> str:
    """Return the interval of what a version won a day, or that there is none."""
    return f"[{shown(won.low, 1)}, {shown(won.high, 1)}]" if won.has_interval else "(no interval)"


def _against(adds: Difference) -> str:
    if adds.is_none:
        return "There is no difference on any day."
    word = "better" if adds.mean > 0 else "**worse**"
    said = f"V2 is {word} by {shown(abs(adds.mean), 1)} a day, on {adds.better} of {adds.days} days"
    if adds.days < DAYS_MIN:
        return f"{said}: too few days to say more."
    said += f" (V2 - V1 {adds_text(adds)}; sign test p {adds.sign_p:.2g})"
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
    losing = [(o, f[V2].won) for o, f in traded if f[V2].won.mean < 0.0]
    yield _listed(
        "V2 loses money, as an account that does nothing does not",
        [f"{o.market.name} ({_interval(won)})" for o, won in losing],
    )
    costs = list(_named(traded, lambda effect: effect.adds.side < 0))
    yield "- Upgrades that cost, the interval leaving 0 out:" if costs else "- No upgrade is shown to cost."
    yield from (f"  {line}" for line in costs)
    yield from _nothing_shown(traded, chosen)


def _interval(adds: Difference) -> str:
    return f"{adds_text(adds)} a day"


def adds_text(adds: Difference) -> str:
    """Return mean and interval, with as many decimals as it takes to see on which side of 0 a bound lies."""
    nearest = min(abs(adds.low), abs(adds.high)) if adds.has_interval else 1.0
    decimals = 1 if nearest >= 0.05 else 2 if nearest >= 0.005 else 4
    return with_interval(adds.mean, adds.low, adds.high, decimals)


def _venue(outcome: MarketOutcome, found: Mapping[str, Effect]) -> str:
    """Return what each version would earn more at a venue without latency and impact."""
    parts = []
    for version, ideal in ((V1, IDEAL_V1), (V2, IDEAL_V2)):
        adds = found[ideal].adds
        if adds.is_none:
            parts.append(f"{version.upper()} the same")
            continue
        verb = "more" if adds.mean >= 0 else "less"
        sure = _interval(adds) if adds.has_interval else f"better on {adds.better} of {adds.days} days"
        parts.append(f"{version.upper()} {shown(abs(adds.mean), 1)} a day {verb} ({sure})")
    return f"- {outcome.market.name}: {', '.join(parts)}."


def _listed(what: str, names: Sequence[str]) -> str:
    return f"- {what}: {'; '.join(names) if names else 'on no market'}."


def _named(traded: Sequence[Found], is_wanted: Callable[[Effect], bool]) -> Iterator[str]:
    """Yield a line for each wanted effect of an upgrade, largest first within a market; equal ones share a line."""
    for outcome, found in traded:
        wanted = [(n, e) for n, e in found.items() if e.outcome.variant.upgrade and is_wanted(e)]
        alike: dict[tuple[str, Difference], list[tuple[str, Effect]]] = {}
        for name, effect in sorted(wanted, key=lambda each: -abs(each[1].adds.mean)):
            alike.setdefault((effect.outcome.variant.upgrade, effect.adds), []).append((name, effect))
        for (upgrade, adds), each in alike.items():
            where = " and".join(dict.fromkeys(_WHERE.get(e.outcome.variant.role, "") for _, e in each))
            names = ", ".join(f"`{name}`" for name, _ in each)
            stands = " Also after Holm's adjustment." if all(e.p_holm < SIGNIFICANT for _, e in each) else ""
            yield (
                f"- {outcome.market.name}: `{upgrade}` {'adds' if adds.mean > 0 else 'costs'} "
                f"{shown(abs(adds.mean), 1)} a day{where} ({names}: {adds_text(adds)} a day, "
                f"better on {adds.better} of {adds.days} days).{stands}"
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
