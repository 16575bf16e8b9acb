"""Invariant: memory of the flow does not grow with the number of events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.flow_process import chimera

LIMIT_MB = 500


@pytest.mark.slow
@pytest.mark.real_data
def test_the_real_xauusd_ticks_run_through_the_live_flow_in_flat_memory(tmp_path: Path, real_data: Path) -> None:
    command = ("run", "--feed", f"replay:{real_data / 'oanda' / 'tick'}?symbols=XAUUSD", "--statistics", 0.1)
    chimera("run", "--duration", 0.5, "--workdir", tmp_path / "warm")  # compiles what is not yet in the kernel cache
    result = chimera(*command, "--workdir", tmp_path / "run")
    assert result["events"] > 1_250_000
    lines = [json.loads(line) for line in next(tmp_path.glob("run/telemetry/*.jsonl")).read_text().splitlines()]
    resident = [(line["events"], line["resident_mb"]) for line in lines]
    third = result["events"] / 3
    early = max(mb for events, mb in resident if events <= 2 * third)
    late = max(mb for events, mb in resident if events > 2 * third)
    print(f"{result['events']:,} events: {early} MB in the first two thirds, {late} MB in the last; limit {LIMIT_MB}")
    assert late < LIMIT_MB and early < LIMIT_MB
    assert late < 1.1 * early + 10, "flat: the last third needs no more than the first two"
