"""Where settings come from: file < environment < command line, and errors that name the place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_platform.configuration import Configuration, explained_configuration, load_configuration
from chimera_platform.configuration_layers import Layer, leaves, merged, note_command_line, take_assignments
from chimera_platform.errors import ConfigurationError


def command_line(*assignments: str) -> dict[str, str]:
    environ: dict[str, str] = {}
    note_command_line(assignments, environ)
    return environ


def written(folder: Path, text: str) -> Path:
    path = folder / "chimera.toml"
    path.write_text(text, encoding="utf-8")
    return path


def chimera(*arguments: str, **environ: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "chimera_platform", *arguments, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_each_layer_goes_over_the_one_before_and_the_source_of_each_value_is_known(tmp_path: Path) -> None:
    path = written(tmp_path, "[hft]\nstop_vols = 2.0\ncooldown_ns = 1\nmax_hold_ns = 60_000_000_000\n")
    environ = {"CHIMERA_HFT__STOP_VOLS": "3.0", "CHIMERA_HFT__COOLDOWN_NS": "2", **command_line("hft.stop_vols=4.5")}
    found, origins = explained_configuration(path, environ)
    assert (found.hft.stop_vols, found.hft.cooldown_ns, found.hft.max_hold_ns) == (4.5, 2, 60_000_000_000)
    assert origins == {
        ("hft", "stop_vols"): "--set",
        ("hft", "cooldown_ns"): "$CHIMERA_HFT__COOLDOWN_NS",
        ("hft", "max_hold_ns"): str(path),
    }
    assert found.structure == Configuration().structure


def test_other_variables_of_the_platform_are_not_settings() -> None:
    assert load_configuration(None, {"CHIMERA_KERNEL_CACHE": "elsewhere", "CHIMERA_DATA": "data"}) == Configuration()


def test_values_are_read_as_toml_and_otherwise_as_text() -> None:
    environ = command_line("structure.enabled=false", "account.name=second-desk", "account.starting_equity=1_000")
    found = load_configuration(None, environ)
    assert (found.structure.enabled, found.account.name) == (False, "second-desk")
    assert found.account.starting_equity == 1000


@pytest.mark.parametrize(
    ("environ", "parts"),
    [
        ({"CHIMERA_HFT__STOP_VOLS": "-1"}, ["$CHIMERA_HFT__STOP_VOLS", "'hft.stop_vols'", "-1", "greater than"]),
        ({"CHIMERA_HFT__STOP": "1"}, ["$CHIMERA_HFT__STOP", "'hft.stop'", "stop_vols"]),
        (command_line("hft.stop_vols=many"), ["--set", "'hft.stop_vols'", "'many'", "number"]),
        (command_line("hft.stop_vols.x=1"), ["--set", "hft.stop_vols"]),
        ({"CHIMERA_HFT__STOP_VOLS": "1.5", **command_line("hft.stop_vols.x=1")}, ["--set", "table 'hft.stop_vols'"]),
    ],
)
def test_a_bad_setting_is_refused_with_its_place(environ: dict[str, str], parts: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(None, environ)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["hft", "hft=1", ".stop_vols=1", "hft.=1", ""])
def test_an_assignment_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"expected section\.key=value"):
        take_assignments(["backtest", "--set", text])


def test_assignments_may_stand_anywhere_and_leave_the_other_arguments_as_they_are() -> None:
    arguments = ["--set", "a.b=1", "replay", "--set=c.d=x=y", "FILE", "--json"]
    assert take_assignments(arguments) == (["replay", "FILE", "--json"], ["a.b=1", "c.d=x=y"])


_TABLES = st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from("xyz"), st.integers()))


@given(st.lists(_TABLES, max_size=4))
def test_the_last_layer_that_names_a_setting_decides_it(contents: list[dict[str, Any]]) -> None:
    """merged(layers)[s] = value of s in the last layer that has it; nothing else is in it."""
    layers = [Layer(content, {name: str(k) for name, _ in leaves(content)}) for k, content in enumerate(contents)]
    whole = merged(layers)
    expected = {
        name: (value, str(k)) for k, content in enumerate(contents) for name, value in leaves(content) if value != {}
    }
    assert {n: (v, whole.origins[n]) for n, v in leaves(whole.content) if v != {}} == expected


def test_config_show_and_check_say_value_bounds_and_source(tmp_path: Path) -> None:
    path = written(tmp_path, "[hft]\nstop_vols = 2.0\n")
    status, shown = chimera("config", "show", "hft", "--config", str(path), CHIMERA_HFT__COOLDOWN_NS="7")
    rows = {row["setting"]: row for row in shown["settings"]}
    assert status == 0 and all(name.startswith("hft.") for name in rows)
    assert (rows["hft.stop_vols"]["value"], rows["hft.stop_vols"]["source"]) == (2.0, str(path))
    assert rows["hft.cooldown_ns"]["source"] == "$CHIMERA_HFT__COOLDOWN_NS"
    assert rows["hft.cooldown_ns"]["bounds"].startswith("≥ 0") and rows["hft.cooldown_ns"]["meaning"]
    assert rows["hft.enabled"]["source"] == "default"
    status, checked = chimera("config", "check", str(path), "--set", "hft.stop_vols=3")
    assert (status, checked["changed"], checked["sources"]) == (0, 1, {"hft.stop_vols": "--set"})
    status, refused = chimera("config", "check", str(path), "--set", "hft.stop_vols=-3", "--set", "hfx.a=1")
    assert status == 1 and "'hft.stop_vols'" in refused["error"] and "'hfx'" in refused["error"]


def test_a_setting_of_the_command_line_makes_another_run(tmp_path: Path) -> None:
    deployment = pytest.importorskip("streaming.deployment")
    feed = "sim://?symbols=XAUUSD&seed=7&days=1"
    before = deployment.Deployment(tmp_path, feed=feed).run_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHIMERA_HFT__COOLDOWN_NS", "7")
        assert deployment.Deployment(tmp_path, feed=feed).run_id != before
    assert deployment.Deployment(tmp_path, feed=feed).run_id == before


def test_a_venue_of_its_own_is_named_as_instruments_name_it(tmp_path: Path) -> None:
    path = written(tmp_path, "[venues.OANDA]\norder_latency_ns = 1\nseed = 3\n")
    environ = {"CHIMERA_VENUES__OANDA__ORDER_LATENCY_NS": "2", "CHIMERA_VENUES__COMEX__SEED": "4"}
    found, origins = explained_configuration(path, environ)
    assert (found.venues["OANDA"].order_latency_ns, found.venues["OANDA"].seed, found.venues["COMEX"].seed) == (2, 3, 4)
    assert origins["venues", "OANDA", "order_latency_ns"] == "$CHIMERA_VENUES__OANDA__ORDER_LATENCY_NS"
    with pytest.raises(ConfigurationError, match=r"'venues\.OANDA\.speed'"):
        load_configuration(path, {"CHIMERA_VENUES__OANDA__SPEED": "2"})


def test_shares_of_single_symbols_are_named_as_instruments_are_and_shown_one_by_one(tmp_path: Path) -> None:
    path = written(tmp_path, "[allocator.symbol_shares]\nGC = 0.1\n")
    environ = {"CHIMERA_ALLOCATOR__SYMBOL_SHARES__XAUUSD": "0.2", "CHIMERA_ALLOCATOR__CURRENCY_SHARES__XAU": "0.25"}
    shares = load_configuration(path, environ).allocator
    assert (shares.symbol_shares, shares.currency_shares) == ({"GC": 0.1, "XAUUSD": 0.2}, {"XAU": 0.25})
    _, shown = chimera("config", "show", "allocator", "--config", str(path), **environ)
    rows = {row["setting"]: (row["value"], row["bounds"], row["source"]) for row in shown["settings"]}
    assert rows["allocator.symbol_shares.GC"] == (0.1, "≥ 0, ≤ 1", str(path))
    assert rows["allocator.symbol_shares.XAUUSD"][2] == "$CHIMERA_ALLOCATOR__SYMBOL_SHARES__XAUUSD"
    with pytest.raises(ConfigurationError, match=r"'allocator\.symbol_shares\.GC' is 2"):
        load_configuration(path, command_line("allocator.symbol_shares.GC=2"))


def test_an_empty_table_of_values_is_shown_as_a_setting_and_one_of_sections_is_not() -> None:
    _, shown = chimera("config", "show")
    names = {row["setting"] for row in shown["settings"]}
    assert "allocator.symbol_shares" in names
    assert "venues" not in names
