"""JSON files of parameters: section → key → value or values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chimera_platform.errors import ConfigurationError


def read_sections(path: Path, what: str, example: str) -> dict[str, dict[str, Any]]:
    """Return a JSON file's object of sections; ConfigurationError naming the file where it is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot read {what}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(values, dict) for values in content.values()):
        raise ConfigurationError(f"{path}: expected an object of sections, such as {example}")
    return content
