from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from chimera_platform.cli.app import app
from chimera_platform.configuration import Configuration
from chimera_platform.engines.order_flow.parameters import STRATEGIES
from chimera_platform.errors import ConfigurationError
from chimera_platform.execution.records import Engine
from chimera_platform.market.events import EVENT_DTYPE, EventFlag, EventKind
from chimera_platform.market.instruments import Universe, load_instruments
from chimera_platform.releases import Release
from chimera_platform.simulation.backtest.sweep import HeldEvents
from chimera_platform.simulation.comparison.compare import MarketOutcome, Releases, compare, rows_of
from chimera_platform.simulation.comparison.effects import effects
from chimera_platform.simulation.comparison.markets import Market, recorded_market, simulated_markets
from chimera_platform.simulation.comparison.page import evaluated, page
from chimera_platform.simulation.comparison.plot import draw_effects
from chimera_platform.simulation.comparison.statistics import difference
from chimera_platform.simulation.comparison.variants import DOCUMENT, V1, V2, Plan, Role, Variant, plan
from chimera_platform.simulation.market.simulator import SimulatedMarket
from tests.reference.planted_days import START_NS, planted_day

BASE = Configuration()
PLAN = plan(BASE)
INSTRUMENTS = load_instruments()
GOLD = Universe([INSTRUMENTS["XAUUSD"]])


def planted(follows: int, days: int = 8) -> Market:
    """Return days on which the price jumps to the side of the larger queue, or to the other one."""

    def opened(seed: int) -> HeldEvents:
        return HeldEvents(GOLD, planted_day(seed, follows), f"planted {seed} {follows}")

    name = {1: "follows", -1: "betrays", 0: "no matter"}[follows]
    return Market(name, tuple(lambda k=k: opened(k) for k in range(days)), True, "Planted.")  # type: ignore[misc]


def outcome_of(market: Market, chosen: Plan = PLAN) -> MarketOutcome:
    return compare([market], BASE, chosen, workers=2)[0]


@pytest.fixture(scope="module")
def follows() -> MarketOutcome:
    return outcome_of(planted(1))


@pytest.fixture(scope="module")
def betrays() -> MarketOutcome:
    return outcome_of(planted(-1))


def page_of(*outcomes: MarketOutcome) -> str:
    return page(evaluated(outcomes, 7), PLAN, BASE, "chimera compare")


def test_where_the_second_version_must_win_it_is_found_to(follows: MarketOutcome) -> None:
    found = effects(follows, 7)
    assert found[V2].adds.side == 1 and found[V2].adds.better == 8
    assert found["v1 + hft"].adds.side == 1 and found["v2 - hft"].adds.side == 1
    assert follows.variants[V2].total("net_nanos") > 0
    text = page_of(follows)
    assert "V2 earns less than V1: on no market." in text
    assert "that of V2 - V1 lies above 0 on 1 (follows) and below on none." in text
    assert "On 1 simulated market V1 earns money on none, V2 on 1." in text
    assert "`hft` adds" in text and "a day over V1 and within V2 (`v1 + hft`, `v2 - hft`:" in text


def test_where_it_loses_the_page_says_so_and_by_how_much(betrays: MarketOutcome) -> None:
    found = effects(betrays, 7)
    assert found[V2].adds.side == -1
    text = page_of(betrays)
    less = -found[V2].adds.mean
    assert f"V2 earns less than V1: betrays (by {less:.1f} a day on 8 of 8 days)." in text
    assert f"V2 is **worse** by {less:.1f} a day" in text
    assert f"`hft` costs {-found['v1 + hft'].adds.mean:.1f} a day over V1" in text
    losing = betrays.variants[V2].total("net_nanos") / 8
    said = f"betrays ({losing:.1f} [{losing:.1f}, {losing:.1f}] a day)."
    assert f"V2 loses money, as an account that does nothing does not: {said}" in text


def test_an_upgrade_that_changes_no_trade_is_said_to_change_nothing(follows: MarketOutcome) -> None:
    found = effects(follows, 7)["v1 + shares"]
    assert found.adds.is_none and found.verdict == "changes nothing" and found.p_holm == 1.0
    text = page_of(follows)
    assert "`v1 + shares`" in text.split("Changed nothing here: ")[1].splitlines()[0]
    assert "No cap on capital and no drawdown limit ever bound" in text


def test_a_variant_equal_to_another_differs_on_no_day() -> None:
    same = Variant("v1 + nothing", Role.ALONE, PLAN.variants[0].parameters, "nothing", V1)
    outcome = outcome_of(planted(0, 5), Plan((*PLAN.variants[:2], same), PLAN.upgrades))
    found = effects(outcome, 7)["v1 + nothing"]
    assert found.adds.is_none and found.adds.mean == 0.0 and not found.adds.has_interval
    assert outcome.variants["v1 + nothing"].rows.tobytes() == outcome.variants[V1].rows.tobytes()


def test_where_the_queue_says_nothing_no_difference_before_costs_is_made_up() -> None:
    outcome = outcome_of(planted(0, 12), Plan(PLAN.variants[:2], PLAN.upgrades))
    gross = {n: outcome.variants[n].rows["gross_nanos"].sum(axis=1) / 1e9 for n in (V1, V2)}
    found = difference(gross[V2] - gross[V1], 7, are_independent=True)
    assert outcome.variants[V2].total("trades") > 100
    assert found.low < 0.0 < found.high


def test_engines_add_up_to_the_whole_on_every_day(follows: MarketOutcome) -> None:
    for each in follows.variants.values():
        parts = np.stack([each.daily_net(engine) for engine in Engine]).sum(axis=0)
        np.testing.assert_allclose(parts, each.daily_net(), atol=1e-9)
        assert sum(each.total("trades", engine) for engine in Engine) == each.total("trades")
    second = follows.variants[V2]
    assert second.total("trades", Engine.HFT) > 0 and second.drawdown > 0.0


def test_rows_hold_every_market_day_variant_and_engine_once(follows: MarketOutcome) -> None:
    rows = rows_of([follows])
    keys = set(zip(rows["market"], rows["run"], rows["day"], rows["variant"], rows["engine"], strict=True))
    assert len(keys) == len(rows["net"]) == 8 * len(PLAN.variants) * len(Engine)
    total = sum(net for net, name in zip(rows["net"], rows["variant"], strict=True) if name == V2)
    assert total == pytest.approx(follows.variants[V2].total("net_nanos"))


def test_neither_workers_nor_another_run_change_a_figure_and_another_seed_changes_intervals_only() -> None:
    few = Plan(PLAN.variants[:3], PLAN.upgrades)
    one, other = (compare([planted(1, 6)], BASE, few, workers=count)[0] for count in (1, 3))
    assert rows_of([one]) == rows_of([other])
    assert effects(one, 7) != effects(one, 8)
    first, second = effects(one, 7), effects(other, 7)
    assert [first[name].adds for name in first] == [second[name].adds for name in second]
    assert [each.adds.mean for each in effects(one, 8).values()] == [each.adds.mean for each in first.values()]


def test_of_fewer_than_five_days_the_page_gives_no_interval_and_says_so() -> None:
    outcome = outcome_of(planted(1, 3))
    text = page_of(outcome)
    assert "3 trading days: **too few for any interval to mean anything.**" in text
    section = text.split("## Follows\n")[1].split("## How it was measured")[0]
    rows = [line for line in section.splitlines() if line.startswith(("| v1 +", "| v2 -", "| **v2**"))]
    assert rows and not any("[" in line for line in rows)


def test_a_market_of_prints_alone_is_listed_and_nothing_is_said_about_it(follows: MarketOutcome) -> None:
    events = np.zeros(50, EVENT_DTYPE)
    events["kind"], events["flags"], events["price"], events["size"] = EventKind.TRADE, EventFlag.LAST, 100, 1
    events["ts_event"] = START_NS + np.arange(50)
    silent = outcome_of(Market("prints", (lambda: HeldEvents(GOLD, events, "prints"),), False, "Prints."))
    assert silent.is_silent
    text = page_of(follows, silent)
    assert "prints only, no book: nothing can be traded against; no variant wants a trade" in text
    assert "## Prints" not in text
    assert "No variant wanted a trade on any market." in page_of(silent)


def test_every_variant_differs_from_the_one_that_it_is_compared_with() -> None:
    by_name = {variant.name: variant for variant in PLAN.variants}
    assert len(by_name) == len(PLAN.variants)
    for variant in PLAN.variants:
        if variant.against:
            assert variant.configuration(BASE) != by_name[variant.against].configuration(BASE), variant.name


def test_an_upgrade_alone_changes_nothing_of_the_first_version_but_what_it_brings() -> None:
    by_name = {variant.name: variant for variant in PLAN.variants}
    first, alone = by_name[V1].configuration(BASE), by_name["v1 + hft"].configuration(BASE)
    assert alone.hft.version == 2 and alone.hft == BASE.hft
    assert alone.model_copy(update={"hft": first.hft}) == first
    for name in STRATEGIES:
        own = by_name[f"v1 + {name}"].configuration(BASE)
        assert [each for each in STRATEGIES if getattr(own, each).enabled] == [name]
        assert own.order_flow.enabled and own.hft.version == 1 and own.allocator.hft_share == 0.6


def test_the_second_version_is_the_configuration_as_it_stands() -> None:
    assert next(v for v in PLAN.variants if v.name == V2).configuration(BASE) == BASE


def test_every_row_of_the_documents_table_is_compared_or_said_to_be_a_later_parts() -> None:
    shown = {variant.upgrade for variant in PLAN.variants}
    assert [row.metric for row in DOCUMENT] == [
        "Architecture", "HFT Edge", "Structure", "Capital", "Risk", "Latency Tracking", "Hedge Logic",
    ]  # fmt: skip
    for row in DOCUMENT:
        assert set(row.upgrades) <= shown, row.metric
        assert row.upgrades or row.said, row.metric
    assert {"hft", "structure", "order_flow", *STRATEGIES, "shares"} <= shown


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"oracle": {"enabled": 1}}, "oracle"),
        ({"hft": {"crystal_ball": 1.0}}, "hft.crystal_ball"),
        ({"hft": {"version": 3}}, "hft.version"),
    ],
)
def test_an_override_that_does_not_exist_is_refused_by_name(parameters: dict[str, Any], named: str) -> None:
    wrong = Plan((*PLAN.variants[:2], Variant("wrong", Role.ALONE, parameters, "wrong", V1)), PLAN.upgrades)
    with pytest.raises(ConfigurationError, match=named):
        compare([planted(1, 1)], BASE, wrong)


def test_a_release_is_compared_with_and_without_its_model_only_where_there_is_one() -> None:
    names = [variant.name for variant in plan(BASE, has_release=True, has_model=True).variants]
    assert names[-2:] == ["v2 + release", "v2 + release + model"]
    assert not any("release" in variant.name for variant in PLAN.variants)


def test_variants_under_a_release_decide_under_it_and_the_others_do_not() -> None:
    silent = Release("0" * 32, {"hft": {"enabled": 0}}, {}, None, 0.0, {})
    whole = plan(BASE, has_release=True)
    few = Plan((*whole.variants[:2], whole.variants[-1]), whole.upgrades)
    outcome = compare([planted(1, 2)], BASE, few, releases=Releases(silent))[0]
    assert outcome.variants["v2 + release"].total("trades", Engine.HFT) == 0
    assert outcome.variants[V2].total("trades", Engine.HFT) > 0


def test_the_picture_is_drawn_only_where_there_are_intervals(follows: MarketOutcome, tmp_path: Path) -> None:
    path = tmp_path / "effects.png"
    assert draw_effects([(follows, effects(follows, 7))], path)
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000
    short = outcome_of(planted(1, 2), Plan(PLAN.variants[:2], PLAN.upgrades))
    assert not draw_effects([(short, effects(short, 7))], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_simulated_days_have_seeds_and_dates_of_their_own() -> None:
    usual, eventful = simulated_markets(INSTRUMENTS, ["XAUUSD"], 3, 50)
    sources = [opened() for opened in usual.runs]
    assert all(isinstance(source, SimulatedMarket) for source in sources)
    assert len({source.description for source in sources}) == 3
    assert [source.seed for source in sources] == [50, 51, 52]  # type: ignore[attr-defined]
    assert "stop runs" in eventful.about and eventful.runs[0]().description != sources[0].description


@pytest.mark.parametrize("text", ["nothing", "=path", "label="])
def test_recorded_data_without_a_label_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="LABEL=PATH"):
        recorded_market(text, INSTRUMENTS)


def test_the_command_writes_page_and_rows_and_says_the_same(tmp_path: Path, real_data: Path) -> None:
    euro = real_data / "oanda/tick/eurusd/20140501_quote.zip"
    arguments = ["compare", f"euro={euro}", "--days", "0", "--workdir", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout.splitlines()[-1])
    market = said["markets"][0]
    assert market["market"] == "euro" and market["days"] == 2 and market["variants"][V1]["trades"] > 0
    rows = pq.read_table(said["table"]).to_pydict()
    net = sum(n for n, name in zip(rows["net"], rows["variant"], strict=True) if name == V2)
    assert net == pytest.approx(market["variants"][V2]["net"])
    assert said["rows"] == len(rows["net"]) == 2 * said["variants"] * len(Engine)
    text = Path(said["page"]).read_text(encoding="utf-8")
    assert "the touch without sizes, no prints" in text and "## Euro" in text


def test_the_command_refuses_to_compare_on_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", "--days", "0", "--workdir", str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError) and "LABEL=PATH" in str(result.exception)
