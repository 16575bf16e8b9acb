"""Snapshots of large, mostly empty states: only the words that are not zero, and where they stand.

A symbol's windows, tables and histograms are sized for the busiest market; what a quiet one uses of them is little.
Packing costs one pass over memory, far less than a general compressor, and a snapshot is taken every second.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chimera_platform.errors import DataError
from chimera_platform.kernels import kernel

_WORD = 8  # bytes


@kernel
def _pack(words: Any, bitmap: Any, used: Any) -> int:
    """Copy the words that are not zero to ``used``, set their bits; return how many there are."""
    count = 0
    for block in range(bitmap.shape[0]):
        bits = np.uint64(0)
        first = 64 * block
        for k in range(min(64, words.shape[0] - first)):
            if words[first + k] != 0:
                bits |= np.uint64(1) << np.uint64(k)
                used[count] = words[first + k]
                count += 1
        bitmap[block] = bits
    return count


@kernel
def _unpack(bitmap: Any, used: Any, words: Any) -> int:
    """Put the words back; return how many were taken from ``used``, or -1 where there are too few."""
    count = 0
    for k in range(words.shape[0]):
        words[k] = 0
        if bitmap[k >> 6] >> np.uint64(k & 63) & np.uint64(1):
            if count == used.shape[0]:
                return -1
            words[k] = used[count]
            count += 1
    return count


def pack_state(state: np.ndarray[Any, Any]) -> bytes:
    """Return a contiguous array's bytes without its zero words; equal exactly for equal contents."""
    raw = state.view(np.uint8).reshape(-1)
    words = np.zeros(-(-raw.size // _WORD), np.int64)
    words.view(np.uint8)[: raw.size] = raw
    bitmap, used = np.empty(-(-words.size // 64), np.uint64), np.empty(words.size, np.int64)
    count = _pack(words, bitmap, used)
    return bitmap.tobytes() + used[:count].tobytes()


def unpack_state(packed: bytes, state: np.ndarray[Any, Any]) -> None:
    """Put what :func:`pack_state` returned back into an array of the same dtype and shape.

    Raises
    ------
    DataError
        If it was packed from something else; ``state`` is unchanged then.
    """
    size = state.nbytes
    words = np.empty(-(-size // _WORD), np.int64)
    blocks = -(-words.size // 64)
    if len(packed) % _WORD or len(packed) < _WORD * blocks:
        raise DataError(f"packed state of {len(packed)} bytes; expected one of an array of {size} bytes")
    content = np.array(np.frombuffer(packed, np.int64))
    bitmap, used = content[:blocks].view(np.uint64), content[blocks:]
    taken = _unpack(bitmap, used, words)
    if taken != used.size:
        raise DataError(f"packed state holds {used.size} words of another count than its map; array of {size} bytes")
    state.view(np.uint8).reshape(-1)[:] = words.view(np.uint8)[:size]
