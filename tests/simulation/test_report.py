"""The report: one page that needs nothing else, whose parts add up to what the run earned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration
from chimera_platform.errors import DataError
from chimera_platform.market.instruments import load_instruments
from chimera_platform.simulation.backtest.run import BacktestResult, run_backtest
from chimera_platform.simulation.market.simulator import SimulatedMarket
from chimera_platform.simulation.report import of_backtest, summary_lines, trade_section, write_report
from chimera_platform.simulation.report.drawing import Chart, thinned
from chimera_platform.simulation.report.page import page

MARKET = SimulatedMarket.from_url("sim://?symbols=XAUUSD,XAGUSD&seed=9&days=1", load_instruments())
VOID = {"meta", "br", "input", "link", "img", "path", "line", "rect"}


class FirstEvents:
    """The beginning of the simulated market."""

    universe, description = MARKET.universe, "sim://first events"

    def __init__(self, count: int) -> None:
        self.count = count

    def batches(self, batch_size: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        yield next(iter(MARKET.batches(max(self.count, 1))))[start : self.count]


class Outline(HTMLParser):
    """Tables of a page as lists of rows of text, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return run_backtest(FirstEvents(120_000), Configuration())


@pytest.fixture(scope="module")
def text(result: BacktestResult) -> str:
    return page(of_backtest(result))


def table_with(text: str, *head: str) -> list[list[str]]:
    return next(t for t in Outline(text).tables if t and set(head) <= set(t[0]))


def amount(cell: str) -> float:
    return float(cell.replace(",", ""))


def test_it_stands_alone_and_needs_no_network(text: str) -> None:
    assert not re.search(r"\b(src|href)\s*=(?!\"#)", text)
    assert "url(" not in text
    assert "@import" not in text
    assert re.findall(r"https?://[^\s\"'<]+", text) == []
    assert text.count("<script>") == 1
    assert "prefers-color-scheme: dark" in text
    assert text.count("<svg") >= 6


def test_it_is_well_formed(text: str) -> None:
    assert len(Outline(text).tables) > 8


def test_it_says_what_was_run_and_what_came_of_it(result: BacktestResult, text: str) -> None:
    assert result.digest in text
    assert f"{result.metrics.net_profit:,.2f}" in text
    assert f"{result.metrics.win_rate:.2%}" in text
    assert f"seed {result.monte_carlo['seed']}" in text
    assert "position open" in text
    for section in result.settings:
        assert section.replace("_", " ") in text


def test_the_parts_of_each_breakdown_add_up_to_the_total(result: BacktestResult, text: str) -> None:
    rows = table_with(text, "at decision mids", "delay", "net")
    columns = {name: k for k, name in enumerate(rows[0])}
    total = rows[-1]
    assert total[0] == "all"
    sums: dict[str, float] = {}
    counted = 0
    for row in [*rows[1:-1], ["by the end"]]:
        if len(row) == 1:
            if sums:
                counted += 1
                for name, value in sums.items():
                    assert value == pytest.approx(amount(total[columns[name]]), abs=0.06), name
            sums = dict.fromkeys(("trades", "at decision mids", "delay", "spread", "slippage", "fees", "net"), 0.0)
        else:
            for name in sums:
                sums[name] += amount(row[columns[name]])
            parts = sum(amount(row[columns[n]]) for n in ("at decision mids", "delay", "spread", "slippage", "fees"))
            assert parts == pytest.approx(amount(row[columns["net"]]), abs=0.04)
    assert counted == 5
    assert amount(total[columns["trades"]]) == result.metrics.trades


def test_days_and_months_say_what_the_account_earned(result: BacktestResult, text: str) -> None:
    days = table_with(text, "day", "trades closed", "profit")
    assert sum(amount(row[3]) for row in days[1:]) == pytest.approx(result.metrics.net_profit, abs=0.02)
    months = table_with(text, "Jan", "year")
    assert months[1][-1] == f"{result.metrics.return_total:.2%}"


def test_every_trade_is_listed_up_to_a_number_that_is_said(
    result: BacktestResult, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(result.trades)
    assert f"All {count:,} trades" in text
    listed = table_with(text, "intent", "opened, UTC")
    assert [int(row[0]) for row in listed[1:]] == result.trades["intent_no"].tolist()
    assert sum(amount(row[11]) for row in listed[1:]) == pytest.approx(result.trades["net_nanos"].sum() / 1e9, abs=0.5)
    monkeypatch.setattr(trade_section, "TRADES_SHOWN", 7)
    short = page(of_backtest(result))
    assert f"The first 7 of {count:,} trades" in short
    assert len(table_with(short, "intent", "opened, UTC")) == 8


def test_names_from_outside_cannot_become_markup(result: BacktestResult) -> None:
    hostile = replace(
        of_backtest(result),
        symbols=("<b>X</b>", "<script>alert(1)</script>"),
        description='"><img src=x>',
        title="<i>T</i>",
        settings={"<u>s</u>": {"<u>k</u>": "<u>v</u>"}},
    )
    text = page(hostile)
    assert text.count("<script") == 1
    for tag in ("<b>X", "<img", "<i>T", "<u>"):
        assert tag not in text
    Outline(text)


def test_a_report_of_nothing_is_still_a_report() -> None:
    text = page(of_backtest(run_backtest(FirstEvents(0), Configuration())))
    assert "0 events" in text
    Outline(text)


def test_a_page_is_put_in_its_place_whole_or_not_at_all(result: BacktestResult, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(result, path)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file/report\.html: cannot write the report"):
        write_report(result, tmp_path / "file" / "report.html")


def test_the_text_has_the_same_figures(result: BacktestResult) -> None:
    lines = summary_lines(of_backtest(result))
    assert lines["metrics"] == result.metrics.as_dict()
    realised = result.trades["net_nanos"].sum() / 1e9
    for parts in lines["net_profit_by"].values():
        assert sum(parts.values()) == pytest.approx(realised)
    assert lines["execution"]["fees"] == pytest.approx(result.metrics.fees)
    assert 0.0 < lines["execution"]["fill_ratio"] <= 1.0


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 1000), st.integers(-50, 50)), min_size=1, max_size=200),
    points=st.sampled_from([8, 40, 400]),
)
def test_a_thinned_curve_keeps_its_ends_and_extremes(steps: list[tuple[int, int]], points: int) -> None:
    """Invariant: what is left are points of the curve in order, its first, last, lowest and highest among them."""
    x, y = (np.cumsum([each[k] for each in steps]) for k in (0, 1))
    kept_x, kept_y = thinned(x, y, points)
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    left = iter(pairs)
    assert all(pair in left for pair in zip(kept_x.tolist(), kept_y.tolist(), strict=True))
    assert (kept_x[0], kept_y[0], kept_x[-1], kept_y[-1]) == (*pairs[0], *pairs[-1])
    assert (kept_y.min(), kept_y.max()) == (y.min(), y.max())
    assert len(kept_x) <= max(points + 8, 8)


@settings(max_examples=200, deadline=None)
@given(low=st.floats(-1e9, 1e9), span=st.floats(0.0, 1e9))
def test_every_axis_has_round_numbers_inside_its_span(low: float, span: float) -> None:
    """Invariant: two to a dozen labels on each axis, ascending, all different, none outside."""
    svg = Chart("any", (low, low + span), (low, low + span)).svg()
    labels = re.findall(r'text-anchor="end">([^<]+)<', svg)
    values = [amount(label) for label in labels]
    assert 2 <= len(values) <= 14
    assert values == sorted(set(values))
    room = max(abs(low) * 0.02, span * 0.02, 1.0) * 1.001
    assert low - room <= values[0]
    assert values[-1] <= low + span + room


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (40, ["01-05", "00:00:05", "00:00:40"]),
        (6 * 3600, ["01-05", "01:00", "06:00"]),
        (5 * 86_400, ["01-05", "01-06", "01-10"]),
        (100 * 86_400, ["2024-02", "2024-03", "2024-04"]),
        (3 * 365 * 86_400, ["2024-07", "2026-07"]),
    ],
)
def test_a_time_axis_has_round_times_and_long_ones_beginnings_of_months(seconds: int, labels: list[str]) -> None:
    start = int(np.datetime64("2024-01-05", "ns").astype(np.int64))
    svg = Chart("any", (start, start + seconds * 10**9), (0, 1)).svg("time")
    found = re.findall(r'x="([\d.]+)" y="[\d.]+" text-anchor="middle">([^<]+)<', svg)
    assert 2 <= len(found) <= 11
    assert set(labels) <= {text for _, text in found}
    places = [float(x) for x, _ in found]
    assert places == sorted(places)
