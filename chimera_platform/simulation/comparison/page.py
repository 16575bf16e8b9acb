"""The page that compares the two versions: what was found, then every market's table, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.execution.records import Engine
from chimera_platform.signals.block_bootstrap import wilson_interval
from chimera_platform.signals.scorecard_page import NONE, shown, table
from chimera_platform.simulation.comparison.compare import MarketOutcome, VariantOutcome
from chimera_platform.simulation.comparison.effects import Effect, effects
from chimera_platform.simulation.comparison.findings import adds_text, findings
from chimera_platform.simulation.comparison.statistics import (
    DAYS_MIN,
    REPLICATES,
    SIGNIFICANT,
    sharpe,
    sign_test,
)
from chimera_platform.simulation.comparison.text import DEFINITIONS, EXPECTATIONS, INTRODUCTION
from chimera_platform.simulation.comparison.variants import (
    DOCUMENT,
    EXPECTED,
    LATER,
    SMALL_EQUITY,
    V1,
    V2,
    Plan,
    Role,
)

_HEAD = (
    "variant", "net", "gross", "spread, delay", "fees", "trades", "won", "profit factor", "Sharpe", "fall",
    "net a day", "adds a day [95 %]", "better : worse", "p", "verdict",
)  # fmt: skip
_ENGINES = tuple(engine.name.lower().replace("_", " ") for engine in Engine)


@dataclass(frozen=True)
class Compared:
    """A market with its effects."""

    outcome: MarketOutcome
    effects: Mapping[str, Effect]


def evaluated(outcomes: Sequence[MarketOutcome], seed: int) -> list[Compared]:
    """Return the markets with their effects, ``seed`` being the bootstrap's."""
    return [Compared(outcome, effects(outcome, seed)) for outcome in outcomes]


def page(
    compared: Sequence[Compared], chosen: Plan, base: Configuration, command: str, picture: str | None = None
) -> str:
    """Return the page; ``picture`` is the address of the effects' plot, where there is one."""
    traded = [each for each in compared if not each.outcome.is_silent]
    lines = [
        "# V1 against V2",
        "",
        "Made by",
        "",
        "```sh",
        command,
        "```",
        "",
        *INTRODUCTION.format(
            equity=base.account.starting_equity,
            hft=base.hft.order_notional,
            structure=base.structure.order_notional,
            order_flow=base.order_flow.order_notional,
        ).splitlines(),
        "",
        *findings([(each.outcome, each.effects) for each in traded], chosen),
        *([f"![What each upgrade adds a day within V2, with 95 % intervals]({picture})", ""] if picture else []),
        *_document(traded, chosen),
        *_expected(traded),
        *_markets(compared),
    ]
    for each in traded:
        lines += _market(each, chosen)
    return "\n".join([*lines, *_definitions(chosen)]) + "\n"


def _document(traded: Sequence[Compared], chosen: Plan) -> list[str]:
    """Return the document's table, each row with what stands for it here."""
    titles = {each.key: each.title for each in chosen.upgrades}
    rows = []
    for row in DOCUMENT:
        verdicts = [f"`{key}` ({titles[key]})" for key in row.upgrades]
        rows.append((row.metric, row.first, row.second, "; ".join(verdicts) or NONE, row.said or NONE))
    return [
        "## The document's table, row by row",
        "",
        *table(("metric", "V1", "V2", "compared here as", "and"), rows),
        f"Promised by the other documents, and **coming with later parts**: {LATER}.",
        "",
    ]


def _expected(traded: Sequence[Compared]) -> list[str]:
    """Return the document's expectations beside what was measured."""
    lines = [
        "## What the document expects, and what was measured",
        "",
        *EXPECTATIONS.format(days=DAYS_MIN).splitlines(),
        "",
    ]
    rows: list[Sequence[str]] = []
    for label, first, second in EXPECTED:
        rows.append((label, "**the document expects**", first, second))
        for each in traded:
            names = (V1, V2)
            found = [_figure(label, each.outcome.variants[name]) for name in names]
            if any(text != NONE for text in found):
                rows.append(("", each.outcome.market.name, *found))
    return [*lines, *table(("metric", "market", "V1", "V2"), rows)]


def _figure(label: str, outcome: VariantOutcome) -> str:
    if label.startswith("Sharpe"):
        return _sharpe(outcome)
    engine = Engine.HFT if "HFT" in label else Engine.STRUCTURE
    wins, trades = int(outcome.total("wins", engine)), int(outcome.total("trades", engine))
    if trades == 0:
        return NONE
    low, high = wilson_interval(wins, trades)
    return f"{100 * wins / trades:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {trades:,}"


def _sharpe(outcome: VariantOutcome) -> str:
    days = outcome.daily_net()
    return shown(sharpe(days), 1) if len(days) >= DAYS_MIN else NONE


def _markets(compared: Sequence[Compared]) -> list[str]:
    rows = []
    for each in compared:
        facts, days = each.outcome.facts, len(each.outcome.days)
        first, last = (np.datetime64(ts, "ns").astype("M8[m]") for ts in (facts.first_ts, facts.last_ts))
        length = f"{facts.hours:,.0f} h" if facts.hours >= 2 else f"{facts.hours * 60:.0f} min"
        span = f"{days} trading day{'s' if days > 1 else ''}, {length}"
        if not each.outcome.market.is_simulated:
            span += f", {first} to {last} UTC"
        traded = "no variant wants a trade" if each.outcome.is_silent else ""
        shows = f"{facts.shows}; {traded}" if traded else facts.shows
        rows.append((each.outcome.market.name, ", ".join(facts.symbols), shows, f"{facts.events:,}", span))
    return [
        "## The markets",
        "",
        *table(("market", "symbols", "shows", "events", "how long"), rows),
        *(f"- {each.outcome.market.name}: {each.outcome.market.about}" for each in compared),
        "",
    ]


def _market(each: Compared, chosen: Plan) -> list[str]:
    outcome, found = each.outcome, each.effects
    days = len(outcome.days)
    same = [name for name, effect in found.items() if effect.adds.is_none]
    lines = [f"## {outcome.market.name[0].upper()}{outcome.market.name[1:]}", ""]
    if days < DAYS_MIN:
        lines += [f"{days} trading day{'s' if days > 1 else ''}: **too few for any interval to mean anything.**", ""]
    else:
        least = sign_test(days, 0)
        lines += [
            f"{days} trading days; the smallest p that the sign test can give is {_p(least)}"
            + _reach(least, sum(not effect.adds.is_none for effect in found.values()) - 1),
            "",
        ]
    rows = [_row(name, outcome, found) for name in outcome.variants if name not in same]
    lines += table(_HEAD, rows)
    if same:
        lines += [f"Changed nothing here: {', '.join(f'`{name}`' for name in same)}.", *_why(outcome, same), ""]
    return [*lines, *_by_engine(outcome)]


def _reach(least: float, family: int) -> str:
    if least * max(family, 1) < SIGNIFICANT:
        return "."
    return f", so that after Holm's adjustment for {family} comparisons none can stand."


def _why(outcome: MarketOutcome, same: Sequence[str]) -> Iterator[str]:
    """Say why capital and limits changed nothing where that is so."""
    versions = [outcome.variants[V1], outcome.variants[V2]]
    if any(name.endswith("shares") for name in same) and all(v.capped + v.shrunk + v.stopped == 0 for v in versions):
        yield "No cap on capital and no drawdown limit ever bound in V1 or V2, so shares and scaling could not matter;"
        yield "the small account is there for that."


def _row(name: str, outcome: MarketOutcome, found: Mapping[str, Effect]) -> list[str]:
    each, days = outcome.variants[name], len(outcome.days)
    money = ("net_nanos", "gross_nanos", "cost_nanos", "fees_nanos")
    figures = [shown(each.total(field), 0) for field in money]
    figures += [f"{int(each.total('trades')):,}", _percent(each.win_rate()), shown(each.profit_factor()), _sharpe(each)]
    figures += [shown(each.drawdown, 0), shown(each.total("net_nanos") / days, 1)]
    label = f"**{name}**" if each.variant.role == Role.VERSION else name
    if name not in found:
        return [label, *figures, NONE, NONE, NONE, NONE]
    effect = found[name]
    p = NONE if days < DAYS_MIN else _p(effect.adds.sign_p) + (f" ({_p(effect.p_holm)})" if name != V2 else "")
    return [label, *figures, adds_text(effect.adds), f"{effect.adds.better} : {effect.adds.worse}", p, effect.verdict]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if math.isfinite(share) else NONE


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def _by_engine(outcome: MarketOutcome) -> list[str]:
    """Return the two versions' results by engine; engines add up to the whole."""
    rows = []
    for name in (V1, V2):
        each = outcome.variants[name]
        for engine, label in zip([*Engine, None], [*_ENGINES, "all"], strict=True):
            trades = int(each.total("trades", engine))
            net, gross = each.total("net_nanos", engine), each.total("gross_nanos", engine)
            paid = each.total("cost_nanos", engine) + each.total("fees_nanos", engine)
            if trades == 0 and net == 0.0:
                continue
            by_trade = [shown(value / trades, 2) if trades else NONE for value in (gross, paid, net)]
            won = _percent(each.win_rate(engine))
            rows.append((name, label, shown(net, 0), f"{trades:,}", won, shown(each.profit_factor(engine)), *by_trade))
    head = (
        "version",
        "engine",
        "net",
        "trades",
        "won",
        "profit factor",
        "gross a trade",
        "paid a trade",
        "net a trade",
    )
    return [*table(head, rows)]


def _definitions(chosen: Plan) -> list[str]:
    text = DEFINITIONS.format(replicates=REPLICATES, days=DAYS_MIN, significant=SIGNIFICANT, small=SMALL_EQUITY)
    untouched = ", ".join(f"`{name}`" for name in chosen.untouched)
    rows = [(f"`{each.key}`", each.title) for each in chosen.upgrades]
    return [
        *text.splitlines(),
        *([f"- Sections of the configuration that no variant switches: {untouched}."] if untouched else []),
        "",
        "### Upgrades",
        "",
        *table(("name", "what it is"), rows),
    ]
