"""The audit finds every planted cheat and clears the platform's own path."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration
from chimera_platform.learning.dataset import Split, split
from chimera_platform.market.book import apply_events, new_books
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.simulation.audit import causality
from chimera_platform.simulation.audit.audit import lookahead_findings
from chimera_platform.simulation.audit.comparison import first_difference
from chimera_platform.simulation.audit.control import planted_cheat
from chimera_platform.simulation.audit.cut_points import cut_points
from chimera_platform.simulation.audit.decision_maker import PlatformDecisions
from chimera_platform.simulation.audit.findings import Finding, Verdict
from chimera_platform.simulation.audit.futures import FUTURES
from chimera_platform.simulation.audit.late_start import joined_late, late_starts
from chimera_platform.simulation.audit.learning_leaks import (
    feature_causality,
    label_horizon,
    platform_features,
    platform_labels,
    purged_split,
    training_skew,
)
from chimera_platform.simulation.audit.mids import Mids
from chimera_platform.simulation.audit.moments import SourceEvents
from chimera_platform.simulation.audit.oracle import Oracle
from chimera_platform.simulation.audit.settings import AuditSettings
from chimera_platform.simulation.audit.shifts import shifts
from chimera_platform.simulation.backtest.sweep import HeldEvents, hold
from tests.simulation import audit_cheats as cheats

SETTINGS = AuditSettings(cuts=9, future_events=2_000, shift_ms=(100,))
COUNT = 12_000


@pytest.fixture(scope="module")
def held() -> HeldEvents:
    return hold(open_feed("sim://?symbols=XAUUSD,XAGUSD&seed=7", load_instruments()).source, COUNT)


@pytest.fixture(scope="module")
def honest(held: HeldEvents) -> PlatformDecisions:
    return PlatformDecisions(held.universe, Configuration())


@pytest.fixture(scope="module")
def findings(held: HeldEvents, honest: PlatformDecisions) -> dict[str, Finding]:
    return {f.name: f for f in lookahead_findings(honest, held.events, SETTINGS, seed=7)}


def found_by(cheat: Any, held: HeldEvents) -> dict[str, Verdict]:
    """Return what truncation, other futures, repetition and batch cuts say of a path."""
    events, random = held.events, np.random.default_rng(7)
    whole = cheat.run(events)
    cuts = cut_points(len(events), whole, SETTINGS.cuts, random)
    said = [
        causality.repetition(cheat, events, whole),
        causality.truncation(cheat, events, whole, cuts),
        causality.other_futures(cheat, events, whole, cuts, SETTINGS, 7),
        causality.batch_cuts(cheat, events, whole, SETTINGS, random),
    ]
    assert all(finding.disproves == (finding.verdict is Verdict.FAIL) for finding in said)
    return {finding.name: finding.verdict for finding in said}


def test_the_platforms_own_path_shows_no_lookahead(findings: dict[str, Finding]) -> None:
    assert not [f.name for f in findings.values() if f.disproves or f.verdict is Verdict.FAIL]
    for name in ("repetition", "truncation", "other futures", "planted cheat", "batch cuts"):
        assert findings[name].verdict is Verdict.PASS, findings[name].reason


def test_both_halves_together_are_the_whole_path(held: HeldEvents, honest: PlatformDecisions) -> None:
    apart = honest.execute(held.events, honest.intents(held.events))
    assert first_difference(honest.run(held.events), apart, COUNT) is None


@pytest.mark.parametrize("cheat", [cheats.NextMid, cheats.WholeSample, cheats.DaysRange])
def test_a_path_that_knows_prices_to_come_fails_truncation_and_other_futures(
    cheat: type[Any], held: HeldEvents, honest: PlatformDecisions
) -> None:
    said = found_by(cheat(honest), held)
    assert said["truncation"] is Verdict.FAIL
    assert said["other futures"] is Verdict.FAIL
    assert said["repetition"] is Verdict.PASS


def test_a_path_that_knows_only_when_the_next_event_comes_is_found(held: HeldEvents, honest: PlatformDecisions) -> None:
    said = found_by(cheats.NextPause(honest), held)
    assert said["other futures"] is Verdict.FAIL


def test_fills_at_prices_of_later_events_are_found_behind_honest_decisions(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    cheat = cheats.BestOfTheNextFills(honest)
    whole = cheat.run(held.events)
    cuts = cut_points(COUNT, whole, SETTINGS.cuts, np.random.default_rng(7))
    finding = causality.truncation(cheat, held.events, whole, cuts)
    assert finding.verdict is Verdict.FAIL
    assert finding.table is not None
    assert {row[3] for row in finding.table.rows} == {"fills"}


def test_a_path_that_sees_the_rest_of_its_batch_fails_the_batch_cuts(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    assert found_by(cheats.BatchPeeker(honest), held)["batch cuts"] is Verdict.FAIL


def test_a_path_that_forgets_at_every_batch_fails_the_batch_cuts_alone(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    said = found_by(cheats.Forgetful(honest), held)
    assert said.pop("batch cuts") is Verdict.FAIL
    assert set(said.values()) == {Verdict.PASS}


def test_a_path_with_state_left_over_from_the_last_run_is_not_repeatable(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    cheat = cheats.LeftOver(honest)
    finding = causality.repetition(cheat, held.events, cheat.run(held.events))
    assert finding.verdict is Verdict.FAIL
    assert finding.disproves


def test_a_difference_is_told_with_event_table_field_and_values(held: HeldEvents, honest: PlatformDecisions) -> None:
    whole = honest.run(held.events)
    orders = whole.orders.copy()
    row = len(orders) // 2
    orders["price"][row] += 1
    difference = first_difference(whole, whole._replace(orders=orders), COUNT)
    assert difference is not None
    assert (difference.table, difference.field) == ("orders", "price")
    assert difference.event_no == orders["event_no"][row]
    assert int(difference.found) == int(difference.expected) + 1
    assert first_difference(whole, whole._replace(orders=orders), int(orders["event_no"][row])) is None


def test_a_missing_row_is_a_difference(held: HeldEvents, honest: PlatformDecisions) -> None:
    whole = honest.run(held.events)
    difference = first_difference(whole, whole._replace(fills=whole.fills[:-1]), COUNT)
    assert difference is not None
    assert (difference.table, difference.field) == ("fills", "row")
    first = int(whole.intents["event_no"][0])
    difference = first_difference(whole._replace(intents=whole.intents[1:]), whole, COUNT)
    assert difference == (first, "intents", "row", "none", "a row")


def test_without_decisions_the_control_says_that_nothing_could_show(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    finding = planted_cheat(honest, held.events[:2], SETTINGS, 7)
    assert finding.verdict is Verdict.SKIP
    assert "nothing in which a cheat could show" in finding.reason


def test_the_control_warns_where_a_check_does_not_find_it(
    held: HeldEvents, honest: PlatformDecisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(*_: object) -> Finding:
        return causality.truncation(honest, held.events, honest.run(held.events), [10])

    monkeypatch.setattr("chimera_platform.simulation.audit.control.truncation", blind)
    finding = planted_cheat(honest, held.events, SETTINGS, 7)
    assert finding.verdict is Verdict.WARN
    assert "truncation did not find" in finding.reason


def test_an_edge_that_one_event_takes_away_is_a_warning(held: HeldEvents, honest: PlatformDecisions) -> None:
    events = held.events
    mids = Mids(held.universe, events)
    cheat = cheats.NextMid(honest)
    near = SETTINGS.model_copy(update={"edge_horizon_ms": 200})
    said, _ = shifts(cheat, events, cheat.run(events), mids, near)
    assert said.verdict is Verdict.WARN
    assert said.number > 50.0
    assert shifts(honest, events, honest.run(events), mids, SETTINGS)[0].verdict is Verdict.PASS


def test_an_edge_near_perfect_foresight_is_too_good_to_be_true(held: HeldEvents, honest: PlatformDecisions) -> None:
    events, mids = held.events, Mids(held.universe, held.events)
    cheat = Oracle(honest, by_ns=SETTINGS.edge_horizon_ms * 1_000_000)
    _, said = shifts(cheat, events, cheat.run(events), mids, SETTINGS)
    assert said.verdict is Verdict.WARN
    assert said.number > 95.0
    _, said = shifts(honest, events, honest.run(events), mids, SETTINGS)
    assert said.verdict is Verdict.PASS


def test_the_oracle_in_the_table_of_shifts_has_the_largest_edge(findings: dict[str, Finding]) -> None:
    table = findings["delay"].table
    assert table is not None
    edge = {row[0]: row[2] for row in table.rows}
    control = next(name for name in edge if name.startswith("control"))
    assert edge[control] > edge["as decided"]
    assert edge[control] > edge["1 event later"]


def test_moving_decisions_by_nothing_leaves_them_and_by_events_counts_the_instruments_own(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    intents = honest.intents(held.events)
    sources = SourceEvents(held.universe, held.events)
    assert sources.moved(intents).tobytes() == intents.tobytes()
    later = sources.moved(intents, by_events=3)
    back = sources.moved(later, by_events=-3)
    kept = np.isin(intents["event_no"], back["event_no"])
    assert np.array_equal(np.sort(back["event_no"]), np.sort(intents["event_no"][kept]))
    assert (later["ts_event"] == held.events["ts_event"][later["event_no"]]).all()
    assert (held.events["instrument_id"][later["event_no"]] == later["instrument_id"]).all()
    slow = sources.moved(intents, by_ns=50_000_000)
    assert len(slow) <= len(intents)
    assert (np.sort(slow["ts_event"])[: len(slow)] >= np.sort(intents["ts_event"])[: len(slow)] + 50_000_000).all()


def test_a_stream_joined_late_starts_from_the_same_book(held: HeldEvents) -> None:
    late = joined_late(held.universe, held.events, 0.3)
    assert late is not None
    whole, part = new_books(2), new_books(2)
    apply_events(whole, held.events[: late.start].copy())
    apply_events(part, late.events[: late.snapshots].copy())
    for name in ("bid_count", "ask_count", "halted", "closed", "gap"):
        assert np.array_equal(whole[name], part[name]), name
    for k, side in itertools.product((0, 1), ("bid", "ask")):
        count = int(whole[f"{side}_count"][k])
        assert count > 10
        for name in (f"{side}_price", f"{side}_size"):
            assert np.array_equal(whole[name][k][:count], part[name][k][:count]), (k, name)
    assert np.array_equal(late.events[late.snapshots :], held.events[late.start :])


def test_late_starts_name_the_engine_that_remembers_longest(findings: dict[str, Finding]) -> None:
    finding = findings["late start"]
    assert finding.table is not None
    longest = max(max(row[-3:]) for row in finding.table.rows)
    assert finding.number == pytest.approx(longest)
    memory = findings["feature memory"]
    assert memory.table is not None
    by_name = {row[0]: row[1:] for row in memory.table.rows}
    assert max(by_name["mid"]) == 0.0
    assert min(by_name["cumulative_delta"]) == float("inf")


def test_a_path_that_counts_from_the_start_never_settles_and_one_without_memory_does_at_once(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    said = {}
    for path in (cheats.EverySecond(honest), cheats.Memoryless(honest)):
        whole = path.run(held.events)
        assert len(whole.intents) > 50
        said[type(path)] = late_starts(path, held.events, whole, SETTINGS)[0]
    assert said[cheats.EverySecond].verdict is Verdict.WARN
    assert said[cheats.Memoryless].verdict is Verdict.PASS
    assert said[cheats.Memoryless].number == 0.0


# ---- features and labels ----------------------------------------------------------------------------------------


def test_features_and_labels_of_the_platform_know_no_future(held: HeldEvents, honest: PlatformDecisions) -> None:
    events, whole = held.events, honest.run(held.events)
    make, labels = platform_features(held.universe), platform_labels(held.universe)
    quotes, end_ns = Mids(held.universe, events).quotes, int(events["ts_event"][-1])
    random = np.random.default_rng(7)
    assert feature_causality(make, events, [1_000, 5_001], SETTINGS, 7).verdict is Verdict.PASS
    assert training_skew(make, events, whole).verdict is Verdict.PASS
    assert label_horizon(labels, whole, quotes, end_ns, SETTINGS, random).verdict is Verdict.PASS
    assert purged_split(whole, labels(whole.intents, quotes, end_ns)).verdict is Verdict.PASS


@pytest.mark.parametrize("cheat", [cheats.centred, cheats.standardised])
def test_features_that_use_later_rows_fail(cheat: Any, held: HeldEvents) -> None:
    make = cheat(platform_features(held.universe))
    finding = feature_causality(make, held.events[:6_000], [1_000, 3_001], SETTINGS, 7)
    assert finding.verdict is Verdict.FAIL
    assert finding.disproves


def test_features_that_training_recomputes_otherwise_fail_with_their_name(
    held: HeldEvents, honest: PlatformDecisions
) -> None:
    whole = honest.run(held.events)
    intents = whole.intents.copy()
    intents["features"][3, 1] += 1e-9
    finding = training_skew(platform_features(held.universe), held.events, whole._replace(intents=intents))
    assert finding.verdict is Verdict.FAIL
    assert (finding.number, "spread" in finding.reason) == (1.0, True)


def test_labels_that_look_beyond_their_horizon_fail(held: HeldEvents, honest: PlatformDecisions) -> None:
    whole = honest.run(held.events)
    quotes, end_ns = Mids(held.universe, held.events).quotes, int(held.events["ts_event"][-1])
    make = cheats.beyond_horizon(platform_labels(held.universe))
    finding = label_horizon(make, whole, quotes, end_ns, SETTINGS, np.random.default_rng(7))
    assert finding.verdict is Verdict.FAIL
    assert finding.disproves


def test_a_split_without_purging_fails(held: HeldEvents, honest: PlatformDecisions) -> None:
    whole = honest.run(held.events)
    quotes, end_ns = Mids(held.universe, held.events).quotes, int(held.events["ts_event"][-1])
    labels = platform_labels(held.universe)(whole.intents, quotes, end_ns)

    def unpurged(examples: Any) -> Split:
        middle, end = len(examples) // 3, 2 * len(examples) // 3
        return Split(examples[:middle], examples[middle:end], examples[end:])

    assert purged_split(whole, labels, unpurged).verdict is Verdict.FAIL
    assert purged_split(whole, labels, split).verdict is Verdict.PASS


# ---- cuts and futures -------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 3_999), future=st.sampled_from(["none", *FUTURES]), seed=st.integers(0, 2**32 - 1))
def test_wherever_the_stream_is_cut_the_past_decides_the_same(
    cut: int, future: str, seed: int, held: HeldEvents, honest: PlatformDecisions
) -> None:
    """Invariant: rows of events before a cut do not depend on what comes from the cut on."""
    events = held.events[:4_000]
    changed = events[:cut]
    if future != "none":
        changed = FUTURES[future](events, cut, np.random.default_rng(seed))
        assert changed[:cut].tobytes() == events[:cut].tobytes()
    assert first_difference(honest.run(events), honest.run(changed), cut) is None


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, COUNT - 1), seed=st.integers(0, 2**32 - 1))
def test_other_futures_are_other_and_still_in_order(cut: int, seed: int, held: HeldEvents) -> None:
    """Invariant: the past is untouched, time ascends, prices stay above 0, and something is different."""
    for name, future in FUTURES.items():
        changed = future(held.events, cut, np.random.default_rng(seed))
        assert changed[:cut].tobytes() == held.events[:cut].tobytes()
        assert (np.diff(changed["ts_event"]) >= np.minimum(np.diff(held.events["ts_event"]).min(), 0)).all()
        assert changed["price"][cut:].min(initial=1) >= 0
        if cut < COUNT - 50:
            assert changed.tobytes() != held.events.tobytes(), name


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.integers(2, COUNT), count=st.integers(3, 40), seed=st.integers(0, 2**32 - 1))
def test_cuts_are_distinct_inside_the_stream_and_fall_behind_decisions(
    events: int, count: int, seed: int, held: HeldEvents, honest: PlatformDecisions
) -> None:
    """Invariant: as many distinct cuts as asked for or possible, each with a past and a future."""
    whole = honest.run(held.events)
    cuts = cut_points(events, whole, count, np.random.default_rng(seed))
    assert cuts == sorted(set(cuts))
    assert len(cuts) == min(count, events - 1)
    assert all(1 <= cut < events for cut in cuts)
    behind = set((whole.intents["event_no"] + 1).tolist())
    possible = len([cut for cut in behind if cut < events])
    assert len(behind & set(cuts)) >= min(count // 3, possible)


def test_an_empty_or_single_event_stream_has_nothing_to_cut(held: HeldEvents, honest: PlatformDecisions) -> None:
    whole = honest.run(held.events[:1])
    assert cut_points(1, whole, 5, np.random.default_rng(1)) == []
    assert causality.truncation(honest, held.events[:1], whole, []).verdict is Verdict.SKIP
