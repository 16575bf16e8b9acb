"""Invariant: memory of a backtest that streams from Parquet grows with its trades, not with its events."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.streaming_memory import run_apart, write_tiled
from chimera_platform.warm_up import warm_up

LIMIT_MB = 700


@pytest.mark.slow
def test_four_times_the_events_stream_in_the_same_memory(tmp_path: Path) -> None:
    warm_up(print, backtests=True)
    found = []
    for times in (5, 20):
        path, out = tmp_path / f"{times}.parquet", tmp_path / f"out{times}"
        assert write_tiled(path, 400_000, times) == times * 400_000
        found.append(run_apart(path, out))
        assert pq.read_metadata(out / "intents.parquet").num_rows == found[-1]["intents"] > 0
        path.unlink()
    few, many = found
    print(few, many)
    assert many["events"] == 4 * few["events"] and many["fills"] > 2 * few["fills"]
    assert many["peak_mb"] < LIMIT_MB
    assert many["last_mb"] < 1.1 * few["last_mb"] + 20
