"""The kill switch: a file in the work folder that holds every flow there flat until a person takes it away.

While ``KILLED`` stands in the work folder, a flow takes no new risk: intents are refused, working entries cancelled,
positions closed. It is looked at before the first event and twenty times a second from then on, so neither a
restart nor a new run gets past it, and no process has to be alive to throw it. The moment at which a flow obeys is
journaled like a change of release, and a replay obeys at the same event.

A live flow whose circuit breaker triggers throws the switch by itself, so that what a person has to reset is one
thing: taking the switch back resets the breaker, too.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from chimera_platform.errors import ConfigurationError, JournalError
from chimera_platform.journal.storage import storage_error

FILE = "KILLED"
HISTORY = "kill-history.jsonl"
BREAKER = "circuit breaker"
"""Who throws it when the losses of a live flow trigger the circuit breaker."""


@dataclass(frozen=True)
class Kill:
    """Who threw the switch, why, and when (UTC, ISO 8601)."""

    by: str
    reason: str
    at: str


class KillSwitch:
    """The switch of one work folder.

    Parameters
    ----------
    folder : the work folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._history = folder / HISTORY

    def is_thrown(self) -> bool:
        """Return whether flows have to be flat: any file of the name counts, whatever is in it."""
        return self._file.exists()

    def kill(self) -> Kill | None:
        """Return who threw it and why, None where it is not thrown; a file that says nothing counts as unknown."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return Kill("unknown", "unknown", "unknown")
        try:
            content = json.loads(text)
            return Kill(str(content["by"]), str(content["reason"]), str(content["at"]))
        except (ValueError, KeyError, TypeError):
            return Kill("unknown", text.strip()[:200] or "unknown", "unknown")

    def throw(self, by: str, reason: str) -> Kill:
        """Throw the switch; one that is thrown already stays as it is, and is returned.

        Raises
        ------
        ConfigurationError : ``by`` or ``reason`` is empty.
        JournalError : the file cannot be written.
        """
        _require(by=by, reason=reason)
        known = self.kill()
        if known is not None:
            return known
        kill = Kill(by.strip(), reason.strip(), _now())
        temporary = self._file.with_name(f".{FILE}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(json.dumps(asdict(kill)) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._file)
        except OSError as error:
            raise storage_error(self._file, error) from error
        self._note("thrown", kill)
        return kill

    def reset(self, by: str, reason: str) -> Kill:
        """Take the switch back; return who had thrown it.

        Raises
        ------
        ConfigurationError : ``by`` or ``reason`` is empty.
        JournalError : it is not thrown, or the file cannot be taken away.
        """
        _require(by=by, reason=reason)
        known = self.kill()
        if known is None:
            raise JournalError(f"{self._file.parent}: the kill switch is not thrown")
        self._note("reset", Kill(by.strip(), reason.strip(), _now()))
        try:
            self._file.unlink()
        except OSError as error:
            raise storage_error(self._file, error) from error
        return known

    def history(self) -> list[dict[str, str]]:
        """Return every throw and reset, oldest first."""
        try:
            lines = self._history.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line]

    def _note(self, what: str, kill: Kill) -> None:
        try:
            with self._history.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"what": what, **asdict(kill)}) + "\n")
        except OSError as error:
            raise storage_error(self._history, error) from error


def _require(**texts: str) -> None:
    for name, text in texts.items():
        if not text.strip():
            raise ConfigurationError(f"--{name} is empty; expected who does it, or why: it is kept on record")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
