"""The report's figures of execution and of who earned what."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.execution.records import DecisionReason, Engine, Liquidity, OrderReason, OrderStatus
from chimera_platform.portfolio.breakdown import breakdown, group_keys, group_metrics
from chimera_platform.portfolio.execution_costs import PARTS, costs_by_trade, fill_costs, order_outcomes
from chimera_platform.simulation.report.formatting import (
    duration,
    grouped_table,
    money,
    number,
    pairs,
    percent,
    section,
    table,
    toned,
    words,
)
from chimera_platform.simulation.report.reported_run import ReportedRun

Array = np.ndarray[Any, Any]
_SHOWN = ("engine", "strategy", "symbol", "session", "regime")
_RATIOS = ("sharpe", "sortino", "calmar")
_HALF_NANOS = 2e9


def attribution_section(run: ReportedRun) -> str:
    """Return who earned what, in parts that add up to the account's profit."""
    costs = costs_by_trade(run.fills, run.trades)
    bodies = []
    for by in _SHOWN:
        frame = breakdown(run.trades, by, run.symbols, run.event_days["day"], run.starting_equity)
        keys, found = group_keys(run.trades, by)
        rows = [
            _attribution_row(str(row["group"]), row, costs[keys == key])
            for key, row in zip(found, frame.iter_rows(named=True), strict=True)
        ]
        bodies.append((f"by {by}", rows))
    everything = group_metrics(run.trades, run.event_days["day"], run.starting_equity)
    head = ("", "trades", "won", "profit factor", "at decision mids", *PARTS, "net", "drawdown", *_RATIOS)
    return section(
        "Who earned what",
        grouped_table(head, bodies, _attribution_row("all", everything, costs)),
        _sum_line(run),
        note="Net = profit at the mids of the decisions − delay − spread − slippage − fees, of all fills of the "
        "group's trades; groups add up to the total, to a billionth of the currency. Session and regime are those of "
        "the entry. Ratios are of the group's profit by day over the starting equity.",
        anchor="attribution",
    )


def _attribution_row(name: str, row: dict[str, Any], costs: Array) -> tuple[str, ...]:
    parts = [int(costs[part].sum()) for part in PARTS]
    at_mids = (2 * row["net_nanos"] + sum(parts)) / _HALF_NANOS
    net = row["net_nanos"] / 1e9
    return (
        words(name),
        number(row["trades"]),
        percent(row["win_rate"]),
        number(row["profit_factor"]),
        money(at_mids),
        *(money(-part / _HALF_NANOS + 0.0) for part in parts),
        toned(net, money(net)),
        money(row["max_drawdown"]),
        *(number(row[name]) for name in _RATIOS),
    )


def _sum_line(run: ReportedRun) -> str:
    m, net = run.metrics, int(run.trades["net_nanos"].sum()) / 1e9
    return (
        f"<p>Realised net {money(net)} + open positions at the last mid {money(m.open_profit + 0.0)} = "
        f"net profit of the account <b>{toned(m.net_profit, money(m.net_profit))}</b>.</p>"
    )


def costs_section(run: ReportedRun) -> str:
    """Return what execution cost, how fast it was, and what was refused."""
    fills, costs = run.fills, fill_costs(run.fills)
    turnover = run.metrics.turnover
    rows = []
    for name, own in (
        ("resting", fills["liquidity"] == Liquidity.MAKER),
        ("taking", fills["liquidity"] == Liquidity.TAKER),
        ("all", np.ones(len(fills), bool)),
    ):
        paid = [int(costs[part][own].sum()) / _HALF_NANOS for part in PARTS]
        value = float(np.abs(fills["cash_nanos"][own] / 1e9).sum())
        bps = sum(paid) / value * 1e4 if value else None
        rows.append((name, number(int(own.sum())), number(int(fills["size"][own].sum())), money(value),
                     *(money(part + 0.0) for part in paid), money(sum(paid) + 0.0), number(bps)))  # fmt: skip
    head = ("fills", "number", "lots", "turnover", *PARTS, "in all", "basis points")
    outcomes = order_outcomes(run.orders)
    taken = fills["liquidity"] == Liquidity.TAKER
    latency = (fills["ts_event"] - fills["ts_sent"])[taken] / 1e9
    lots = int(fills["size"].sum())
    facts = [
        ("orders", number(outcomes["orders"])),
        ("fill ratio, of lots", percent(outcomes["fill_ratio"])),
        ("orders with any fill", percent(outcomes["filled_orders"])),
        ("maker share, of lots", percent(int(fills["size"][~taken].sum()) / lots if lots else None)),
        *_latencies("sent to fill, taking", latency),
        *_latencies("sent to working", _acknowledged(run.orders)),
        ("turnover", money(turnover)),
    ]
    ended = [
        (f"{_status(status)}: {_reason(reason)}", number(count))
        for (status, reason), count in sorted(outcomes["ended"].items(), key=lambda each: -each[1])
    ]
    return section(
        "What execution cost",
        table(head, rows[:-1], rows[-1]),
        f'<div class="columns"><div><h3>Orders</h3>{pairs(facts)}</div>'
        f"<div><h3>Orders not wholly filled</h3>{pairs(ended) if ended else '<p>None.</p>'}</div>"
        f"<div><h3>Intents and decisions</h3>{pairs(_decisions(run))}</div></div>",
        note="Paid is positive, earned negative. Delay: the mid's move from decision to fill. Spread: from the mid at "
        "the fill to the touch, or to the own price where the order rested. Slippage: beyond the touch.",
        anchor="costs",
    )


def _latencies(name: str, seconds: Array) -> list[tuple[str, str]]:
    if len(seconds) == 0:
        return []
    return [(f"{name}, {q:.0%}", duration(float(np.quantile(seconds, q)))) for q in (0.5, 0.95, 0.99)]


def _acknowledged(orders: Array) -> Array:
    new = orders[orders["status"] == OrderStatus.NEW]
    _, first = np.unique(new["order_no"], return_index=True)
    return (new["ts_event"] - new["ts_sent"])[first] / 1e9


def _decisions(run: ReportedRun) -> list[tuple[str, str]]:
    counts = np.bincount(run.decisions["reason"], minlength=len(DecisionReason))
    intents = [(f"intents, {e.name.lower()}", number(int((run.intents["engine"] == e).sum()))) for e in Engine]
    return intents + [(r.name.lower(), number(int(counts[r]))) for r in DecisionReason if counts[r]]


def _status(number_of: int) -> str:
    return OrderStatus(number_of).name.lower()


def _reason(number_of: int) -> str:
    return OrderReason(number_of).name.lower().replace("none", "no reason given")
