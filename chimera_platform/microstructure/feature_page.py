"""The page of all features, generated from code: ``python -m chimera_platform.microstructure.feature_page PATH``."""

from __future__ import annotations

import sys
from pathlib import Path

from chimera_platform.microstructure import volume_profile, volume_profile_nodes
from chimera_platform.microstructure.feature_names import FEATURE_DESCRIPTIONS, Feature

_HEAD = """# Features

Columns of `chimera features` after `ts_ns, seq, symbol`, one row per source event; in the same order they are every
intent's feature vector. e is the order-flow imbalance of one source event. Generated from the code by
`python -m chimera_platform.microstructure.feature_page docs/features.md`; a test fails when it is stale.

Undefined is NaN, never infinite. Event time is the only clock, and held where it runs backwards. What is made of
quotes is NaN while a side is empty or the book is not trusted (lost messages, a rebuild under way); a crossed book is
shown as it is. What is made of returns is NaN until its window is full, and while a mid (in volume time: a price) in
it is not positive. A window "in steps" holds the step that is under way and the whole ones before it; until it is
full it holds what there has been, and so do the ten seconds up to t.
"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _text(docstring: str | None) -> str:
    return (docstring or "").strip().replace("``", "`")


def feature_page() -> str:
    """Return the page as Markdown."""
    lines = [_HEAD, _row("name", "unit", "formula", "window", "source"), _row(*["---"] * 5)]
    lines += [_row(f"`{f.name.lower()}`", *FEATURE_DESCRIPTIONS[f]) for f in Feature]
    lines += ["", "## Volume profile", "", "In Python, not in the table.", ""]
    lines += [_text(volume_profile.__doc__), "", "### Nodes", "", _text(volume_profile_nodes.__doc__)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(feature_page(), encoding="utf-8")
