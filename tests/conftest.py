"""Shared fixtures: where the real market data is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def real_data_folder() -> Path:
    named = os.environ.get("CHIMERA_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real market data; missing data fails in CI and skips elsewhere."""
    folder = real_data_folder()
    if not folder.is_dir():
        message = f"no real market data at {folder} (set CHIMERA_DATA)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
