"""Invariant: unpacking gives back the very bytes, whatever the size and however empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.errors import DataError
from chimera_platform.state_packing import pack_state, unpack_state

RECORD = np.dtype([("counter", "<i8"), ("ring", "<f8", (200,)), ("side", "i1"), ("flag", "u1", (3,))])


@settings(deadline=None)
@given(st.integers(0, 3), st.dictionaries(st.integers(0, 3 * RECORD.itemsize - 1), st.integers(0, 255), max_size=40))
def test_a_packed_state_comes_back_byte_for_byte(rows: int, content: dict[int, int]) -> None:
    state = np.zeros(rows, RECORD)
    for at, value in content.items():
        if at < state.nbytes:
            state.view(np.uint8).reshape(-1)[at] = value
    other = np.ones(rows, RECORD)
    unpack_state(pack_state(state), other)
    assert other.tobytes() == state.tobytes()


def test_nan_and_negative_zero_survive() -> None:
    state = np.zeros(1, RECORD)
    state["ring"][0, :3] = np.nan, -0.0, 1e-300
    other = np.zeros(1, RECORD)
    unpack_state(pack_state(state), other)
    assert other.tobytes() == state.tobytes()


def test_an_empty_state_packs_into_its_map_alone() -> None:
    assert len(pack_state(np.zeros(64_000, np.int64))) == 64_000 // 8


@pytest.mark.parametrize("cut", [1, 8, 800])
def test_a_state_of_something_else_is_refused_and_changes_nothing(cut: int) -> None:
    packed = pack_state(np.ones(100, np.int64))
    target = np.full(100, 5)
    with pytest.raises(DataError, match="packed state"):
        unpack_state(packed[:-cut], target)
    assert (target == 5).all()
