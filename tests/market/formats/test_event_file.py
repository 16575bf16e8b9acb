"""Events as they are, in Parquet: written and read back the same, checked row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from chimera_platform.errors import DataError
from chimera_platform.market.events import EVENT_DTYPE, EventFlag
from chimera_platform.market.formats.event_file import write_events
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.simulation.market.simulator import SimulatedMarket

INSTRUMENTS = load_instruments()
MARKET = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=9&days=1&rate=0.05", INSTRUMENTS)
EVENTS = np.concatenate(list(MARKET.batches(65_536)))


class Held:
    def __init__(self, events: np.ndarray[Any, Any], universe: Universe = MARKET.universe) -> None:
        self.universe, self.description, self.events = universe, "held", events

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        for first in range(start, len(self.events), batch_size):
            yield self.events[first : first + batch_size]


def read(path: Path, batch_size: int = 4_096, **options: Any) -> np.ndarray[Any, Any]:
    return np.concatenate(list(open_source(path, None, INSTRUMENTS, **options).batches(batch_size)))


def write(folder: Path, events: np.ndarray[Any, Any], batch_size: int = 1_000) -> Path:
    assert write_events(Held(events), folder / "events.parquet", batch_size) == len(events)
    return folder / "events.parquet"


@pytest.mark.parametrize(("group", "batch"), [(100, 4_096), (5_000, 77), (1 << 20, 1_000)])
def test_events_come_back_byte_for_byte_whatever_the_groups_and_batches(tmp_path: Path, group: int, batch: int) -> None:
    path = write(tmp_path, EVENTS, group)
    assert read(path, batch).tobytes() == EVENTS.tobytes()
    assert open_source(path, "parquet", INSTRUMENTS).universe.symbols == MARKET.universe.symbols
    assert [p.name for p in tmp_path.iterdir()] == ["events.parquet"]


def test_reading_from_a_later_event_skips_those_before(tmp_path: Path) -> None:
    path = write(tmp_path, EVENTS)
    rest = np.concatenate(list(open_source(path, None, INSTRUMENTS).batches(700, start=1_234)))
    assert rest.tobytes() == EVENTS[1_234:].tobytes()


def test_a_chosen_symbol_comes_alone_and_symbols_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, EVENTS)
    silver = EVENTS[EVENTS["instrument_id"] == 1].copy()
    silver["instrument_id"] = 0
    assert read(path, symbols=["XAGUSD"]).tobytes() == silver.tobytes()
    swapped = EVENTS.copy()
    swapped["instrument_id"] = 1 - EVENTS["instrument_id"]
    assert read(path, symbols=["XAGUSD", "XAUUSD"]).tobytes() == swapped.tobytes()


def test_files_are_merged_and_the_records_of_a_source_event_stay_together(tmp_path: Path) -> None:
    events = np.zeros(9, EVENT_DTYPE)
    events["kind"], events["side"], events["price"], events["size"] = 6, 1, 100, 1
    events["ts_event"] = 5
    events["flags"][[2, 5, 8]] = EventFlag.LAST
    events["seq"] = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for k, symbol in enumerate(("XAUUSD", "XAGUSD")):
        write_events(Held(events, Universe([INSTRUMENTS[symbol]])), tmp_path / f"{k}.parquet", 2)
    merged = read(tmp_path)
    assert merged["instrument_id"].tolist() == [0] * 9 + [1] * 9
    assert merged["seq"].tolist() == events["seq"].tolist() * 2


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("instrument_id", 2, "row 1501: 'instrument_id' is 2"),
        ("instrument_id", -1, "row 1501: 'instrument_id' is -1"),
        ("kind", 11, "row 1501: 'kind' is 11; expected an event kind"),
        ("kind", 0, "row 1501: 'kind' is 0"),
        ("side", -2, "row 1501: 'side' is -2"),
        ("flags", 32, "row 1501: 'flags' is 32"),
    ],
)
def test_a_value_out_of_bounds_is_an_error_that_names_row_and_field(
    tmp_path: Path, field: str, value: int, message: str
) -> None:
    events = EVENTS.copy()
    events[field][1_500] = value
    path = write(tmp_path, events)
    with pytest.raises(DataError) as caught:
        read(path)
    assert message in str(caught.value) and "events.parquet" in str(caught.value)


def test_times_that_go_back_are_refused_when_written_and_when_read(tmp_path: Path) -> None:
    path = write(tmp_path, EVENTS)
    back = EVENTS.copy()
    back["ts_event"][1_000] = back["ts_event"][999] - 1
    with pytest.raises(DataError, match="not in the order of their times"):
        write_events(Held(back), tmp_path / "other.parquet", 1_000)
    assert not (tmp_path / "other.parquet").exists()
    table = pq.read_table(path)
    column = pq.read_table(path).column("ts_event").to_numpy().copy()
    column[1_000] = column[999] - 1
    pq.write_table(table.set_column(0, table.schema.field("ts_event"), [column]), path, row_group_size=1_000)
    with pytest.raises(DataError, match="row 1001: 'ts_event'"):
        read(path)


def test_other_units_than_the_files_own_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, EVENTS)
    coarse = INSTRUMENTS["XAGUSD"].model_copy(update={"lot_size": INSTRUMENTS["XAGUSD"].lot_size * 10})
    with pytest.raises(DataError, match="XAGUSD is counted in ticks of"):
        open_source(path, None, {**INSTRUMENTS, "XAGUSD": coarse})
    with pytest.raises(DataError, match="instrument 'XAGUSD'; expected a known one"):
        open_source(path, None, {"XAUUSD": INSTRUMENTS["XAUUSD"]})


def test_missing_columns_and_values_are_refused(tmp_path: Path) -> None:
    table = pq.read_table(write(tmp_path, EVENTS))
    pq.write_table(table.drop_columns(["side"]), tmp_path / "fewer.parquet")
    with pytest.raises(DataError, match=r"fewer\.parquet: columns"):
        open_source(tmp_path / "fewer.parquet", None, INSTRUMENTS)
    price = table.column("price").to_pylist()
    price[7] = None
    pq.write_table(table.set_column(4, table.schema.field("price"), [price]), tmp_path / "null.parquet")
    with pytest.raises(DataError, match="'price' has rows without a value"):
        read(tmp_path / "null.parquet")


def test_a_source_without_events_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no events"):
        write_events(Held(EVENTS[:0]), tmp_path / "events.parquet")
    assert list(tmp_path.iterdir()) == []
