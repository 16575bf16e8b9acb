from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chimera_platform.errors import ReleaseError
from chimera_platform.microstructure.fitted_microprice import fitted_adjustment, new_microprice_table
from chimera_platform.release_microprice import (
    microprice_record,
    microprice_values,
    parse_microprice,
)
from chimera_platform.releases import Release, ReleaseStore

GOOD: dict[str, Any] = {"imbalance_bins": 3, "spread_step": 2, "rows": [[-0.5, 0.0, 0.5], [-1.0 / 3.0, 0.0, 1.0 / 3.0]]}


def parsed(**changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    return parse_microprice(json.dumps({"XAUUSD": {**GOOD, **changes}}).encode(), "microprice.json")


def make(store: ReleaseStore, **microprice: Any) -> Release:
    return store.create({}, {}, None, 0.0, {}, microprice)


def test_a_release_hands_on_its_tables_to_the_last_bit(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    table = parsed()["XAUUSD"]
    made = make(store, XAUUSD=table)
    loaded = store.load(made.id)
    record = microprice_record(loaded, "XAUUSD")
    assert record.tobytes() == table.tobytes() and record is not loaded.microprice["XAUUSD"]
    assert fitted_adjustment(record[0], 100, 9, 102, 1) == 0.5
    assert fitted_adjustment(record[0], 100, 1, 103, 9) == -1.0 / 3.0
    assert microprice_values(loaded.microprice) == {"XAUUSD": GOOD}


def test_without_a_release_a_file_or_the_symbol_a_microprice_is_unfitted(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    unfitted, without = new_microprice_table(), make(store)
    assert "microprice.json" not in without.manifest["files"]
    assert microprice_record(None, "XAUUSD").tobytes() == unfitted.tobytes()
    assert microprice_record(without, "XAUUSD").tobytes() == unfitted.tobytes()
    assert microprice_record(make(store, XAUUSD=parsed()["XAUUSD"]), "XAGUSD").tobytes() == unfitted.tobytes()


def test_the_tables_are_part_of_the_releases_identity_and_verified(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    made = make(store, XAUUSD=parsed()["XAUUSD"])
    assert made.id != make(store).id != make(store, XAGUSD=parsed()["XAUUSD"]).id
    path = store.folder / made.id / "microprice.json"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6"))
    with pytest.raises(ReleaseError, match=r"microprice.json was altered"):
        store.load(made.id)
    path.unlink()
    with pytest.raises(ReleaseError, match=r"microprice.json is missing"):
        store.load(made.id)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"imbalance_bins": 17}, r"XAUUSD.imbalance_bins is 17; expected a whole number from 1 to 16"),
        ({"imbalance_bins": True}, r"imbalance_bins is True"),
        ({"spread_step": 0}, r"spread_step is 0"),
        ({"spread_step": 2.0}, r"spread_step is 2.0"),
        ({"rows": []}, r"rows: expected 1 to 8 rows"),
        ({"rows": GOOD["rows"] * 5}, r"rows: expected 1 to 8 rows"),
        ({"rows": [[0.0, 0.0]]}, r"rows\[0\]: expected 3 numbers"),
        ({"rows": [["0", 0.0, 0.0]]}, r"rows\[0\]: expected 3 numbers"),
        ({"rows": [[float("nan"), 0.0, 0.0]]}, r"rows\[0\]: an adjustment beyond 16 half ticks, or not a number"),
        ({"rows": [[-17.0, 0.0, 17.0]]}, r"rows\[0\]: an adjustment beyond 16 half ticks"),
        ({"rows": [[-0.5, 0.1, 0.5]]}, r"rows\[0\] is not antisymmetric"),
        ({"more": 1}, r"expected an object of imbalance_bins, rows, spread_step"),
    ],
)
def test_a_table_that_no_flow_could_use_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ReleaseError, match=named):
        parsed(**changes)


@pytest.mark.parametrize(
    ("data", "named"),
    [(b"[]", "holds list"), (b"{", "is not JSON"), (b'{"A": 3}', "A: expected"), (b" " * (2**24 + 1), "at most")],
)
def test_bytes_that_are_no_tables_are_refused(data: bytes, named: str) -> None:
    with pytest.raises(ReleaseError, match=named):
        parse_microprice(data, "microprice.json")


def test_a_table_that_cannot_be_used_is_never_written(tmp_path: Path) -> None:
    table = parsed()["XAUUSD"]
    table["adjustment"][0, 0, 0] = np.inf
    store = ReleaseStore(tmp_path / "releases")
    with pytest.raises(ReleaseError, match="NaN or infinity"):
        make(store, XAUUSD=table)
    assert store.list() == ()
