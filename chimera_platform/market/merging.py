"""Several streams become one, and chunks of any size become batches of one size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chimera_platform.market.events import EVENT_DTYPE

Chunks = Iterator[np.ndarray[Any, Any]]


def merge_streams(streams: Sequence[Chunks]) -> Chunks:
    """Yield the events of ``streams``, each in time order, as one stream in the order of (ts_event, stream).

    Within a stream the order stays as it is, so the records of one source event stay together. At most one chunk
    a stream is held, and more only while a single instant fills a whole chunk.
    """
    if len(streams) == 1:
        yield from streams[0]
        return
    held = [np.empty(0, EVENT_DTYPE) for _ in streams]
    live = [True] * len(streams)
    while True:
        for i, stream in enumerate(streams):
            # What a stream may still add at its last known instant must be known before that instant is given out.
            while live[i] and (held[i].size == 0 or held[i]["ts_event"][0] == held[i]["ts_event"][-1]):
                chunk = next(stream, None)
                live[i] = chunk is not None
                if chunk is not None:
                    held[i] = np.concatenate((held[i], chunk))
        open_ends = [held[i]["ts_event"][-1] for i in range(len(streams)) if live[i]]
        if not open_ends:
            break
        horizon = min(open_ends)
        counts = [int(np.searchsorted(h["ts_event"], horizon, side="left")) for h in held]
        yield _in_time_order([h[:count] for h, count in zip(held, counts, strict=True)])
        held = [h[count:] for h, count in zip(held, counts, strict=True)]
    rest = _in_time_order(held)
    if rest.size:
        yield rest


def _in_time_order(parts: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    together = np.concatenate(parts)
    return together[np.argsort(together["ts_event"], kind="stable")]


def rebatch(chunks: Chunks, batch_size: int, start: int) -> Chunks:
    """Yield the events from number ``start`` on in arrays of exactly ``batch_size`` rows, the last maybe shorter."""
    pending: list[np.ndarray[Any, Any]] = []
    count = 0
    for chunk in chunks:
        if start >= chunk.size:
            start -= chunk.size
            continue
        position, start = start, 0
        if count:
            taken = min(batch_size - count, chunk.size - position)
            pending.append(chunk[position : position + taken])
            count, position = count + taken, position + taken
            if count < batch_size:
                continue
            yield np.concatenate(pending)
            pending, count = [], 0
        while chunk.size - position >= batch_size:
            yield chunk[position : position + batch_size]
            position += batch_size
        if position < chunk.size:
            pending, count = [chunk[position:]], chunk.size - position
    if count:
        yield np.concatenate(pending)
