"""The page of all features, generated from code: ``python -m chimera_platform.microstructure.feature_page PATH``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from chimera_platform.microstructure import feature_names, volume_profile, volume_profile_nodes
from chimera_platform.microstructure.feature_names import Feature
from chimera_platform.microstructure.flow_feature_names import FLOW_FEATURE_DESCRIPTIONS, FlowFeature

_LINE = re.compile(r"^    ([A-Z0-9_]+) = \d+  # (.*)$", re.MULTILINE)

_HEAD = """# Features

Columns of `chimera features` after `ts_ns, seq, symbol`, one row per source event. Generated from the code by
`python -m chimera_platform.microstructure.feature_page docs/features.md`; a test fails when it is stale.

Undefined is NaN, never infinite. Event time is the only clock. "Session" starts at 00:00 UTC. A window "in steps"
holds the step that is under way and the whole ones before it; until it is full it holds what there has been.
"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _text(docstring: str | None) -> str:
    return (docstring or "").strip().replace("``", "`")


def feature_page() -> str:
    """Return the page as Markdown."""
    source = Path(feature_names.__file__).read_text(encoding="utf-8")
    described = dict(_LINE.findall(source))
    lines = [_HEAD, "## Quotes and flow, in every intent's feature vector", "", _row("name", "unit: definition")]
    lines += [_row("---", "---"), *(_row(f"`{f.name.lower()}`", described[f.name]) for f in Feature)]
    lines += ["", "## Order flow", "", _row("name", "unit", "formula", "window", "source"), _row(*["---"] * 5)]
    lines += [_row(f"`{f.name.lower()}`", *FLOW_FEATURE_DESCRIPTIONS[f]) for f in FlowFeature]
    lines += ["", "## Volume profile", "", "In Python, not in the table.", ""]
    lines += [_text(volume_profile.__doc__), "", "### Nodes", "", _text(volume_profile_nodes.__doc__)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(feature_page(), encoding="utf-8")
