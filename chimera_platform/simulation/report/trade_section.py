"""The report's list of trades, to be sorted and filtered in the page."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from chimera_platform.portfolio.breakdown import group_names
from chimera_platform.simulation.report.formatting import duration, money, section, time_text
from chimera_platform.simulation.report.reported_run import ReportedRun

Array = np.ndarray[Any, Any]
TRADES_SHOWN = 1_000
_HEAD = (
    "intent", "opened, UTC", "held", "symbol", "side", "lots", "engine", "strategy", "session", "regime", "fees", "net",
    "state",
)  # fmt: skip
_FIGURES = frozenset({"held", "lots", "fees", "net"})


def trades_section(run: ReportedRun) -> str:
    """Return the first trades, and how many there are in all."""
    count, trades = len(run.trades), run.trades[:TRADES_SHOWN]
    head = "".join(f"<th{' class=n' if name in _FIGURES else ''}>{name}</th>" for name in _HEAD)
    names = {by: group_names(trades, by, run.symbols) for by in ("engine", "strategy", "symbol", "session", "regime")}
    rows = "\n".join(_row(trade, {by: each[k] for by, each in names.items()}) for k, trade in enumerate(trades))
    told = f"The first {len(trades):,} of {count:,} trades" if count > len(trades) else f"All {count:,} trades"
    if count == 0:
        return section("Trades", note="None.", anchor="trades-list")
    return section(
        "Trades",
        '<input id="filter" type="search" placeholder="filter, e.g. london long" aria-label="filter the trades">'
        f'<span class="note"><span id="shown">{len(trades):,}</span> shown</span>',
        f'<div class="bounded"><table id="trades"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>',
        note=f"{told}, by the time of opening; click a heading to sort. A trade is all fills of one intent.",
        anchor="trades-list",
    )


def _row(trade: Any, names: dict[str, str]) -> str:
    held = float(trade["ts_close"] - trade["ts_open"]) / 1e9
    net, fees = float(trade["net_nanos"]) / 1e9, float(trade["fees_nanos"]) / 1e9
    tone = "gain" if net > 0 else "loss" if net < 0 else ""
    return (
        f"<tr><td>{trade['intent_no']}</td><td>{time_text(trade['ts_open'])}</td>"
        f'<td class=n data-v="{held}">{duration(held)}</td><td>{html.escape(names["symbol"])}</td>'
        f"<td>{'long' if trade['side'] > 0 else 'short'}</td><td class=n>{trade['size']}</td>"
        + "".join(f"<td>{names[by].replace('_', ' ')}</td>" for by in ("engine", "strategy", "session", "regime"))
        + f'<td class=n data-v="{fees}">{money(fees)}</td><td class="n {tone}" data-v="{net}">{money(net)}</td>'
        f"<td>{'closed' if trade['position'] == 0 else 'open'}</td></tr>"
    )
