from __future__ import annotations

import json
from pathlib import Path

import pytest

from chimera_platform import warm_up as module
from tests.e2e.flow_process import chimera

LIMIT_MB = 500


@pytest.mark.slow
def test_a_first_start_compiles_apart_says_so_and_leaves_the_flow_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_KERNEL_CACHE", str(tmp_path / "kernels"))
    said: list[str] = []
    module.warm_up(said.append)
    assert len(said) == 2 and all("compiling kernels" in each for each in said)
    compiled = set((tmp_path / "kernels").rglob("*.nbi"))
    module.warm_up(said.append)
    assert len(said) == 2, "a warm start has nothing to do"
    result = chimera("replay", "--feed", "sim://?symbols=XAUUSD,XAGUSD&seed=3&days=1", "--workdir", tmp_path / "w")
    print(json.dumps(result["telemetry"]))
    assert result["telemetry"]["resident_mb_max"] < LIMIT_MB
    new = set((tmp_path / "kernels").rglob("*.nbi")) - compiled
    assert not new, "the flow itself compiled what should have been warm"


def test_a_step_that_fails_is_reported_and_the_marker_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CHIMERA_KERNEL_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(module, "_STAGES", (("engines", ("engines", "coordinator")),))
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    module.warm_up(lambda text: None)
    assert "compiling apart failed" in caplog.text
    assert not list(tmp_path.glob("kernels/warm-*"))


def test_what_only_backtests_need_is_compiled_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_KERNEL_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(module, "_STAGES", (("nothing", ()),))
    monkeypatch.setattr(module, "_BACKTEST_STAGES", (("nothing more", ()),))
    said: list[str] = []
    module.warm_up(said.append)
    assert len(said) == 1
    module.warm_up(said.append, backtests=True)
    assert len(said) == 2 and "nothing more" in said[1]
    module.warm_up(said.append, backtests=True)
    assert len(said) == 2
