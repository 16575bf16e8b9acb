"""Where a setting comes from: file < environment < command line, each later layer over the one before.

An environment variable names its setting with two underscores between the parts and is read as a TOML value:
``CHIMERA_HFT__COOLDOWN_NS=7_000_000_000`` is ``cooldown_ns`` of ``[hft]``. On the command line,
``--set hft.cooldown_ns=7_000_000_000`` does the same, goes anywhere and may be repeated. What is not a TOML value is
taken as text.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chimera_platform.errors import ConfigurationError

COMMAND_LINE = "CHIMERA_COMMAND_LINE_SETTINGS"
"""The environment variable that hands the command line's settings to the processes of a flow."""
_PREFIX = "CHIMERA_"
_BETWEEN = "__"
_NAMED = (("VENUES",), ("ALLOCATOR", "SYMBOL_SHARES"), ("ALLOCATOR", "CURRENCY_SHARES"))
"""Tables whose keys are names of the user's, written as instruments write them."""


@dataclass(frozen=True)
class Layer:
    """One place's settings: nested as in the file, and how to name the place of one of them in an error or a list."""

    content: dict[str, Any]
    origins: dict[tuple[str, ...], str]  # path of a setting → "file.toml", "$CHIMERA_…", "--set"


def file_layer(path: Path) -> Layer:
    """Return the settings of a TOML file.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is not text or not TOML.
    """
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot read the configuration file: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text at byte {error.start}; expected a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    return Layer(content, {setting: str(path) for setting, _ in leaves(content)})


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Return the settings that environment variables make, in the variables' alphabetical order."""
    layer = Layer({}, {})
    for name in sorted(environ):
        if name.startswith(_PREFIX) and _BETWEEN in name:
            parts = name.removeprefix(_PREFIX).split(_BETWEEN)
            named = next((len(table) for table in _NAMED if tuple(parts[: len(table)]) == table), None)
            setting = tuple(part if k == named else part.lower() for k, part in enumerate(parts))
            put(layer, setting, _value(environ[name]), f"${name}")
    return layer


def command_line_layer(environ: Mapping[str, str]) -> Layer:
    """Return the settings that :func:`note_command_line` has noted."""
    layer = Layer({}, {})
    for text in json.loads(environ.get(COMMAND_LINE, "[]")):
        name, value = split_assignment(text)
        put(layer, tuple(name.split(".")), _value(value), "--set")
    return layer


def take_assignments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments without ``--set NAME=VALUE`` and those assignments, each checked for its form."""
    rest, assignments = [], []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--set":
            assignments.append(next(remaining, ""))
        elif argument.startswith("--set="):
            assignments.append(argument.removeprefix("--set="))
        else:
            rest.append(argument)
    for text in assignments:
        split_assignment(text)
    return rest, assignments


def note_command_line(assignments: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Put the command line's settings where this process and the processes that it starts find them."""
    if assignments:
        environ[COMMAND_LINE] = json.dumps(list(assignments))


def split_assignment(text: str) -> tuple[str, str]:
    """Return name and value of ``section.key=value``; ConfigurationError for any other form."""
    name, equals, value = text.partition("=")
    if not equals or "." not in name or not all(name.split(".")):
        raise ConfigurationError(
            f"--set is {text!r}; expected section.key=value, such as hft.cooldown_ns=7_000_000_000"
        )
    return name.strip(), value.strip()


def merged(layers: Sequence[Layer]) -> Layer:
    """Return all layers as one, the later ones over the earlier."""
    whole = Layer({}, {})
    for layer in layers:
        for setting, value in leaves(layer.content):
            if value == {} and any(known[: len(setting)] == setting for known in whole.origins):
                continue  # an empty table takes nothing away
            put(whole, setting, value, layer.origins[setting])
    return whole


def leaves(content: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of everything in nested tables that is not a table itself."""
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def put(layer: Layer, setting: tuple[str, ...], value: Any, origin: str) -> None:
    """Set one setting of ``layer``; ConfigurationError where a part of its path is a value already."""
    table = layer.content
    for depth, part in enumerate(setting[:-1]):
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            name = ".".join(setting[: depth + 1])
            raise ConfigurationError(
                f"{origin}: '{'.'.join(setting)}' is a setting of the table '{name}', which is {inner!r}"
            )
        table = inner
    table[setting[-1]] = value
    layer.origins[setting] = origin


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
