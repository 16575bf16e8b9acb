"""The same orders on the same events, here and at the peers: which fills are equal, and why the others are not."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.environment import PeersEnvironment
from benchmarks.peers.fills_feed import plain_feed
from benchmarks.peers.fills_ours import our_fills, venue_settings
from benchmarks.peers.fills_peers import ScriptPeer, hftbacktest_job, nautilus_job
from benchmarks.peers.fills_records import CANCEL, TRADE
from benchmarks.peers.fills_rule_run import fills_by_rules
from benchmarks.peers.fills_rules import HFTBACKTEST, NAUTILUS, Rule
from benchmarks.peers.fills_script import ScriptPlan, draw_script
from benchmarks.streams import EventStream, recorded, simulator

Array = np.ndarray[Any, Any]
LATENCY_NS = 1_000_000
QUEUES = ("risk_averse", "power:2", "power:3", "log")
_ORDERS, _SEED = 500, 11
_MOST_RULES = 3  # looked for together as the reasons of one order
_NANOS = 1_000_000_000

_Fills = dict[int, list[tuple[int, int, int]]]


@dataclass(frozen=True)
class Scenario:
    """A market and a script.

    Attributes
    ----------
    stream : events of one instrument.
    feed : the same market, plain.
    script : SCRIPT_DTYPE.
    sizes : ``one lot`` (no two orders at a price) or ``up to N lots``.
    """

    stream: EventStream
    feed: Array
    script: Array
    sizes: str

    @property
    def orders(self) -> int:
        """How many orders are sent."""
        return int((self.script["action"] != CANCEL).sum())


@dataclass
class Compared:
    """One line of the comparison; money in the instrument's currency, at the last mid.

    ``pnl_peer`` is that of the peer's fills. hftbacktest tells of a sweep the last price alone: where our notes of its
    rules give all that it tells, the prices are those of the notes.
    """

    stream: str
    sizes: str
    peer: str
    model: str
    orders: int
    filled: int
    equal: int
    reasons: dict[str, int] = field(default_factory=dict)
    pnl_ours: float = 0.0
    pnl_peer: float = 0.0
    pnl_peer_account: float | None = None
    rules_repeat_ours: bool = True
    rules_repeat_peer: int = 0  # orders of which our notes of the peer's rules give its fills


def fill_scenarios(most: int) -> Iterator[Scenario]:
    """Yield the comparison's scenarios: order-level, level-and-trade and simulated data, small and larger orders."""
    for stream in (recorded("lobster_goog", most), recorded("binance_btcusdt", most), simulator(most)):
        if stream is None:
            continue
        events = _first_session(stream.events[stream.events["instrument_id"] == 0])
        feed = plain_feed(events)
        larger = int(2 * np.median(feed["lots"][feed["kind"] == TRADE]))
        stream = replace(stream, events=events)
        for sizes, lots in (("one lot", 1), (f"up to {larger} lots", larger)):
            plan = ScriptPlan(_ORDERS, lots, lots == 1, 2 * LATENCY_NS, _SEED)
            yield Scenario(stream, feed, draw_script(events, plan), sizes)


def _first_session(events: Array) -> Array:
    """Return the events up to the second time that the book is cleared: peers know no sessions."""
    clears = np.flatnonzero(events["kind"] == 9)
    return events[: clears[1]] if len(clears) > 1 else events


def by_order(fills: Array, *, sees_levels: bool) -> _Fills:
    """Return each order's fills as (ts, price, lots).

    Parameters
    ----------
    sees_levels : False: an order's fills of one time are one, at the last price, which is what hftbacktest tells.
    """
    out: dict[int, dict[Any, list[int]]] = {}
    for order_no, ts, price, lots, _ in fills.tolist():
        known = out.setdefault(order_no, {}).setdefault((ts, price) if sees_levels else ts, [ts, price, 0])
        known[1], known[2] = price, known[2] + lots
    return {order: [(ts, price, lots) for ts, price, lots in each.values()] for order, each in out.items()}


def differing(one: _Fills, other: _Fills) -> set[int]:
    """Return the orders whose fills are not the same."""
    return {order for order in one.keys() | other.keys() if one.get(order) != other.get(order)}


class Explanation:
    """Runs a scenario under sets of rules, each once.

    Parameters
    ----------
    scenario, queue : what is run.
    rules : the peer's.
    sees_levels : as :func:`by_order`.
    """

    def __init__(self, scenario: Scenario, queue: str, rules: Sequence[Rule], *, sees_levels: bool) -> None:
        self._scenario, self._queue, self._rules, self._sees = scenario, queue, rules, sees_levels
        self._known: dict[int, _Fills] = {}

    def under(self, rules: Sequence[Rule]) -> _Fills:
        """Return the fills under ``rules``."""
        mask = sum(rules)
        if mask not in self._known:
            fills = fills_by_rules(self._scenario.feed, self._scenario.script, mask, self._queue, LATENCY_NS)
            self._known[mask] = by_order(fills, sees_levels=self._sees)
        return self._known[mask]

    def reasons(self, theirs: _Fills, orders: set[int]) -> dict[str, int]:
        """Return how many of ``orders`` each smallest set of rules turns into the peer's."""
        found: Counter[str] = Counter()
        pending = set(orders)
        ours, all_on = self.under(()), self.under(self._rules)
        relevant = [
            rule
            for rule in self._rules
            if self.under((rule,)) != ours or self.under([r for r in self._rules if r != rule]) != all_on
        ]
        subsets = [s for n in range(1, _MOST_RULES + 1) for s in itertools.combinations(relevant, n)]
        for subset in [*subsets, tuple(self._rules)]:
            if not pending:
                break
            given = self.under(subset)
            explained = {order for order in pending if given.get(order) == theirs.get(order)}
            name = " + ".join(rule.name or "" for rule in subset) if len(subset) <= _MOST_RULES else "more than three"
            found[name] += len(explained)
            pending -= explained
        found["not explained"] += len(pending)
        return {name: count for name, count in found.most_common() if count}


def compare_scenario(
    scenario: Scenario, peer: ScriptPeer, model: str, queue: str, job: dict[str, Any], rules: Sequence[Rule]
) -> Compared:
    """Run ``scenario`` here and at ``peer`` and say what differs."""
    sees_levels = peer.name != "hftbacktest"
    fills = our_fills(scenario.stream.events, scenario.script, venue_settings(queue, LATENCY_NS))
    their_fills, account = peer.run(scenario.feed, scenario.script, **job)
    ours, theirs = (by_order(each, sees_levels=sees_levels) for each in (fills, their_fills))
    explanation = Explanation(scenario, queue, rules, sees_levels=sees_levels)
    apart = differing(ours, theirs)
    shows_account = job.get("exchange") != "partial"
    noted = fills_by_rules(scenario.feed, scenario.script, sum(rules), queue, LATENCY_NS)
    unlike = differing(by_order(noted, sees_levels=sees_levels), theirs)
    return Compared(
        stream=scenario.stream.name,
        sizes=scenario.sizes,
        peer=peer.version,
        model=model,
        orders=scenario.orders,
        filled=len(ours),
        equal=scenario.orders - len(apart),
        reasons=explanation.reasons(theirs, apart),
        pnl_ours=_pnl(scenario, *_totals(scenario, fills)),
        pnl_peer=_pnl(scenario, *_totals(scenario, their_fills if sees_levels or unlike else noted)),
        pnl_peer_account=_pnl(scenario, account["position"], account["cash"]) if shows_account else None,
        rules_repeat_ours=not differing(explanation.under(()), ours),
        rules_repeat_peer=scenario.orders - len(unlike),
    )


def _totals(scenario: Scenario, fills: Array) -> tuple[float, float]:
    """Return position (lots) and cash (ticks × lots)."""
    new = scenario.script[scenario.script["action"] != CANCEL]
    sides = np.zeros(int(new["order_no"].max()) + 1, np.int64)
    sides[new["order_no"]] = new["side"]
    signed = sides[fills["order_no"]] * fills["lots"]
    return int(signed.sum()), -int((signed * fills["price"]).sum())


def _pnl(scenario: Scenario, position: float, cash: float) -> float:
    """Return profit (currency, to the cent) at the last mid."""
    levels = scenario.feed[scenario.feed["kind"] != TRADE]
    touches = []
    for side, best in ((1, max), (-1, min)):
        shown = {int(row["price"]): int(row["lots"]) for row in levels[levels["side"] == side]}
        touches.append(best(price for price, lots in shown.items() if lots > 0))
    ticks = cash + position * sum(touches) / 2
    value = int(scenario.stream.universe.records["tick_value_nanos"][0])
    return round(ticks * value / _NANOS, 2)


def compare_fills(environment: PeersEnvironment, most: int, progress: Callable[[str], None]) -> list[Compared]:
    """Compare all scenarios with all peers that are there."""
    lines: list[Compared] = []
    with tempfile.TemporaryDirectory(prefix="chimera-fills-") as folder:
        hft = ScriptPeer("hftbacktest", environment.python, "fills_hftbacktest.py", Path(folder))
        peers = [hft]
        if "NautilusTrader" not in environment.left_out:
            peers.append(ScriptPeer("NautilusTrader", environment.python, "fills_nautilus.py", Path(folder)))
        try:
            for scenario in fill_scenarios(most):
                progress(f"fills on {scenario.stream.name}: {scenario.orders} orders of {scenario.sizes}")
                exchange = "whole" if scenario.sizes == "one lot" else "partial"
                for queue in QUEUES:
                    job = hftbacktest_job(queue, exchange, LATENCY_NS)
                    lines.append(compare_scenario(scenario, hft, f"{queue}, {exchange}", queue, job, HFTBACKTEST))
                for peer in peers[1:]:
                    job = nautilus_job(LATENCY_NS)
                    lines.append(compare_scenario(scenario, peer, "queue position", QUEUES[0], job, NAUTILUS))
        finally:
            for peer in peers:
                peer.close()
    return lines


def show_fills(lines: Sequence[Compared]) -> None:
    """Print the comparison."""
    print("\nFills of the same orders on the same events, latency 1 ms each way; money at the last mid")
    print(f"{'':<78} {'orders':>6} {'equal':>6}   P&L ours / peer's fills / peer's account")
    for line in lines:
        account = "-" if line.pnl_peer_account is None else f"{line.pnl_peer_account:,.2f}"
        what = f"{line.stream:<15} {line.sizes:<15} {line.peer:<24} {line.model:<21}"
        money = f"{line.pnl_ours:,.2f} / {line.pnl_peer:,.2f} / {account}"
        print(f"{what} {line.orders:>6} {line.equal:>6}   {money}")
        for reason, count in line.reasons.items():
            print(f"{count:>84} × {reason}")
    repeated, orders = sum(line.rules_repeat_ours for line in lines), sum(line.orders for line in lines)
    theirs = sum(line.rules_repeat_peer for line in lines)
    print(f"Rules written down anew give our fills in {repeated} of {len(lines)} runs,", end=" ")
    print(f"the peers' fills of {theirs:,} of {orders:,} orders")
