"""`chimera audit`: exit status, JSON, page and Markdown, and refusals before anything runs."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chimera_platform.cli.app import app
from chimera_platform.errors import ChimeraError, ConfigurationError, DataError
from chimera_platform.simulation.audit import audit as audit_module
from chimera_platform.simulation.audit.decision_maker import PlatformDecisions
from tests.simulation.audit_cheats import NextMid

FEED = "sim://?symbols=XAUUSD,XAGUSD&seed=7"
QUICK = json.dumps({"order_flow": {"enabled": 0}, "structure": {"enabled": 0}})  # fewer parameters to map


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    path = tmp_path / "params.json"
    path.write_text(QUICK, encoding="utf-8")
    return path


def audit(*arguments: object, feed: str = FEED, events: int = 6_000) -> Result:
    options = ["--feed", feed, "--events", str(events), "--cuts", "3"]
    return CliRunner().invoke(app, ["audit", *options, *map(str, arguments)])


class Tags(HTMLParser):
    """Collects open tags, so that unbalanced ones show, and whatever is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "line", "rect", "circle", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "rect", "circle", "polyline"):
            assert self.open.pop() == tag


def test_an_honest_path_ends_with_status_0_and_a_page_that_needs_nothing_else(tmp_path: Path, quick: Path) -> None:
    out = tmp_path / "new" / "audit.html"
    result = audit("--params", quick, "--out", out, "--json")
    assert result.exit_code == 0, result.exception
    said = json.loads(result.stdout)
    assert said["lookahead"] is False
    assert said["events"] == 6_000 and said["whole"] is False
    checks = {each["name"]: each for each in said["checks"]}
    for name in ("repetition", "truncation", "other futures", "batch cuts", "features", "labels", "training skew"):
        assert checks[name]["verdict"] == "pass", checks[name]["reason"]
    assert {"delay", "late start", "cost", "latency", "plateau", "planted cheat"} <= checks.keys()
    for check in checks.values():
        assert {"verdict", "number", "unit", "threshold", "reason", "rows"} <= check.keys()
    assert [row["multiplier"] for row in checks["cost"]["rows"]] == [1.0, 2.0, 5.0]
    assert said["parameter_map"]["heat_map"]["first"].startswith("hft.")
    page = out.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == [] and tags.fetched == []
    assert "svg" in tags.seen
    assert "url(" not in page and not re.search(r"\b(nan|inf)\b", page)
    for name in checks:
        assert name in page
    assert [path.name for path in out.parent.iterdir()] == ["audit.html"]


def test_the_same_seed_gives_the_same_audit(quick: Path) -> None:
    first, second = (json.loads(audit("--params", quick, "--json", "--seed", 3).stdout) for _ in range(2))
    first.pop("seconds"), second.pop("seconds")
    assert first == second


def test_a_path_with_lookahead_ends_with_status_1_and_says_where(
    tmp_path: Path, quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cheating(PlatformDecisions):
        def intents(self, events):  # type: ignore[no-untyped-def]
            return NextMid(PlatformDecisions(self.universe, self.configuration)).intents(events)

        def run(self, events, ends=()):  # type: ignore[no-untyped-def]
            return self.execute(events, self.intents(events))

    monkeypatch.setattr(audit_module, "PlatformDecisions", Cheating)
    out = tmp_path / "audit.md"
    result = audit("--params", quick, "--out", out)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "FAIL  truncation" in result.stdout
    assert re.search(r"depend on the future; first at event [\d,]+ in intents", result.stdout)
    text = out.read_text(encoding="utf-8")
    assert "**No: decisions depend on what they could not know" in text
    assert "| truncation | FAIL |" in text


def test_markdown_tables_have_as_many_cells_in_each_row(tmp_path: Path, quick: Path) -> None:
    out = tmp_path / "audit.md"
    assert audit("--params", quick, "--out", out).exit_code == 0
    width = None
    for line in out.read_text(encoding="utf-8").splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert width is None or cells is None or cells == width, line
        width = cells


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("--out", "audit.pdf"), ConfigurationError, "ends in .html or .md"),
        (("--spread-cost", "some"), ConfigurationError, "none, taker or all"),
        (("--params", "missing.json"), ChimeraError, "missing.json"),
        (("--release", "nothing", "--workdir", "nowhere"), ChimeraError, "nowhere"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_runs(
    arguments: tuple[str, ...], kind: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = audit(*arguments)
    assert isinstance(result.exception, kind)
    assert message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_unknown_parameters_are_named(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    path.write_text('{"hft": {"no_such_key": 1}}', encoding="utf-8")
    result = audit("--params", path)
    assert isinstance(result.exception, ConfigurationError)
    assert "hft.no_such_key" in str(result.exception)


def test_neither_files_nor_a_feed_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["audit"]).exit_code == 2
    assert audit("--events", 1).exit_code == 2


def test_a_stream_of_one_event_cannot_be_cut(tmp_path: Path) -> None:
    data = tmp_path / "one.csv"
    data.write_text("ts_ns,symbol,bid,bid_size,ask,ask_size\n1000,XAUUSD,1300.00,1,1300.10,1\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["audit", str(data)])
    assert isinstance(result.exception, DataError)
    assert "1 event(s): an audit needs at least two" in str(result.exception)


def test_a_market_in_which_nothing_is_decided_is_audited_without_a_verdict_on_profit(quick: Path) -> None:
    result = audit("--params", quick, "--json", events=3)
    assert result.exit_code == 0, result.exception
    said = json.loads(result.stdout)
    verdicts = {each["name"]: each["verdict"] for each in said["checks"]}
    assert said["answer"].startswith("Nothing can be said")
    for name in ("truncation", "other futures", "planted cheat", "delay", "cost", "latency", "plateau"):
        assert verdicts[name] == "skip", name
