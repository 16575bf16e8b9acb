"""The demo closes the loop, and what it claims is in the journal and the warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from chimera_platform.cli.demo_feed import plan, recorded_feed
from chimera_platform.errors import DataError
from tests.e2e.flow_process import chimera


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_promotes_a_release_that_the_running_flow_takes_up(tmp_path: Path) -> None:
    result = chimera("demo", "--workdir", tmp_path, "--seed", 7, timeout_s=800)
    assert result["promoted"] and result["applied_live"], result["gates"]
    assert result["replay_digest_equal"]
    assert result["events"] > 500_000 and result["orders"] > 0 and result["fills"] > 0 and result["segments"] > 0
    query = "SELECT release_id, from_event_no FROM core.releases ORDER BY release_no"
    rows = chimera("sql", query, "--workdir", tmp_path)["rows"]
    assert [row["release_id"] for row in rows] == ["", result["release_id"]]
    query = "SELECT count(*) AS n FROM core.intents WHERE release_no = 1 AND model_score IS NOT NULL"
    assert chimera("sql", query, "--workdir", tmp_path)["rows"][0]["n"] > 0
    assert all(Path(plot).stat().st_size > 10_000 for plot in result["plots"])
    again = chimera("demo", "--workdir", tmp_path, status=1)
    assert "--fresh" in again["error"]


@pytest.mark.real_data
def test_the_plan_of_recorded_ticks_keeps_every_day_and_plays_the_last_trading_day_live(real_data: Path) -> None:
    played = plan(recorded_feed(str(real_data / "oanda"), "XAUUSD"), live_seconds=100.0)
    assert played.days[0] == "2014-05-01" and played.days[-1] == "2014-05-09"
    assert "2014-05-04" in played.history, "the short Sunday session is history too"
    assert played.speed > 100


def test_too_few_days_are_refused() -> None:
    with pytest.raises(DataError, match="at least 3"):
        plan("sim://?symbols=XAUUSD&seed=1&days=2&rate=0.2", live_seconds=10.0)
