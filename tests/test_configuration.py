"""The configuration: defaults, files, overrides by a release, and errors that say what to mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from chimera_platform.configuration import Configuration, load_configuration, with_parameters
from chimera_platform.engines.hft import HftSettings
from chimera_platform.engines.structure import StructureSettings
from chimera_platform.errors import ConfigurationError
from chimera_platform.settings import Settings, record_dtype, to_record


def written(folder: Path, text: str) -> Path:
    path = folder / "chimera.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_every_section_has_its_defaults() -> None:
    assert load_configuration(None) == Configuration()
    assert load_configuration(None).hft == HftSettings()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, "[hft]\ncooldown_ns = 7_000_000_000\n[structure]\nenabled = false\n")
    loaded = load_configuration(path)
    assert loaded.hft == HftSettings(cooldown_ns=7_000_000_000)
    assert loaded.structure == StructureSettings(enabled=False)
    assert loaded.risk == Configuration().risk
    assert loaded.account == Configuration().account


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[hft]\ncooldown = 1\n", ["'hft.cooldown'", "1", "cooldown_ns"]),
        ("[hfd]\ncooldown_ns = 1\n", ["'hfd'", "hft"]),
        ("[hft]\ncooldown_ns = -1\n", ["'hft.cooldown_ns'", "-1", "greater than or equal to 0"]),
        ("[hft]\ncooldown_ns = 'soon'\n", ["'hft.cooldown_ns'", "'soon'", "integer"]),
        ("[hft]\nqueue_imbalance_min = nan\n", ["'hft.queue_imbalance_min'", "nan"]),
        ("hft = 3\n", ["'hft'", "3"]),
        ("[hft\n", ["not valid TOML"]),
    ],
)
def test_a_bad_file_is_refused_with_file_key_value_and_expectation(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    for part in [str(path), *parts]:
        assert part in str(caught.value)


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.toml: cannot read"):
        load_configuration(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"[hft]\n\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8 text at byte 6"):
        load_configuration(tmp_path / "binary.toml")


def test_all_errors_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "[hft]\ncooldown_ns = -1\nstop_vols = 'x'\n")
    with pytest.raises(ConfigurationError, match=r"stop_vols.*cooldown_ns"):
        load_configuration(path)


def test_parameters_override_single_settings() -> None:
    changed = with_parameters(Configuration(), {"hft": {"queue_imbalance_min": 0.25, "max_hold_ns": 1e9}})
    assert changed.hft == HftSettings(queue_imbalance_min=0.25, max_hold_ns=1_000_000_000)
    assert isinstance(changed.hft.max_hold_ns, int)
    assert changed.structure == Configuration().structure
    assert Configuration().hft.queue_imbalance_min != 0.25


def test_parameters_keep_what_the_file_had_set(tmp_path: Path) -> None:
    base = load_configuration(written(tmp_path, "[hft]\nstop_vols = 2.5\n[account]\nname = 'second'\n"))
    changed = with_parameters(base, {"structure": {"enabled": 0}})
    assert changed.hft.stop_vols == 2.5
    assert changed.account.name == "second"
    assert changed.structure.enabled is False


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"hft": {"queue_imbalance_min": 1.5}}, ["'hft.queue_imbalance_min'", "1.5", "less than or equal to 1"]),
        ({"hft": {"max_hold_ns": 1e9 + 0.5}}, ["'hft.max_hold_ns'", "integer"]),
        ({"hft": {"queue": 0.5}}, ["'hft.queue'", "queue_imbalance_min"]),
        ({"hull": {"queue": 0.5}}, ["'hull'", "structure"]),
    ],
)
def test_parameters_out_of_bounds_or_unknown_are_refused(
    parameters: dict[str, dict[str, float]], parts: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_parameters(Configuration(), parameters)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("section", [HftSettings, StructureSettings])
def test_every_numeric_engine_parameter_is_bounded_and_described(section: type[Settings]) -> None:
    for name, field in section.model_fields.items():
        assert field.description, name
        if field.annotation is not bool:
            kinds = {type(constraint).__name__ for constraint in field.metadata}
            assert kinds & {"Ge", "Gt"}, name
            assert kinds & {"Le", "Lt"}, name


@pytest.mark.parametrize("section", [HftSettings, StructureSettings])
def test_every_engine_parameter_reaches_the_kernels_record(section: type[Settings]) -> None:
    assert record_dtype(section).names == tuple(section.model_fields)
    assert to_record(section())["enabled"] == 1
