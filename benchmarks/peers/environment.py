"""The peers' own environment: `.peers-venv`, from a hashed lock, never a dependency of the project."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chimera_platform.errors import ChimeraError

CHECKOUT = Path(__file__).resolve().parents[2]
LOCK = CHECKOUT / "requirements" / "peers.lock"
FOLDER = CHECKOUT / ".peers-venv"
_STAMP = ".ready"


@dataclass(frozen=True)
class PeersEnvironment:
    """An environment with the peers.

    Attributes
    ----------
    python : its interpreter.
    left_out : what could not be installed, and why; empty when all is there.
    """

    python: Path
    left_out: dict[str, str]


def pythons_312() -> Iterator[str]:
    """Yield interpreters that may be Python 3.12: this one, those on the path, those of pyenv."""
    yield sys.executable
    yield from filter(None, (shutil.which("python3.12"),))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in sorted(pyenv.glob("versions/3.12*/bin/python3.12")))


def is_312(python: str) -> bool:
    """Return whether ``python`` runs and is Python 3.12."""
    command = [python, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 12))"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def prepare(progress: Callable[[str], None]) -> PeersEnvironment:
    """Return the peers' environment, building it where it is missing or of another lock.

    Raises
    ------
    ChimeraError : it cannot be built.
    """
    python = next((each for each in pythons_312() if is_312(each)), None)
    left_out = {} if python else {"NautilusTrader": "it needs Python 3.12, and none was found on this machine"}
    lock = LOCK.read_text(encoding="utf-8")  # its markers leave NautilusTrader out where Python is older
    inside = FOLDER / "bin" / "python"
    stamp, state = FOLDER / _STAMP, hashlib.sha256(f"{python}\n{lock}".encode()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == state):
        progress(f"building {FOLDER.name} with {python or sys.executable} from {LOCK.relative_to(CHECKOUT)}")
        _run([python or sys.executable, "-m", "venv", "--clear", str(FOLDER)])
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
        _run([str(inside), "-m", "pip", "install", *options, "-r", str(LOCK)])
        stamp.write_text(state)
    return PeersEnvironment(inside, left_out)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChimeraError(f"{' '.join(command[:4])} … failed: {' '.join(done.stderr.split()[-40:])}")
