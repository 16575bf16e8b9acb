"""Variants of the platform against each other, over the same days of the same markets.

Every variant runs over every run of a market: with fresh state, the starting equity and nothing open. What it earned
is kept by trading day and engine; the rest of its rows is dropped at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration
from chimera_platform.errors import ConfigurationError, DataError
from chimera_platform.execution.records import FILL_DTYPE, MARK_DTYPE, DecisionReason, Engine
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest.deciding import decide
from chimera_platform.simulation.backtest.fused import FusedPath
from chimera_platform.simulation.backtest.sweep import HeldEvents, hold
from chimera_platform.simulation.comparison.days import (
    DAY_DTYPE,
    chained_fall,
    day_ends,
    day_rows,
    days_with_events,
    fall,
)
from chimera_platform.simulation.comparison.markets import Market, MarketFacts, facts_of, joined_facts
from chimera_platform.simulation.comparison.variants import Plan, Variant

_NANOS = 1e9
_BATCH = 131_072
_CAPS = (DecisionReason.ENGINE_CAP, DecisionReason.SYMBOL_CAP, DecisionReason.ACCOUNT_CAP, DecisionReason.SIZE_ZERO)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Releases:
    """The release to compare under, without and with its signal model; None where there is none."""

    plain: Release | None = None
    with_model: Release | None = None

    def of(self, variant: Variant) -> Release | None:
        """Return what is in force in ``variant``."""
        return self.with_model if variant.uses_model else self.plain if variant.uses_release else None


@dataclass(frozen=True)
class RunOutcome:
    """What one variant came to on one run.

    Attributes
    ----------
    rows : DAY_DTYPE, a day with events and engine each.
    curve : deepest fall, highest, lowest and last value of the account against its start, nanos.
    intents, approved, shrunk : what engines wanted, what was sent, and of that what was sent smaller than wanted.
    refusals : how many intents each reason refused.
    fills : how many.
    """

    rows: Array
    curve: tuple[int, int, int, int]
    intents: int
    approved: int
    shrunk: int
    refusals: Mapping[DecisionReason, int]
    fills: int


@dataclass(frozen=True)
class VariantOutcome:
    """What one variant came to on one market.

    Attributes
    ----------
    variant : which.
    rows : DAY_DTYPE, (days, engines).
    drawdown : deepest fall of the account, the runs one after another; currency units.
    intents, approved, shrunk, capped, stopped, fills : sums over the runs: see :class:`RunOutcome`; ``capped`` were
        refused by a cap on capital, ``stopped`` by the drawdown's hard limit.
    """

    variant: Variant
    rows: Array
    drawdown: float
    intents: int
    approved: int
    shrunk: int
    capped: int
    stopped: int
    fills: int

    def total(self, name: str, engine: Engine | None = None) -> float:
        """Return the sum of a field over the days; of one engine, or of all. Money in currency units."""
        rows = self.rows if engine is None else self.rows[:, engine]
        total = int(rows[name].sum())
        return total / _NANOS if name.endswith("_nanos") else total

    def daily_net(self, engine: Engine | None = None) -> Array:
        """Return the net profit of each day, f8 (days,), currency units."""
        rows = self.rows["net_nanos"]
        return np.asarray((rows.sum(axis=1) if engine is None else rows[:, engine]) / _NANOS)

    def daily_gain(self, over: VariantOutcome) -> Array:
        """Return how much more than ``over`` it won on each day, f8 (days,); exactly opposite the other way round."""
        return np.asarray((self.rows["net_nanos"].sum(axis=1) - over.rows["net_nanos"].sum(axis=1)) / _NANOS)

    def win_rate(self, engine: Engine | None = None) -> float:
        """Return the share of closed trades that won; NaN without any."""
        trades = self.total("trades", engine)
        return self.total("wins", engine) / trades if trades else float("nan")

    def profit_factor(self, engine: Engine | None = None) -> float:
        """Return what the winning trades won over what the losing ones lost; NaN without losing ones."""
        lost = self.total("lost_nanos", engine)
        return self.total("won_nanos", engine) / lost if lost else float("nan")


@dataclass(frozen=True)
class MarketOutcome:
    """What all variants came to on one market.

    Attributes
    ----------
    market, facts : the market.
    runs, days : of each day its run's number and its date, days since 1970; i8 (days,).
    variants : by name, in the plan's order.
    """

    market: Market
    facts: MarketFacts
    runs: Array
    days: Array
    variants: dict[str, VariantOutcome]

    @property
    def is_silent(self) -> bool:
        """Whether no variant wanted a single trade."""
        return all(each.intents == 0 for each in self.variants.values())


def compare(
    markets: Sequence[Market],
    base: Configuration,
    chosen: Plan,
    *,
    releases: Releases | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[MarketOutcome]:
    """Run every variant over every run of every market.

    Parameters
    ----------
    markets : in the order of the result.
    base : the configuration that variants put their parameters over.
    chosen : the variants.
    releases : those that some variants decide under.
    workers : threads; None: one for each processor that this process may use. They change nothing but the time.
    progress : told what is done, once a run.

    Raises
    ------
    ChimeraError
        If a source, a variant's configuration or a release cannot be used.
    """
    count = workers if workers is not None else len(os.sched_getaffinity(0))
    if count < 1:
        raise ConfigurationError(f"workers is {count}; expected at least 1")
    configurations = [variant.configuration(base) for variant in chosen.variants]
    given = releases or Releases()
    with ThreadPoolExecutor(count, "compare") as pool:
        try:
            return [_on_market(market, configurations, chosen, given, pool, progress) for market in markets]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _on_market(
    market: Market,
    configurations: Sequence[Configuration],
    chosen: Plan,
    releases: Releases,
    pool: ThreadPoolExecutor,
    progress: Callable[[str], None] | None,
) -> MarketOutcome:
    facts: list[MarketFacts] = []
    finished: list[list[RunOutcome]] = []
    waiting: list[Future[RunOutcome]] = []

    def finish() -> None:
        if waiting:
            finished.append([each.result() for each in waiting])
            if progress is not None:
                progress(f"{market.name}: run {len(finished)} of {len(market.runs)}")

    for opened in market.runs:
        held = hold(opened())  # while the run before is still deciding
        if len(held.events) == 0:
            raise DataError(f"{market.name}: no events in {held.description}")
        facts.append(facts_of(held.events, held.universe.symbols))
        finish()
        waiting = [
            pool.submit(run_variant, held, configuration, releases.of(variant))
            for variant, configuration in zip(chosen.variants, configurations, strict=True)
        ]
    finish()
    return _joined(market, joined_facts(facts), chosen.variants, finished)


def run_variant(held: HeldEvents, configuration: Configuration, release: Release | None = None) -> RunOutcome:
    """Return what one configuration comes to on one run."""
    path = FusedPath(held.universe, configuration)
    fills, marks = [np.zeros(0, FILL_DTYPE)], [np.zeros(0, MARK_DTYPE)]
    intents, approved, shrunk = 0, 0, 0
    refusals = np.zeros(len(DecisionReason), np.int64)
    for batch in decide(path, held, release, _BATCH):
        output = batch.output
        fills.append(output.fills)
        marks.append(output.marks)
        sent = output.decisions["approved"] == 1
        intents += len(sent)
        approved += int(sent.sum())
        shrunk += int((sent & (output.decisions["size_approved"] < output.decisions["size_wanted"])).sum())
        refusals += np.bincount(output.decisions["reason"][~sent], minlength=len(refusals))
    every_fill, every_mark = np.concatenate(fills), np.concatenate(marks)
    times = held.events["ts_event"]
    days, ends = day_ends(int(times.min()), int(times.max()), held.universe[0].hours)
    rows = day_rows(every_fill, every_mark, held.universe, days, ends)
    is_seen = days_with_events(np.sort(times) if (np.diff(times) < 0).any() else times, ends)
    return RunOutcome(
        rows.reshape(len(days), -1)[is_seen].reshape(-1),
        fall(every_mark, configuration.account.starting_equity_nanos),
        intents,
        approved,
        shrunk,
        {reason: int(refusals[reason]) for reason in DecisionReason if refusals[reason]},
        len(every_fill),
    )


def _joined(
    market: Market, facts: MarketFacts, variants: Sequence[Variant], finished: Sequence[Sequence[RunOutcome]]
) -> MarketOutcome:
    found = {}
    for k, variant in enumerate(variants):
        runs = [outcomes[k] for outcomes in finished]
        rows = np.concatenate([run.rows for run in runs]).reshape(-1, len(Engine))
        refused = [run.refusals for run in runs]
        found[variant.name] = VariantOutcome(
            variant,
            rows,
            chained_fall([run.curve for run in runs]) / _NANOS,
            sum(run.intents for run in runs),
            sum(run.approved for run in runs),
            sum(run.shrunk for run in runs),
            sum(each.get(reason, 0) for each in refused for reason in _CAPS),
            sum(each.get(DecisionReason.DRAWDOWN, 0) for each in refused),
            sum(run.fills for run in runs),
        )
    first = [outcomes[0] for outcomes in finished]
    runs_of_days = np.repeat(np.arange(len(first)), [len(run.rows) // len(Engine) for run in first])
    days = np.concatenate([run.rows["day"] for run in first]).reshape(-1, len(Engine))[:, 0]
    return MarketOutcome(market, facts, runs_of_days, days, found)


def rows_of(outcomes: Sequence[MarketOutcome]) -> dict[str, list[Any]]:
    """Return every day, variant and engine of every market as columns; money in currency units."""
    columns: dict[str, list[Any]] = {name: [] for name in ("market", "run", "variant", "engine", "day")}
    fields = [name for name in DAY_DTYPE.names or () if name not in ("day", "engine")]
    columns.update({name.removesuffix("_nanos"): [] for name in fields})
    for outcome in outcomes:
        for name, each in outcome.variants.items():
            rows = each.rows.reshape(-1)
            columns["market"] += [outcome.market.name] * len(rows)
            columns["run"] += np.repeat(outcome.runs, len(Engine)).tolist()
            columns["variant"] += [name] * len(rows)
            columns["engine"] += [Engine(k).name.lower() for k in rows["engine"].tolist()]
            columns["day"] += rows["day"].astype("M8[D]").tolist()
            for field in fields:
                values = rows[field] / _NANOS if field.endswith("_nanos") else rows[field]
                columns[field.removesuffix("_nanos")] += values.tolist()
    return columns
