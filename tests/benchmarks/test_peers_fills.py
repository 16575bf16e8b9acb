"""Fills compared with the peers': their feed is our market, and each rule that differs is known and makes its case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.conversion import level_updates
from benchmarks.peers.environment import FOLDER
from benchmarks.peers.fills_compare import LATENCY_NS as SCENARIO_LATENCY_NS
from benchmarks.peers.fills_compare import QUEUES, by_order, compare_scenario, differing, fill_scenarios
from benchmarks.peers.fills_examples import (
    EXAMPLES,
    LATENCY_NS,
    Example,
    events_of,
    feed_of,
    in_short,
    level,
    limit,
    market_order,
    script_of,
    trade,
)
from benchmarks.peers.fills_feed import plain_feed
from benchmarks.peers.fills_ours import our_fills, venue_settings
from benchmarks.peers.fills_peers import ScriptPeer, hftbacktest_job, nautilus_job
from benchmarks.peers.fills_records import CANCEL, LEVEL, NEW, TRADE
from benchmarks.peers.fills_rule_run import fills_by_rules
from benchmarks.peers.fills_rules import HFTBACKTEST, NAUTILUS, Rule
from benchmarks.streams import simulator

PYTHON = FOLDER / "bin" / "python"
needs_peers = pytest.mark.skipif(not PYTHON.exists(), reason="the peers' environment is not built: make bench-peers")
MOST = 25_000
by_rule = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.peer}-{example.rule.name}")


@pytest.fixture(scope="module")
def scenarios():
    return list(fill_scenarios(MOST))


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("peers")
    names = {"hftbacktest": "fills_hftbacktest.py", "NautilusTrader": "fills_nautilus.py"}
    started = {name: ScriptPeer(name, PYTHON, script, folder) for name, script in names.items()}
    yield started
    for peer in started.values():
        peer.close()


def test_the_plain_feed_has_every_level_and_every_displayed_trade_in_its_order():
    events = simulator(20_000).events
    events = events[events["instrument_id"] == 0]
    feed = plain_feed(events)
    levels, prints = feed[feed["kind"] == LEVEL], feed[feed["kind"] == TRADE]
    updates = level_updates(events)
    assert np.array_equal(levels["price"], updates["price"]) and np.array_equal(levels["lots"], updates["size"])
    executions = events[events["kind"] == 5]
    assert np.array_equal(prints["lots"], executions["size"]) and np.array_equal(prints["side"], -executions["side"])
    assert (np.diff(feed["ts"]) >= 0).all()
    first = int(np.flatnonzero(feed["kind"] == TRADE)[0])
    assert feed["kind"][first + 1] == LEVEL and feed["price"][first + 1] == feed["price"][first]


def test_a_script_has_one_side_alive_at_a_time_and_cancels_after_the_answer(scenarios):
    for scenario in scenarios:
        new = scenario.script[scenario.script["action"] == NEW]
        cancels = {int(row["order_no"]): int(row["ts"]) for row in scenario.script if row["action"] == CANCEL}
        assert len(new) > 100 and set(new["side"].tolist()) == {1, -1}
        for row in new[np.isin(new["order_no"], list(cancels))]:
            until = cancels[int(row["order_no"])]
            assert until > row["ts"] + 2 * SCENARIO_LATENCY_NS
            alive = new[(new["ts"] > row["ts"]) & (new["ts"] <= until)]
            assert (alive["side"] == row["side"]).all()


@by_rule
def test_our_venue_treats_the_smallest_case_as_the_documentation_says(example):
    feed = feed_of(example)
    fills = our_fills(events_of(feed), script_of(example), venue_settings(example.queue, LATENCY_NS))
    assert in_short(fills) == example.ours


@by_rule
def test_the_rule_alone_makes_the_difference_in_the_smallest_case(example):
    feed, script = feed_of(example), script_of(example)
    assert in_short(fills_by_rules(feed, script, 0, example.queue, LATENCY_NS)) == example.ours
    assert in_short(fills_by_rules(feed, script, example.rule, example.queue, LATENCY_NS)) == example.theirs


@needs_peers
@by_rule
def test_the_peer_treats_the_smallest_case_as_the_documentation_says(example, peers):
    is_nautilus = example.peer == "NautilusTrader"
    job = nautilus_job(LATENCY_NS) if is_nautilus else hftbacktest_job(example.queue, "partial", LATENCY_NS)
    fills, _ = peers[example.peer].run(feed_of(example), script_of(example), **job)
    assert in_short(fills) == example.theirs


def test_every_rule_of_a_peer_has_a_smallest_case_and_a_line_in_the_documentation():
    page = (FOLDER.parent / "docs" / "fills-compared.md").read_text(encoding="utf-8")
    shown = {(example.peer, example.rule) for example in EXAMPLES}
    assert {rule for peer, rule in shown if peer == "hftbacktest"} == set(HFTBACKTEST)
    assert {rule for _, rule in shown} == set(HFTBACKTEST) | set(NAUTILUS) == set(Rule)
    assert [rule.name for rule in Rule if f"`{rule.name}`" not in page] == []


@pytest.mark.parametrize("queue", QUEUES)
def test_rules_written_down_anew_give_every_fill_of_our_venue(scenarios, queue):
    for scenario in scenarios:
        ours = our_fills(scenario.stream.events, scenario.script, venue_settings(queue, SCENARIO_LATENCY_NS))
        again = fills_by_rules(scenario.feed, scenario.script, 0, queue, SCENARIO_LATENCY_NS)
        assert len(ours) > 50
        assert not differing(by_order(ours, sees_levels=True), by_order(again, sees_levels=True))


@needs_peers
@pytest.mark.parametrize("queue", QUEUES)
def test_hftbacktests_fills_are_ours_but_for_the_rules_that_are_named(scenarios, peers, queue):
    for scenario in scenarios:
        exchange = "whole" if scenario.sizes == "one lot" else "partial"
        job = hftbacktest_job(queue, exchange, SCENARIO_LATENCY_NS)
        line = compare_scenario(scenario, peers["hftbacktest"], queue, queue, job, HFTBACKTEST)
        assert line.rules_repeat_peer == line.orders, line
        assert "not explained" not in line.reasons, line
        if line.pnl_peer_account is not None:
            assert line.pnl_peer_account == line.pnl_peer, line
        if line.equal == line.orders:
            assert line.pnl_ours == line.pnl_peer, line


@needs_peers
def test_one_lot_orders_fill_alike_at_hftbacktest_in_at_least_98_of_100(scenarios, peers):
    for scenario in (each for each in scenarios if each.sizes == "one lot"):
        job = hftbacktest_job("risk_averse", "whole", SCENARIO_LATENCY_NS)
        line = compare_scenario(scenario, peers["hftbacktest"], "", "risk_averse", job, HFTBACKTEST)
        assert line.equal >= 0.98 * line.orders, line


@needs_peers
def test_nautilus_fills_are_ours_but_for_the_rules_that_are_named_in_999_of_1000(scenarios, peers):
    lines = [
        compare_scenario(each, peers["NautilusTrader"], "", "risk_averse", nautilus_job(SCENARIO_LATENCY_NS), NAUTILUS)
        for each in scenarios
    ]
    orders = sum(line.orders for line in lines)
    assert sum(line.orders - line.rules_repeat_peer for line in lines) <= 0.001 * orders, lines
    for line in lines:
        assert line.pnl_peer_account == pytest.approx(line.pnl_peer, abs=0.01), line


def unshortened(peers, market, *orders):
    """Run orders on ``market`` at hftbacktest with their whole size; return fills and account."""
    example = Example(Rule.CROSS_FILLS_WHOLE, "hftbacktest", market, orders, (), ())
    job = hftbacktest_job("risk_averse", "partial", LATENCY_NS)
    fills, account = peers["hftbacktest"].run(feed_of(example), script_of(example), **job, short=0.0)
    return in_short(fills), account


@needs_peers
def test_hftbacktests_account_counts_the_last_level_of_a_sweep_alone(peers):
    asks = (level(1, -1, 103, 10, is_last=0), level(1, -1, 104, 10))
    fills, account = unshortened(peers, (level(1, 1, 100, 10, is_last=0), *asks), market_order(2, 1, 15))
    assert fills == ((0, 3, 104, 15),)
    assert (account["position"], account["cash"], account["ended"]) == (5.0, -520.0, 1)


@needs_peers
def test_hftbacktest_ends_with_an_error_at_the_print_after_one_that_filled_an_order_exactly(peers):
    market = (level(1, 1, 100, 10, is_last=0), level(1, -1, 103, 10), trade(10, -1, 101, 2), trade(11, -1, 101, 2))
    fills, account = unshortened(peers, market, limit(2, 1, 101, 2))
    assert fills == ((0, 10, 101, 2),)
    assert account["ended"] == 14
