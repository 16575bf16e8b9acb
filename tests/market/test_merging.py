"""Invariant: merging equals a stable sort by (time, stream), and batches do not depend on the chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chimera_platform.market.events import EVENT_DTYPE
from chimera_platform.market.merging import merge_streams, rebatch

cut_streams = st.lists(
    st.tuples(st.lists(st.integers(0, 6), max_size=30).map(sorted), st.integers(1, 5)), min_size=1, max_size=4
)


def stream_events(times: list[int], instrument_id: int) -> np.ndarray[Any, Any]:
    events = np.zeros(len(times), EVENT_DTYPE)
    events["ts_event"] = times
    events["instrument_id"] = instrument_id
    events["seq"] = np.arange(len(times))
    return events


def cut(events: np.ndarray[Any, Any], size: int) -> Any:
    return iter([events[i : i + size] for i in range(0, len(events), size)])


@given(cut_streams)
def test_merged_streams_are_sorted_by_time_then_stream_then_place(streams: list[tuple[list[int], int]]) -> None:
    all_events = [stream_events(times, i) for i, (times, _) in enumerate(streams)]
    merged = list(merge_streams([cut(e, size) for e, (_, size) in zip(all_events, streams, strict=True)]))
    rows = [tuple(r) for chunk in merged for r in chunk.tolist()]
    ordered = np.concatenate(all_events)
    assert rows == [tuple(r) for r in ordered[np.argsort(ordered["ts_event"], kind="stable")].tolist()]


@given(st.integers(0, 40), st.integers(1, 7), st.integers(1, 9), st.integers(0, 45))
def test_batches_have_one_size_and_begin_where_asked(count: int, chunk: int, batch_size: int, start: int) -> None:
    events = stream_events(list(range(count)), 0)
    batches = list(rebatch(cut(events, chunk), batch_size, start))
    assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert all(0 < len(b) <= batch_size for b in batches)
    assert [t for b in batches for t in b["ts_event"].tolist()] == list(range(start, count))


def test_a_long_single_instant_does_not_hold_up_the_merge() -> None:
    early = stream_events([5] * 50, 0)
    late = stream_events([5] * 3 + [6] * 3, 1)
    merged = np.concatenate(list(merge_streams([cut(early, 4), cut(late, 2)])))
    assert merged["instrument_id"].tolist() == [0] * 50 + [1] * 6
