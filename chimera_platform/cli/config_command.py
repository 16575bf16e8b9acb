"""`chimera config`: which settings are in force, where each comes from, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.common_options import accept_common_options
from chimera_platform.cli.output import emit
from chimera_platform.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from chimera_platform.settings import Settings

configuration = typer.Typer(help="Settings: show them with their sources, check a file.", no_args_is_help=True)

_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@configuration.command("show")
@accept_common_options
def show(
    section: Annotated[str | None, typer.Argument(help="Only this section, such as hft.")] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not a default.")] = False,
    documents: Annotated[
        bool, typer.Option("--documents", help="By the keys of the source documents, in their units.")
    ] = False,
    config: o.ConfigOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Show every setting in force: value, bounds, unit and meaning, and the place that it comes from.

    A setting of the file goes before its default, an environment variable (CHIMERA_HFT__COOLDOWN_NS=…) before the
    file, and --set hft.cooldown_ns=… before all. The keys of the platform's source documents, such as
    system.max_positions, stand for the settings that --documents shows beside them, wherever a setting can be named.

    Example: chimera config show hft --config chimera.toml
    """
    rows = _document_rows(config, section) if documents else _rows(config, section)
    if changed:
        rows = [row for row in rows if row["source"] != "default"]
    if as_json:
        emit({"settings": rows}, as_json=True)
        return
    name = "document_key" if documents else "setting"
    emit({row[name]: _line(row) for row in rows}, as_json=False, title="configuration")


@configuration.command("check")
@accept_common_options
def check(
    file: Annotated[Path | None, typer.Argument(help="TOML file of settings.", show_default=False)] = None,
    config: o.ConfigOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Check a file together with environment and command line; exit status 1 names everything that is wrong.

    Example: chimera config check chimera.toml
    """
    rows = _rows(file or config, None)
    changed = {row["setting"]: row["source"] for row in rows if row["source"] != "default"}
    emit({"settings": len(rows), "changed": len(changed), "sources": changed}, as_json=as_json, title="configuration")


def _rows(path: Path | None, section: str | None) -> list[dict[str, Any]]:
    from chimera_platform.configuration import explained_configuration

    settings, origins = explained_configuration(path)
    if section is not None and section not in type(settings).model_fields:
        known = ", ".join(sorted(type(settings).model_fields))
        raise ConfigurationError(f"no section is called '{section}'; expected one of: {known}")
    rows = [
        {
            "setting": ".".join(name),
            "value": value,
            "bounds": _bounds(field),
            "meaning": field.description or "",
            "source": origins.get(name, "default"),
        }
        for name, value, field in _settings(settings)
    ]
    return [row for row in rows if section is None or row["setting"].split(".")[0] == section]


def _document_rows(path: Path | None, section: str | None) -> list[dict[str, Any]]:
    """Return the source documents' keys with the settings that they stand for, value and bounds in their units."""
    from chimera_platform.configuration import explained_configuration
    from chimera_platform.documented_settings import DOCUMENT_KEYS, document_bounds, field_of, in_document_units

    sections = dict.fromkeys(key.name[0] for key in DOCUMENT_KEYS)
    if section is not None and section not in sections:
        known = ", ".join(sorted(sections))
        raise ConfigurationError(f"no section of the documents is called '{section}'; expected one of: {known}")
    settings, origins = explained_configuration(path)
    return [
        {
            "document_key": ".".join(key.name),
            "setting": ".".join(key.setting),
            "value": in_document_units(key, settings),
            "bounds": document_bounds(key, field_of(type(settings), key.setting)),
            "meaning": f"{key.unit}: {'.'.join(key.setting)}",
            "source": origins.get(key.setting, "default"),
        }
        for key in DOCUMENT_KEYS
        if section in (None, key.name[0])
    ]


def _settings(settings: Settings, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any, FieldInfo]]:
    """Return path, value and field of every setting, those of sections inside sections too."""
    from chimera_platform.settings import Settings

    found: list[tuple[tuple[str, ...], Any, FieldInfo]] = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Settings):
            found += _settings(value, (*above, name))
        elif isinstance(value, dict) and (value or _is_table_of_tables(field)):
            for key, each in value.items():
                path = (*above, name, key)
                found += _settings(each, path) if isinstance(each, Settings) else [(path, each, field)]
        else:
            found.append(((*above, name), value, field))
    return found


def _is_table_of_tables(field: FieldInfo) -> bool:
    """Return whether a dict setting holds whole sections by name, not single values."""
    from chimera_platform.settings import Settings

    values = get_args(field.annotation)[1]
    return isinstance(values, type) and issubclass(values, Settings)


def _bounds(field: FieldInfo) -> str:
    """Return the bounds of a numeric setting, such as "≥ 0, ≤ 1", or of a table's values; empty where it has none."""
    of_values = [rule for each in get_args(field.annotation)[1:] for rule in getattr(each, "__metadata__", ())]
    rules = [*field.metadata, *(rule for info in of_values for rule in info.metadata)]
    limits = [(sign, getattr(rule, name, None)) for rule in rules for name, sign in _BOUNDS.items()]
    return ", ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)


def _line(row: dict[str, Any]) -> str:
    parts = [str(row["value"]), row["meaning"], row["bounds"], "" if row["source"] == "default" else row["source"]]
    return "  ·  ".join(part for part in parts if part)
