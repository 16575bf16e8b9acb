"""The published page: scores by part that add up, sentences that follow the figures, one command."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from chimera_platform.market.instruments import load_instruments
from chimera_platform.signals.block_bootstrap import poisson_interval
from chimera_platform.signals.forward_returns import HORIZONS_NS
from chimera_platform.signals.lift import MOMENT_DTYPE, Edge, Estimate
from chimera_platform.signals.lift_page import LiftRow, MarketColumn, evaluate, recorded_section
from chimera_platform.signals.market_evidence import SymbolEvidence
from chimera_platform.signals.records import Detector
from chimera_platform.signals.scorecard import confirmed, detect_all, match_all, without_episodes
from chimera_platform.signals.scorecard_markets import (
    DIFFICULTIES,
    RATES,
    NullRow,
    ScoreRow,
    parts,
    scored_detectors,
    settings_of,
)
from chimera_platform.signals.scorecard_page import REGIMES, SESSIONS, shown, simulated_section, table
from chimera_platform.signals.scorecards import main
from chimera_platform.simulation.market.episodes import VolatilityRegime
from chimera_platform.simulation.market.simulator import SimulatedMarket

SECOND = 1_000_000_000
URL = "sim://?symbols=XAUUSD,XAGUSD&days=1&rate=0.4&seed=5&sweeps_a_day=60&icebergs_a_day=0"


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket.from_url(URL, load_instruments())


def test_the_parts_of_a_market_add_up_to_the_whole(market: SimulatedMarket) -> None:
    detections, _ = detect_all(market)
    matched = match_all(detections, market.ground_truth(), Detector.SWEEP)
    whole = matched.score()
    by_part = {name: matched.score(*masks) for name, masks in parts(matched, market.regimes()).items()}
    assert list(by_part) == [*SESSIONS, *REGIMES]
    assert whole.episodes > 60
    for names in (SESSIONS, REGIMES):
        for field in ("episodes", "found", "detections", "right"):
            assert sum(getattr(by_part[name], field) for name in names) == getattr(whole, field)
    assert all(by_part[name].episodes > 5 for name in SESSIONS)


def test_an_episode_belongs_to_the_regime_that_it_begins_in(market: SimulatedMarket) -> None:
    matched = match_all(detect_all(market)[0], market.ground_truth(), Detector.SWEEP)
    masks = parts(matched, market.regimes())
    for regime in VolatilityRegime:
        spans = market.regimes()[market.regimes()["regime"] == regime]
        for start in matched.episodes["start_ts"][masks[regime.name.lower()][1]]:
            assert ((spans["start_ts"] <= start) & (start < spans["end_ts"])).any()


def test_a_scored_market_has_one_pattern_only_and_the_null_market_none() -> None:
    for detector in scored_detectors():
        for difficulty in DIFFICULTIES:
            chosen = settings_of(detector, difficulty)
            rates = {n for n in type(chosen).model_fields if n.endswith("_a_day") and getattr(chosen, n) > 0}
            assert rates - {"compressions_a_day"} == set(RATES[detector])
            assert chosen.episode_difficulty == difficulty
    null = without_episodes(SimulatedMarket.from_url("sim://?days=1&rate=0.3&droughts_a_day=9", load_instruments()))
    kinds = {int(k) for k in np.unique(null.ground_truth()["kind"])}
    assert kinds <= {3, 4}  # compressions and trends


def test_few_false_alarms_on_a_market_without_episodes(market: SimulatedMarket) -> None:
    said, hours = detect_all(without_episodes(market))
    assert hours == pytest.approx(42.0)
    for detector in (Detector.SWEEP, Detector.ICEBERG):
        assert len(confirmed(said, detector)) <= 1


def test_a_poisson_interval_is_near_the_exact_one() -> None:
    # Garwood 1936, 95 %
    for count, exact in ((0, (0.0, 3.689)), (1, (0.0253, 5.572)), (10, (4.795, 18.390)), (100, (81.364, 121.627))):
        assert poisson_interval(count) == pytest.approx(exact, rel=0.03, abs=0.04)


def lift_row(ticks: Estimate, known: int = 100, nothing: Estimate | None = None) -> LiftRow:
    nothing = nothing or Estimate(0.0, -1.0, 1.0)
    unknown = Estimate(math.nan, math.nan, math.nan)
    return LiftRow("sweep", 1, "all", Edge(known, known, 1, 1, unknown, unknown, ticks, unknown, 60.0), nothing)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (lift_row(Estimate(2.0, 1.0, 3.0)), "**moves its way**"),
        (lift_row(Estimate(-2.0, -3.0, -1.0)), "**moves against it**"),
        (lift_row(Estimate(2.0, -0.1, 3.0)), "no edge shown"),
        (lift_row(Estimate(2.0, 1.0, 3.0), known=29), "few (n < 30)"),
        (lift_row(Estimate(2.0, 1.0, 3.0), known=0), "no return known"),
        (lift_row(Estimate(2.0, math.nan, math.nan)), "sample too short"),
        (lift_row(Estimate(2.0, 1.0, 3.0), nothing=Estimate(1.0, 0.5, 1.5)), "price drifted: so does the placebo"),
    ],
)
def test_the_verdict_follows_the_interval_the_count_and_the_placebo(row: LiftRow, verdict: str) -> None:
    assert row.verdict == verdict


def evidence(edge_size: float) -> SymbolEvidence:
    random = np.random.default_rng(4)
    count = 4_000
    every = np.zeros(count, MOMENT_DTYPE)
    every["ts_event"] = np.arange(count) * 5 * SECOND
    every["spread"] = 2
    every["session"] = np.arange(count) % 2
    every["change"] = random.normal(size=(count, len(HORIZONS_NS))).round(1) * 3
    own = every[::9].copy()
    own["direction"] = np.where(random.random(len(own)) < edge_size, np.sign(own["change"][:, 1]), 1)
    own["direction"][own["direction"] == 0] = 1
    return SymbolEvidence("XAUUSD", count, {"sweep": own, "iceberg": own[:0]}, every, count * 5 / 3600)


def test_an_edge_is_told_in_words_and_its_absence_too() -> None:
    for edge_size, told in ((0.8, "sweep, 10 s: moves its way"), (0.0, "no edge shown")):
        seen = evidence(edge_size)
        rows = evaluate(seen)
        text = "\n".join(recorded_section([MarketColumn("Somewhere XAUUSD", "0.01 USD", seen, rows, "")]))
        assert told in text
        assert "Never spoke: iceberg." in text
        assert {row.part for row in rows} == {"all", "Asia", "London"}


def test_the_page_says_what_is_missed() -> None:
    from chimera_platform.signals.scorecard import Score

    def row(found: int, part: str = "all") -> ScoreRow:
        return ScoreRow(Detector.SWEEP, 1, False, part, Score(100, 0, found, 100, found, 0, 12.0, 1500.0))

    for found, said in ((95, "meets"), (90, "**misses**")):
        lines = simulated_section(
            [row(found), *(row(1, part) for part in (*SESSIONS, *REGIMES))],
            [NullRow(Detector.SWEEP, False, 3, 60.0)],
            1,
            2,
        )
        text = "\n".join(lines)
        assert f"- sweep: {said} recall and precision above 0.9" in text
        assert "12 ms | 1.5 s" in text
        assert "0.050 [0.010, 0.146]" in text


def test_figures_have_no_negative_zero_and_undefined_ones_are_dashes() -> None:
    assert (shown(-0.001), shown(math.nan), shown(-0.5, 1), shown(math.inf)) == ("0.00", "–", "-0.5", "–")
    assert table(("a", "b"), [("1", "2")]) == ["| a | b |", "|---|---|", "| 1 | 2 |", ""]


def test_the_command_writes_the_page_with_itself_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera_platform.signals.scorecard_markets.SYMBOLS", ("XAUUSD",))
    monkeypatch.setattr("chimera_platform.signals.scorecard_markets.scored_detectors", lambda: (Detector.SWEEP,))
    source = tmp_path / "20131007_trade.zip"
    write_comex(source)
    out = tmp_path / "page.md"
    arguments = [f"COMEX={source}", "--tick-test", "COMEX", "--days", "1", "--out", str(out)]
    assert main(arguments) == 0
    text = out.read_text(encoding="utf-8")
    assert "python -m chimera_platform.signals.scorecards " in text and str(out) in text
    assert "### COMEX GC" in text and "the tick test's stands in" in text
    assert "| sweep | 3 |" in text and "## What is measured" in text


def write_comex(path: Path) -> None:
    import zipfile

    rows = [f"{36_000_000 + 700 * k},{1300 + (k % 13) * 0.1:.1f},2,,,0" for k in range(400)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("20131007_gc_tick_trade_201312.csv", "\n".join(rows) + "\n")


def test_bad_arguments_are_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["nothing"]) == 2
    assert "error: 'nothing' is not of the form LABEL=SOURCE" in capsys.readouterr().err
    config = tmp_path / "bad.toml"
    config.write_text("[detectors.sweeps]\nlevels = 0\n")
    assert main(["--config", str(config)]) == 2
    assert "levels" in capsys.readouterr().err
