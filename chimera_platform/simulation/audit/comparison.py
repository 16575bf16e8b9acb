"""Whether two runs decided the same up to a point, and if not, where they parted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chimera_platform.digest import canonical_bytes
from chimera_platform.simulation.audit.decision_maker import Decisions

Array = np.ndarray[Any, Any]


class Difference(NamedTuple):
    """The first row, in event order, that two runs do not share.

    Attributes
    ----------
    event_no : at which the runs part.
    table, field : what differs; ``field`` is "row" where one run has a row that the other lacks.
    expected, found : the values, as text.
    """

    event_no: int
    table: str
    field: str
    expected: str
    found: str


def first_difference(expected: Decisions, found: Decisions, before: int) -> Difference | None:
    """Return where two runs part among the rows of events below ``before``; None: byte for byte the same."""
    differences = [
        difference
        for name in expected._fields
        if (difference := table_difference(name, getattr(expected, name), getattr(found, name), before)) is not None
    ]
    return min(differences, key=lambda d: d.event_no) if differences else None


def table_difference(name: str, expected: Array, found: Array, before: int) -> Difference | None:
    """Return the first difference of one table with an ``event_no`` column, in row-number order."""
    ours, theirs = expected[expected["event_no"] < before], found[found["event_no"] < before]
    dtype = expected.dtype
    if canonical_bytes(ours, dtype) == canonical_bytes(theirs, dtype):
        return None
    row = _first_differing_row(ours, theirs, dtype)
    if row == min(len(ours), len(theirs)):
        extra = (ours if len(ours) > row else theirs)[row]
        counts = (f"{len(ours)} rows", f"{len(theirs)} rows")
        return Difference(int(extra["event_no"]), name, "row", *counts)
    a, b = ours[row : row + 1], theirs[row : row + 1]
    events = int(a["event_no"][0]), int(b["event_no"][0])
    if events[0] != events[1]:  # one run has a row here, the other goes on with a later one
        has, lacks = "a row", "none"
        return Difference(min(events), name, "row", *((has, lacks) if events[0] < events[1] else (lacks, has)))
    field = next(name for name in dtype.names or () if _unlike(a[name], b[name]))
    return Difference(events[0], name, field, _text(a[field][0]), _text(b[field][0]))


def _first_differing_row(ours: Array, theirs: Array, dtype: np.dtype[Any]) -> int:
    """Return the first row number whose bytes differ, or the shorter one's length."""
    count = min(len(ours), len(theirs))
    size = dtype.itemsize
    a = np.frombuffer(canonical_bytes(ours[:count], dtype), "u1").reshape(count, size)
    b = np.frombuffer(canonical_bytes(theirs[:count], dtype), "u1").reshape(count, size)
    unlike = np.flatnonzero((a != b).any(axis=1))
    return int(unlike[0]) if len(unlike) else count


def _unlike(a: Array, b: Array) -> bool:
    """Return whether two values of a field differ; one NaN equals another."""
    return bool(((a != b) & ~((a != a) & (b != b))).any())


def _text(value: Any) -> str:
    return np.array2string(value, threshold=6, edgeitems=3) if getattr(value, "shape", ()) else str(value)
