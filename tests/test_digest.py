"""The digest is a function of the rows alone, and of every bit of them."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from chimera_platform.digest import RunDigest, canonical_bytes, digest_of
from chimera_platform.execution.records import FILL_DTYPE, INTENT_DTYPE, ORDER_EVENT_DTYPE

NUMBERS = {"intents": "intent_no", "orders": "order_event_no", "fills": "fill_no"}
DTYPES = {"intents": INTENT_DTYPE, "orders": ORDER_EVENT_DTYPE, "fills": FILL_DTYPE}


def tables(rows: int = 20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    made = {}
    for name, dtype in DTYPES.items():
        table = np.frombuffer(rng.integers(0, 128, rows * dtype.itemsize, dtype=np.uint8).tobytes(), dtype).copy()
        table[NUMBERS[name]] = np.arange(rows)
        made[name] = table
    return made


def test_no_rows_have_the_documented_digest() -> None:
    expected = hashlib.sha256()
    for name in ("intents", "orders", "fills"):
        expected.update(name.encode() + b"\0" + struct.pack("<Q", 0) + hashlib.sha256(b"").digest())
    assert RunDigest().hexdigest() == expected.hexdigest()


def test_the_digest_is_what_its_documentation_says() -> None:
    made = tables(3)
    expected = hashlib.sha256()
    for name in ("intents", "orders", "fills"):
        rows = hashlib.sha256(b"".join(row.tobytes() for row in made[name]))
        expected.update(name.encode() + b"\0" + struct.pack("<Q", 3) + rows.digest())
    assert digest_of(**made) == expected.hexdigest()


@pytest.mark.parametrize("cut", [1, 7, 19])
def test_rows_in_pieces_give_the_digest_of_the_whole(cut: int) -> None:
    made, digest = tables(), RunDigest()
    for first in range(0, 20, cut):
        for name, table in made.items():
            digest.update(**{name: table[first : first + cut]})
    assert digest.hexdigest() == digest_of(**made)


def test_the_order_in_which_whole_tables_hold_their_rows_does_not_matter() -> None:
    made = tables()
    turned = {name: table[::-1] for name, table in made.items()}
    assert digest_of(**turned) == digest_of(**made)


@pytest.mark.parametrize("name", DTYPES)
def test_any_field_of_any_table_changes_the_digest(name: str) -> None:
    made = tables()
    before = digest_of(**made)
    for field in DTYPES[name].names:
        changed = made[name].copy()
        changed[field][7] = 0.5 if changed[field].dtype.kind == "f" else changed[field][7] - 1
        if field == NUMBERS[name]:
            with pytest.raises(ValueError, match="do not continue"):
                digest_of(**{**made, name: changed})
        else:
            assert digest_of(**{**made, name: changed}) != before, field


def test_every_nan_counts_as_the_same_one_and_the_rows_stay_as_they_were() -> None:
    rows = tables()["intents"]
    odd = rows.copy()
    rows["confidence"] = np.nan
    rows["features"][:, 3] = np.nan
    payload = np.frombuffer(struct.pack("<Q", 0xFFF8_0000_0000_0123), "<f8")[0]
    odd["confidence"], odd["features"][:, 3] = payload, payload
    assert odd.tobytes() != rows.tobytes()
    before = odd.tobytes()
    assert canonical_bytes(odd, INTENT_DTYPE) == canonical_bytes(rows, INTENT_DTYPE)
    assert odd.tobytes() == before


def test_fields_in_another_order_or_byte_order_give_the_same_bytes() -> None:
    rows = tables()["fills"]
    names = list(reversed(FILL_DTYPE.names))
    other = np.empty(len(rows), [(name, FILL_DTYPE[name].newbyteorder(">")) for name in names])
    for name in names:
        other[name] = rows[name]
    assert canonical_bytes(other, FILL_DTYPE) == rows.tobytes()


def test_a_missing_field_is_named() -> None:
    rows = tables()["fills"]
    with pytest.raises(ValueError, match="fee_nanos"):
        canonical_bytes(rows[[name for name in FILL_DTYPE.names if name != "fee_nanos"]], FILL_DTYPE)


def test_rows_that_leave_a_gap_are_refused() -> None:
    digest = RunDigest()
    digest.update(fills=tables()["fills"][:3])
    with pytest.raises(ValueError, match="fills: rows from fill_no 4 on do not continue at 3"):
        digest.update(fills=tables()["fills"][4:6])


def test_rows_move_between_tables_only_with_a_change_of_the_digest() -> None:
    made = tables(1)
    nothing = {name: table[:0] for name, table in made.items()}
    seen = {digest_of(**{**nothing, name: made[name]}) for name in made} | {digest_of(**nothing)}
    assert len(seen) == 4
