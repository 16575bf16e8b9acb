"""Our simulated exchange trades a script of orders."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.fills_records import CANCEL, FILL_DTYPE
from chimera_platform.execution.records import Liquidity
from chimera_platform.execution.reports import ReportKind
from chimera_platform.simulation.exchange.order_script import ScriptAction, empty_script, run_script_on_events
from chimera_platform.simulation.exchange.settings import QueueModel, SelfTradePrevention, VenueSettings

Array = np.ndarray[Any, Any]
_QUEUES = {
    "risk_averse": QueueModel.RISK_AVERSE,
    "power": QueueModel.PROBABILISTIC,
    "log": QueueModel.LOGARITHMIC,
    "exact": QueueModel.EXACT,
}


def venue_settings(queue: str, latency_ns: int, **changes: Any) -> VenueSettings:
    """Return our venue without what no peer has: no impact, no protection, no refusals.

    Parameters
    ----------
    queue : ``risk_averse``, ``power:N``, ``log`` or ``exact``.
    latency_ns : of orders, cancels and reports alike, ns.
    """
    model, _, power = queue.partition(":")
    chosen: dict[str, Any] = {
        "order_latency_ns": latency_ns,
        "report_latency_ns": latency_ns,
        "queue_model": _QUEUES[model],
        "queue_power": float(power or 2.0),
        "max_walk_levels": 64,
        "protection_ppm": 1_000_000,
        "impact_coefficient": 0.0,
        "self_trade_prevention": SelfTradePrevention.NONE,
    }
    return VenueSettings(**(chosen | changes))


def our_fills(events: Array, script: Array, settings: VenueSettings) -> Array:
    """Return the fills (FILL_DTYPE, in order of time) of ``script`` on ``events``, EVENT_DTYPE of one instrument."""
    rows = empty_script(len(script))
    for name in ("ts", "price", "size", "order_type", "time_in_force", "side"):
        rows[name] = script[name]
    rows["id"] = script["order_no"]
    rows["action"] = np.where(script["action"] == CANCEL, int(ScriptAction.CANCEL), int(ScriptAction.NEW))
    reports = run_script_on_events([events], int(events["instrument_id"][0]), settings, rows)
    trades = reports[reports["kind"] == int(ReportKind.TRADE)]
    fills = np.zeros(len(trades), FILL_DTYPE)
    fills["order_no"], fills["ts"] = trades["order_no"], trades["ts_venue"]
    fills["price"], fills["lots"] = trades["price"], trades["lots"]
    fills["is_maker"] = trades["liquidity"] == int(Liquidity.MAKER)
    return fills
