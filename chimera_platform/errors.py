"""The errors a user of the platform can meet; each message says what, where, what was expected and what to do."""

from __future__ import annotations

from pathlib import Path


class ChimeraError(Exception):
    """Base of every error that is the user's to mend: shown as one line, exit status 1."""


class ConfigurationError(ChimeraError):
    """A setting, instrument file or command option that cannot be used."""


class DataError(ChimeraError):
    """Market data that cannot be used as it stands."""


class MalformedRow(DataError):
    """A row of a source file that does not parse or breaks a rule of its format.

    Parameters
    ----------
    path : the file, with ``!member`` behind it where the row is inside an archive.
    line : number of the line, from 1.
    field : name of the offending field.
    value : what stood there.
    expected : what the format asks for.
    """

    def __init__(self, path: Path | str, line: int, field: str, value: object, expected: str) -> None:
        super().__init__(f"{path}, line {line}: field '{field}' is {value!r}; expected {expected}")
        self.path, self.line, self.field, self.value, self.expected = str(path), line, field, value, expected


class CapacityError(ChimeraError):
    """A bounded buffer or table of a kernel is full; nothing was truncated silently."""


class JournalError(ChimeraError):
    """A journal that is locked, corrupt or incomplete."""


class WarehouseError(ChimeraError):
    """The warehouse cannot be opened, migrated or written."""


class ReleaseError(ChimeraError):
    """A release that is missing, altered or refused."""


class VenueError(ChimeraError):
    """A venue that cannot be reached or answers against its protocol."""


class ReconciliationError(VenueError):
    """Client and venue differ in a way that nothing explains: a person has to look before anything is traded."""
