"""Places that cannot be written, as for the journal."""

from tests.journal.conftest import read_only_folder, small_disk

__all__ = ["read_only_folder", "small_disk"]
