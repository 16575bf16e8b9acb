"""Invariant: the incremental profiles equal volume by price counted afresh, and their levels the brute-force ones."""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import DataError
from chimera_platform.market.events import EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.volume_profile import (
    PROFILE_BINS,
    ROLLING_BUCKETS,
    VOLUME_PROFILE_DTYPE,
    VolumeProfiles,
    VolumeProfileSettings,
)
from chimera_platform.microstructure.volume_profile_nodes import find_nodes
from tests.reference.event_streams import SECOND, event_streams, make_events
from tests.reference.volume_profile import DAY, histogram, levels

Array = np.ndarray[Any, Any]
GOOG = load_instruments()["GOOG"]
MIDNIGHT = 19_000 * DAY
chosen_settings = st.builds(
    VolumeProfileSettings,
    bin_ticks=st.integers(1, 3),
    bucket_seconds=st.sampled_from([1, 3]),
    value_area_permille=st.sampled_from([300, 700, 1000]),
)


@st.composite
def print_streams(draw: st.DrawFn) -> Array:
    """Prints on few prices over midnight, with silences of all lengths."""
    ts, rows = MIDNIGHT - draw(st.integers(0, 60)) * SECOND, []
    for _ in range(draw(st.integers(1, 40))):
        ts += draw(st.sampled_from([0, SECOND // 2, SECOND, 7 * SECOND, 31 * SECOND, -SECOND]))
        price, size = draw(st.integers(-3, 9)), draw(st.integers(0, 5))
        rows.append({"kind": EventKind.TRADE, "price": price, "size": size, "ts_event": ts})
    return make_events(*rows)


def assert_profile(profiles: VolumeProfiles, which: str, wanted: dict[int, int]) -> None:
    width = profiles.settings.bin_ticks
    prices, lots = profiles.histogram(0, which)
    assert {int(p) // width: int(q) for p, q in zip(prices, lots, strict=True) if q} == wanted
    truth = levels(wanted, profiles.settings.value_area_permille)
    expected = truth and (truth[0] * width, truth[1] * width, truth[2] * width + width - 1, truth[3])
    assert profiles.levels(0, which) == expected


@settings(max_examples=80, deadline=None)
@given(st.one_of(print_streams(), event_streams(start_ns=MIDNIGHT - 20 * SECOND)), chosen_settings)
def test_profiles_and_levels_equal_brute_force_after_every_event(events: Array, chosen: VolumeProfileSettings) -> None:
    profiles, step = VolumeProfiles(Universe([GOOG]), chosen), chosen.bucket_seconds * SECOND
    for n in range(1, len(events) + 1):
        profiles.run(events[n - 1 : n])
        if n % 5 and n != len(events):
            continue
        today = histogram(events[:n], chosen.bin_ticks, lambda ts, now: ts // DAY == now // DAY)
        recent = histogram(events[:n], chosen.bin_ticks, lambda ts, now: ts // step > now // step - ROLLING_BUCKETS)
        assert_profile(profiles, "session", today)
        assert_profile(profiles, "rolling", recent)


@settings(max_examples=30, deadline=None)
@given(print_streams(), st.lists(st.integers(0, 40), max_size=5))
def test_profiles_do_not_depend_on_how_the_stream_is_cut(events: Array, cuts: list[int]) -> None:
    whole, cut = VolumeProfiles(Universe([GOOG])), VolumeProfiles(Universe([GOOG]))
    whole.run(events)
    for begin, end in pairwise(sorted({0, len(events), *(min(c, len(events)) for c in cuts)})):
        cut.run(events[begin:end])
    assert cut.profiles.tobytes() == whole.profiles.tobytes()


def one_print(price: int, ts: int, size: int = 1) -> dict[str, int]:
    return {"kind": EventKind.TRADE, "price": price, "size": size, "ts_event": ts}


def test_the_finished_session_keeps_its_levels_after_midnight() -> None:
    profiles = VolumeProfiles(Universe([GOOG]))
    profiles.run(make_events(one_print(10, MIDNIGHT - 2, 8), one_print(11, MIDNIGHT - 1), one_print(50, MIDNIGHT)))
    assert profiles.levels(0, "finished") == (10, 10, 10, 9)
    assert profiles.levels(0, "session") == (50, 50, 50, 1)
    assert profiles.levels(0, "rolling") == (10, 10, 10, 10)


@pytest.mark.parametrize(
    ("lots", "expected"),
    [
        ((2, 5, 2), (10, 9, 10)),  # both ranges of two bins hold as much: the lower one
        ((2, 5, 3), (10, 10, 11)),  # the upper one holds more
        ((5, 1, 5), (9, 9, 11)),  # two modes: the lower one
    ],
)
def test_ties_of_the_value_area_follow_the_documented_rules(
    lots: tuple[int, ...], expected: tuple[int, int, int]
) -> None:
    profiles = VolumeProfiles(Universe([GOOG]))
    profiles.run(make_events(*(one_print(9 + k, MIDNIGHT, size) for k, size in enumerate(lots))))
    assert profiles.levels(0) == (*expected, sum(lots))


def test_prints_beyond_the_span_are_counted_and_memory_is_bounded() -> None:
    profiles = VolumeProfiles(Universe([GOOG]))
    far = one_print(PROFILE_BINS, MIDNIGHT, 5)
    profiles.run(make_events(one_print(0, MIDNIGHT), one_print(PROFILE_BINS - 1, MIDNIGHT), far))
    assert profiles.profiles["outside"].tolist() == [5]
    assert profiles.histogram(0)[1].sum() == 2
    assert VOLUME_PROFILE_DTYPE.itemsize < 1_000_000


def test_an_unknown_instrument_is_refused() -> None:
    events = make_events({**one_print(1, 0), "instrument_id": 3})
    with pytest.raises(DataError, match="expected 0 to 0"):
        VolumeProfiles(Universe([GOOG])).run(events)


@pytest.mark.real_data
def test_the_profile_of_two_gold_days_holds_every_lot_traded(real_data: Path) -> None:
    published = 0  # of the front contract, from the publisher's own files: the third column is the quantity
    for path in sorted((real_data / "comex/tick/gc").glob("*_trade.zip")):
        with zipfile.ZipFile(path) as archive:
            rows = archive.read(f"{path.name[:8]}_gc_tick_trade_201312.csv").decode().splitlines()
        published += sum(int(float(row.split(",")[2])) for row in rows)
    source = open_source([real_data / "comex/tick"], "comex", load_instruments(), ["GC"])
    profiles, traded, finished = VolumeProfiles(source.universe), {}, []
    for events in source.batches(20_000):
        trades = events[events["kind"] == EventKind.TRADE]
        for day, lots in zip(trades["ts_event"] // DAY, trades["size"], strict=True):
            traded[int(day)] = traded.get(int(day), 0) + int(lots)
        bounds = [0, *(np.flatnonzero(np.diff(events["ts_event"] // DAY)) + 1).tolist(), len(events)]
        for begin, end in pairwise(bounds):
            profiles.run(events[begin:end])
            last = profiles.levels(0, "finished")
            finished += [last] if last and last not in finished else []
    session = profiles.levels(0)
    assert session is not None
    assert [x.volume for x in finished] + [session.volume] == list(traded.values())
    assert sum(traded.values()) == published
    assert int(profiles.profiles["outside"].sum()) == 0
    prices, lots = profiles.histogram(0)
    nodes = find_nodes(prices, lots, draws=199)
    print(f"gold: {traded} lots a UTC day; last session {session}; {len(nodes)} nodes of {len(prices)} bins")
