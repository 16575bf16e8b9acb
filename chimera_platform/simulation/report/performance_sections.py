"""The report's figures of the account: tiles, metrics, returns by month and by day."""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.portfolio.daily_returns import daily_equity
from chimera_platform.portfolio.event_time import DAY_NS
from chimera_platform.simulation.report.formatting import (
    duration,
    metric,
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
DAYS_SHOWN = 62
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_METRIC_GROUPS = {
    "Profit": (
        "net_profit", "gross_profit", "fees", "open_profit", "final_equity", "return_total", "annual_return",
        "turnover", "turnover_per_day", "capacity",
    ),
    "Trades": (
        "trades", "open_trades", "fills", "win_rate", "profit_factor", "payoff_ratio", "expectancy", "average_trade",
        "average_win", "average_loss", "best_trade", "worst_trade", "winning_streak", "losing_streak",
        "sharpe_per_trade", "average_hold_seconds", "median_hold_seconds", "hold_seconds_95", "longest_hold_seconds",
    ),
    "Risk": (
        "max_drawdown", "max_drawdown_ratio", "max_drawdown_seconds", "max_drawdown_days", "max_drawdown_open",
        "longest_drawdown_seconds", "time_under_water", "time_in_market", "mean_gross_exposure", "max_gross_exposure",
    ),
    "Daily returns": (
        "days", "sharpe", "sortino", "calmar", "volatility", "downside_volatility", "skew", "kurtosis", "daily_var_95",
        "daily_expected_shortfall_95", "tail_ratio", "stability", "best_day", "worst_day", "winning_days",
    ),
}  # fmt: skip


def tiles(run: ReportedRun) -> str:
    """Return the figures that one looks for first."""
    m = run.metrics
    null = run.monte_carlo["null"] or {}
    shown = (
        ("Net profit", toned(m.net_profit, money(m.net_profit))),
        ("Return", toned(m.return_total, percent(m.return_total))),
        ("Deepest drawdown", percent(m.max_drawdown_ratio)),
        ("Sharpe, of days", number(m.sharpe)),
        ("Closed trades", number(m.trades)),
        ("Win rate", percent(m.win_rate)),
        ("Profit factor", number(m.profit_factor)),
        ("p of entries, by chance", number(null.get("p_value"))),
    )
    return (
        '<div class="tiles">'
        + "".join(f"<div><span>{name}</span><b>{text}</b></div>" for name, text in shown)
        + "</div>"
    )


def metrics_section(run: ReportedRun) -> str:
    """Return all metrics in four columns."""
    values = run.metrics.as_dict()
    columns = []
    for title, names in _METRIC_GROUPS.items():
        rows = [(_name(name), _value(name, values[name])) for name in names]
        columns.append(f"<div><h3>{title}</h3>{pairs(rows)}</div>")
    return section(
        "Metrics",
        f'<div class="columns">{"".join(columns)}</div>',
        note="Money in the account's currency. Drawdown on every mark; times are event time, which stands still "
        "between the last event of a day and the next one's first. Capacity is the size multiple at which square-root "
        "impact would eat the profit.",
        anchor="metrics",
    )


def _name(name: str) -> str:
    named = {
        "hold_seconds_95": "hold, 95 % quantile",
        "max_drawdown_open": "max drawdown recovered",
        "max_drawdown_seconds": "max drawdown lasted",
        "longest_drawdown_seconds": "longest drawdown lasted",
    }
    return named.get(name, name.removesuffix("_seconds") if name.endswith("_seconds") else name)


def _value(name: str, value: Any) -> str:
    if name == "max_drawdown_open":
        return "no" if value else "yes"
    if name in ("net_profit", "gross_profit", "open_profit", "average_trade", "best_day", "worst_day", "return_total"):
        return toned(value, metric(name, value))
    return metric(name, value)


def periods_section(run: ReportedRun) -> str:
    """Return the returns by month, and by day where there are not too many days."""
    days = run.event_days["day"]
    if len(days) == 0:
        return section("Returns", note="There were no events.", anchor="returns")
    curve = np.concatenate([[run.starting_equity], daily_equity(run.marks, days, run.starting_equity)])
    parts = [_months(days, curve)]
    if len(days) <= DAYS_SHOWN:
        parts += ["<h3>Days</h3>", _days(run, days, curve)]
    return section(
        "Returns by month",
        *parts,
        note="Change of equity, open positions at their mid, from the end of one period to the end of the next.",
        anchor="returns",
    )


def _months(days: Array, curve: Array) -> str:
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    last = {str(month): k for k, month in enumerate(months)}
    growth, before = {}, curve[0]
    for month, k in last.items():
        growth[month] = curve[k + 1] / before - 1.0
        before = curve[k + 1]
    largest = max(abs(value) for value in growth.values()) or 1.0
    rows = []
    for year in sorted({month[:4] for month in growth}):
        own = [growth.get(f"{year}-{m:02d}") for m in range(1, 13)]
        total = float(np.prod([1.0 + value for value in own if value is not None])) - 1.0
        cells = "".join(_shaded(value, largest) for value in own)
        rows.append(f"<tr><td>{year}</td>{cells}<td class=n><b>{toned(total, percent(total))}</b></td></tr>")
    head = "".join(f"<th class=n>{name}</th>" for name in (*_MONTHS, "year"))
    return f"<table class=months><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _shaded(value: float | None, largest: float) -> str:
    if value is None:
        return "<td class=n></td>"
    tone = "gain" if value > 0 else "loss"
    return f'<td class="n shade" style="--tone:var(--{tone});--much:{abs(value) / largest:.2f}">{percent(value)}</td>'


def _days(run: ReportedRun, days: Array, curve: Array) -> str:
    closed = run.trades[run.trades["position"] == 0]
    closing_day = closed["ts_close"] // DAY_NS
    rows = []
    for k, day in enumerate(days.tolist()):
        own = closed[closing_day == day]
        change = float(curve[k + 1] - curve[k])
        seconds = float(run.event_days["last_ts"][k] - run.event_days["first_ts"][k]) / 1e9
        rows.append(
            (
                str(np.datetime64(day, "D")),
                duration(seconds),
                number(len(own)),
                toned(change, money(change)),
                toned(change, percent(change / curve[k])),
                money(curve[k + 1]),
            )
        )
    return table(("day", "event time", "trades closed", "profit", "return", "equity at the end"), rows)


def settings_section(settings: dict[str, Any]) -> str:
    """Return the settings in force, each section folded."""
    plain = [(name, value) for name, value in settings.items() if not isinstance(value, dict)]
    parts = [pairs((name, _setting(value)) for name, value in plain)] if plain else []
    for name, values in settings.items():
        if isinstance(values, dict):
            content = pairs((key, _setting(value)) for key, value in values.items())
            parts.append(f"<details><summary>{words(name)} ({len(values)})</summary>{content}</details>")
    return section("Settings in force", *parts, anchor="settings")


def _setting(value: Any) -> str:
    return f"<code>{words(str(value)) if isinstance(value, str) else words(repr(value))}</code>"
