"""Places that cannot be written: a read-only file system and a full one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def _mounted(path: Path, options: str) -> bool:
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _unmount(path: Path) -> None:
    subprocess.run(["umount", str(path)], capture_output=True, check=False)


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which this user, root too, can create nothing."""
    path = tmp_path / "read-only"
    if os.geteuid() != 0:
        path.mkdir(mode=0o555)
        yield path
        path.chmod(0o755)
        return
    if not _mounted(path, "ro,size=64k"):
        pytest.skip("root may write everywhere, and no file system can be mounted here")
    yield path
    _unmount(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    path = tmp_path / "small"
    if not _mounted(path, "size=256k"):
        pytest.skip("no file system can be mounted here")
    yield path
    _unmount(path)
