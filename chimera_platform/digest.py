"""The digest of a run: one number that is equal when all intents, orders and fills are equal, byte for byte.

For each table, in the order *intents, orders, fills*, with its rows in row-number order:

    table digest = SHA-256 over the rows' bytes, each row the fields of the table's dtype (INTENT_DTYPE,
                   ORDER_EVENT_DTYPE, FILL_DTYPE) in their order, packed without padding, little-endian;
                   a NaN of a floating-point field is written as the quiet NaN 7ff8000000000000,
                   negative zero as it stands.
    run digest   = SHA-256 over, for each table in that order: its name in ASCII, one zero byte, the number of rows
                   as a little-endian 8-byte integer, the 32 bytes of its table digest.

The digest is written as 64 lower-case hex digits. It does not depend on how the rows were cut into pieces, so it
can be computed piece by piece while a run goes on.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from chimera_platform.execution.records import FILL_DTYPE, INTENT_DTYPE, ORDER_EVENT_DTYPE

Array = np.ndarray[Any, Any]

DIGEST_TABLES: tuple[tuple[str, np.dtype[Any], str], ...] = (
    ("intents", INTENT_DTYPE, "intent_no"),
    ("orders", ORDER_EVENT_DTYPE, "order_event_no"),
    ("fills", FILL_DTYPE, "fill_no"),
)
"""Name, dtype and row-number field of the tables a digest is over, in its order."""

_CANONICAL_NAN = np.uint64(0x7FF8_0000_0000_0000)


def canonical_bytes(rows: Array, dtype: np.dtype[Any]) -> bytes:
    """Return ``rows`` as the bytes that the digest is over.

    Parameters
    ----------
    rows : array of ``dtype``'s fields, in any layout, byte order or field order.

    Raises
    ------
    ValueError : a field is missing, or one stands there that ``dtype`` does not have.
    """
    if rows.dtype != dtype:
        if set(rows.dtype.names or ()) != set(dtype.names or ()):
            unlike = sorted(set(rows.dtype.names or ()) ^ set(dtype.names or ()))
            raise ValueError(f"rows differ from the table's record in the fields {', '.join(unlike)}")
        ordered = np.empty(len(rows), dtype)
        for name in dtype.names or ():
            ordered[name] = rows[name]
        rows = ordered
    floats = [name for name in dtype.names or () if dtype[name].base.kind == "f"]
    if any(np.isnan(rows[name]).any() for name in floats):
        rows = rows.copy()
        for name in floats:
            bits = rows[name].view("<u8")
            bits[np.isnan(rows[name])] = _CANONICAL_NAN
    return rows.tobytes()


class RunDigest:
    """The digest of a run in progress.

    Examples
    --------
    >>> digest = RunDigest()
    >>> digest.update(intents=output.intents, orders=output.orders, fills=output.fills)  # doctest: +SKIP
    >>> digest.hexdigest()  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._hashes = {name: hashlib.sha256() for name, _, _ in DIGEST_TABLES}
        self.rows = {name: 0 for name, _, _ in DIGEST_TABLES}

    def update(self, intents: Array | None = None, orders: Array | None = None, fills: Array | None = None) -> None:
        """Append rows to the tables; each table's rows come in row-number order, without gaps.

        Raises
        ------
        ValueError : row numbers do not continue those before; nothing of this call's offending table is taken.
        """
        given = {"intents": intents, "orders": orders, "fills": fills}
        for name, dtype, number in DIGEST_TABLES:
            rows = given[name]
            if rows is None or len(rows) == 0:
                continue
            first = self.rows[name]
            if not np.array_equal(rows[number], np.arange(first, first + len(rows))):
                raise ValueError(f"{name}: rows from {number} {rows[number][0]} on do not continue at {first}")
            self._hashes[name].update(canonical_bytes(rows, dtype))
            self.rows[name] = first + len(rows)

    def hexdigest(self) -> str:
        """Return the digest of what has come so far; more may be appended after."""
        run = hashlib.sha256()
        for name, _, _ in DIGEST_TABLES:
            run.update(name.encode("ascii") + b"\0" + self.rows[name].to_bytes(8, "little"))
            run.update(self._hashes[name].digest())
        return run.hexdigest()


def digest_of(intents: Array, orders: Array, fills: Array) -> str:
    """Return the digest of whole tables, in any order of rows: they are put into row-number order first."""
    digest = RunDigest()
    tables = {"intents": intents, "orders": orders, "fills": fills}
    in_order = {n: tables[n][np.argsort(tables[n][number], kind="stable")] for n, _, number in DIGEST_TABLES}
    digest.update(**in_order)
    return digest.hexdigest()
