"""The data dictionary is complete and up to date."""

from __future__ import annotations

import re

from chimera_platform.journal.schema import TABLES, VECTOR_NAMES
from chimera_platform.market.events import EventKind
from warehouse.dictionary import TARGET, data_dictionary
from warehouse.migrate import ENUMERATIONS
from warehouse.relations import relations


def test_the_committed_page_is_the_generated_one() -> None:
    assert TARGET.read_text(encoding="utf-8") == data_dictionary(), "run python -m warehouse.dictionary"


def test_every_column_relation_and_code_stands_in_it() -> None:
    page = data_dictionary()
    for table in TABLES.values():
        section = page.split(f"### {table.name}\n")[1].split("\n### ")[0]
        for column in table.arrow_schema.names:
            assert f"| `{column}` |" in section, (table.name, column)
    assert all(f"### {relation.full_name}\n" in page for relation in relations())
    for enumeration in ENUMERATIONS:
        section = page.split(f"### {enumeration.__name__}\n")[1].split("\n### ")[0]
        assert re.findall(r"^\| (\d+) \|", section, re.MULTILINE) == [str(int(member)) for member in enumeration]
    assert "| 8 | quote | L1: bid in" in page and EventKind.QUOTE == 8


def test_every_column_of_the_journal_has_a_meaning() -> None:
    journal = data_dictionary().split("## Models")[0]
    empty = [line for line in journal.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert empty == []
    assert all(f"| `{name}` | float64 |" in journal for name in VECTOR_NAMES["features"])
