"""Invariant: each key of the source documents sets one setting, wherever settings are named, in the document's unit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chimera_platform.cli.config_command import configuration as config_command
from chimera_platform.configuration import Configuration, explained_configuration, load_configuration
from chimera_platform.configuration_layers import note_command_line
from chimera_platform.documented_settings import DOCUMENT_KEYS, DocumentKey, document_bounds, field_of
from chimera_platform.documented_settings_page import settings_page
from chimera_platform.errors import ConfigurationError

ALIASES = [key for key in DOCUMENT_KEYS if key.is_alias]
PAGE = Path(__file__).parent.parent / "docs" / "reference-settings.md"

# The documents' own text: config.ini of version 2, then the dictionaries of the trading system.
DOCUMENTED = """
[threading]
hft_thread_core = 1
structure_thread_core = 2
coordinator_thread_core = 3
execution_thread_core = 4

[performance_tracking]
enable_dynamic_rebalancing = true
rebalance_interval_seconds = 10
min_trades_before_rebalance = 20

[risk_adaptive]
spread_threshold_london = 0.4
spread_threshold_newyork = 0.5
spread_threshold_asia = 0.3
latency_threshold_ms = 50
reject_escalation_threshold = 10

[latency_attribution]
enable_execution_analytics = true
quality_score_threshold = 0.6
export_stats_interval_seconds = 60

[hedge_controller]
enable_cross_engine_hedging = true
hedge_threshold_score = 0.3
hedge_size_ratio = 0.25

[system]
max_positions = 10
max_risk_per_trade = 0.02
max_portfolio_risk = 0.10
data_update_interval = 0.1
signal_confidence_threshold = 0.6

[trading.liquidity_sweep]
min_volume = 10000
price_impact_threshold = 0.001
time_window = 5

[trading.absorption]
flow_imbalance_threshold = 0.7
volume_threshold = 5000
rejection_count = 3

[trading.iceberg]
replenishment_threshold = 0.8
size_consistency = 0.9
time_interval_tolerance = 2

[risk]
max_drawdown = 0.15
var_confidence = 0.95
position_sizing = "kelly"
stop_loss_pct = 0.02
take_profit_ratio = 2.0
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "chimera.toml"
    path.write_text(text, encoding="utf-8")
    return path


def command_line(*assignments: str) -> dict[str, str]:
    environ: dict[str, str] = {}
    note_command_line(assignments, environ)
    return environ


def value_at(configuration: Configuration, path: tuple[str, ...]) -> Any:
    found: Any = configuration
    for name in path:
        found = getattr(found, name)
    return found


def as_toml(value: Any) -> str:
    return json.dumps(value)


def refusal(environ: Mapping[str, str], path: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path, environ)
    return str(caught.value)


def test_the_documents_settings_load_as_they_stand(tmp_path: Path) -> None:
    found, origins = explained_configuration(written(tmp_path, DOCUMENTED), {})
    for key in DOCUMENT_KEYS:
        assert value_at(found, key.setting) == pytest.approx(key.value * key.factor if key.factor != 1 else key.value)
        assert key.setting in origins
    assert found.coordination.clock_interval_ns == 100_000_000
    assert (found.detectors.sweeps.window_ms, found.detectors.icebergs.refill_ms) == (5_000, 2_000)
    assert (found.sizing.method.value, found.exits.target_source.value) == ("kelly", "ratio")


def test_every_key_of_the_documents_is_listed_once() -> None:
    names = [key.label for key in DOCUMENT_KEYS]
    assert len(names) == len(set(names))
    section, listed = "", []
    for line in DOCUMENTED.splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line:
            listed.append(f"{section} {line.split(' = ')[0]}")
    assert sorted(names) == sorted(listed)
    assert len({key.setting for key in DOCUMENT_KEYS}) == len(DOCUMENT_KEYS)


@pytest.mark.parametrize("key", ALIASES, ids=lambda key: key.label)
def test_an_alias_works_in_file_environment_and_command_line_and_its_source_names_it(
    key: DocumentKey, tmp_path: Path
) -> None:
    value, dotted = as_toml(key.value), ".".join(key.name)
    expected = value_at(load_configuration(written(tmp_path, DOCUMENTED), {}), key.setting)
    path = written(tmp_path, f"[{'.'.join(key.name[:-1])}]\n{key.name[-1]} = {value}\n")
    variable = "CHIMERA_" + "__".join(key.name).upper()
    for given_path, environ, source in [
        (path, {}, f"{path}: {key.label}"),
        (None, {variable: value}, f"${variable}"),
        (None, command_line(f"{dotted}={value}"), f"--set {dotted}"),
    ]:
        found, origins = explained_configuration(given_path, environ)
        assert value_at(found, key.setting) == expected
        assert origins[key.setting] == source
        assert set(origins) == {key.setting, *key.implies}


def test_each_layer_goes_over_the_one_before_whichever_name_it_uses(tmp_path: Path) -> None:
    path = written(tmp_path, "[system]\nmax_positions = 3\ndata_update_interval = 0.5\n")
    own = {"CHIMERA_RISK__MAX_POSITIONS": "4", **command_line("coordination.clock_interval_ns=20_000_000")}
    found = load_configuration(path, own)
    assert (found.risk.max_positions, found.coordination.clock_interval_ns) == (4, 20_000_000)
    found, origins = explained_configuration(path, {"CHIMERA_SYSTEM__MAX_POSITIONS": "5"})
    assert found.risk.max_positions == 5
    assert origins["risk", "max_positions"] == "$CHIMERA_SYSTEM__MAX_POSITIONS"
    assert load_configuration(path, own | command_line("system.max_positions=6")).risk.max_positions == 6


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[system]\nmax_positions = 0\n", ["'[system] max_positions'", "'risk.max_positions'", "is 0", "≥ 1"]),
        ("[system]\nmax_positions = 'many'\n", ["'[system] max_positions'", "'many'", "integer"]),
        ("[system]\ndata_update_interval = 0.001\n", ["'[system] data_update_interval'", "0.001", "≥ 0.01, ≤ 60 s"]),
        ("[system]\ndata_update_interval = '1 s'\n", ["'1 s'", "a number", "≥ 0.01, ≤ 60 s"]),
        ("[system]\ndata_update_interval = true\n", ["True", "a number"]),
        ("[system]\ndata_update_interval = inf\n", ["inf", "a number"]),
        ("[trading.liquidity_sweep]\ntime_window = 0.0005\n", ["[trading.liquidity_sweep] time_window", "1/1000 s"]),
        ("[trading.liquidity_sweep]\ntime_window = 11\n", ["is 11", "≥ 0.001, ≤ 10 s"]),
        ("[risk]\nposition_sizing = 'martingale'\n", ["[risk] position_sizing", "'martingale'", "'kelly'"]),
        ("[risk]\nstop_loss_pct = 2.0\n", ["[risk] stop_loss_pct", "≤ 0.5 fraction of the price"]),
        ("[system]\nmax_position = 1\n", ["'system.max_position'", "max_positions"]),
        ("[trading.iceberg]\nmin_volume = 1\n", ["'trading.iceberg.min_volume'", "size_consistency"]),
        ("[trading.vacuum]\nx = 1\n", ["'trading.vacuum.x'", "absorption, iceberg, liquidity_sweep"]),
        ("trading = 1\n", ["'trading' is 1", "a table"]),
        ("[trading]\nabsorption = 1\n", ["'trading.absorption' is 1", "a table"]),
        (
            "[system]\nmax_positions = 1\n[risk]\nmax_positions = 2\n",
            ["'[system] max_positions'", "'risk.max_positions'", "as well"],
        ),
    ],
)
def test_a_bad_value_or_key_is_refused_under_its_own_name_and_unit(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = written(tmp_path, text)
    message = refusal({}, path)
    for part in [str(path), *parts]:
        assert part in message


def test_all_errors_of_a_layer_are_reported_at_once(tmp_path: Path) -> None:
    message = refusal({}, written(tmp_path, "[system]\nmax_positions = 0\nmax_portfolio_risk = 0\nspeed = 1\n"))
    assert all(part in message for part in ("max_positions", "max_portfolio_risk", "system.speed"))


def test_a_setting_against_another_is_refused_with_the_documents_key_as_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "[risk]\nmax_drawdown = 0.01\n")
    assert f"{path}: [risk] max_drawdown" in refusal({}, path)


def test_the_take_profit_ratio_is_used_unless_the_layer_names_another_source(tmp_path: Path) -> None:
    found = load_configuration(written(tmp_path, "[risk]\ntake_profit_ratio = 3\n"), {})
    assert (found.exits.take_profit_ratio, found.exits.target_source.value) == (3.0, "ratio")
    path = written(tmp_path, "[risk]\ntake_profit_ratio = 3\n[exits]\ntarget_source = 'model'\n")
    assert load_configuration(path, {}).exits.target_source.value == "model"


def test_empty_tables_of_the_documents_set_nothing(tmp_path: Path) -> None:
    assert load_configuration(written(tmp_path, "[system]\n[trading]\n[trading.iceberg]\n"), {}) == Configuration()


@given(st.integers(10_000_000, 60_000_000_000))
def test_a_time_in_seconds_becomes_the_nanoseconds_that_it_names(ns: int) -> None:
    found = load_configuration(None, {"CHIMERA_SYSTEM__DATA_UPDATE_INTERVAL": repr(ns / 1e9)})
    assert found.coordination.clock_interval_ns == ns


def test_bounds_are_shown_in_the_documents_unit() -> None:
    by_name = {key.name[-1]: key for key in DOCUMENT_KEYS}
    interval, sizing = by_name["data_update_interval"], by_name["position_sizing"]
    assert document_bounds(interval, field_of(Configuration, interval.setting)) == "≥ 0.01, ≤ 60"
    assert "kelly" in document_bounds(sizing, field_of(Configuration, sizing.setting))


def test_config_show_lists_the_documents_keys_with_their_settings(tmp_path: Path) -> None:
    path = written(tmp_path, "[system]\ndata_update_interval = 0.5\n")
    shown = CliRunner().invoke(config_command, ["show", "--documents", "--json", "--config", str(path)])
    rows = {row["document_key"]: row for row in json.loads(shown.stdout)["settings"]}
    assert len(rows) == len(DOCUMENT_KEYS)
    row = rows["system.data_update_interval"]
    assert (row["setting"], row["value"], row["bounds"]) == ("coordination.clock_interval_ns", 0.5, "≥ 0.01, ≤ 60")
    assert row["source"] == f"{path}: [system] data_update_interval"
    assert rows["system.max_positions"]["source"] == "default"
    shown = CliRunner().invoke(config_command, ["show", "--changed", "--json", "--config", str(path)])
    (row,) = json.loads(shown.stdout)["settings"]
    assert (row["setting"], row["source"]) == (
        "coordination.clock_interval_ns",
        f"{path}: [system] data_update_interval",
    )


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), (
        f"run python -m chimera_platform.documented_settings_page docs/{PAGE.name}"
    )
