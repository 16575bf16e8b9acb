"""The known facts of order books and order flow, measured on recorded markets and on the simulated one.

``python -m chimera_platform.simulation.facts.command LABEL=SOURCE… --out FILE`` writes a Markdown table, a column a
symbol. A source is a file or folder of recorded data, or an address ``sim://…``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from chimera_platform.errors import ChimeraError, ConfigurationError
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import EventSource, open_source
from chimera_platform.simulation.facts.measures import Facts, facts_of
from chimera_platform.simulation.facts.observation import observe
from chimera_platform.simulation.facts.report import report


def open_any(source: str) -> EventSource:
    """Return the simulated market of an address ``sim://…``, or the recorded data of a path."""
    known = load_instruments()
    return open_feed(source, known).source if source.startswith("sim://") else open_source(source, None, known)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the sources and write the report; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chimera_platform.simulation.facts.command", description=__doc__)
    parser.add_argument("sources", nargs="+", metavar="LABEL=SOURCE", help="a path or sim://…, and what to call it")
    parser.add_argument("--out", type=Path, help="Markdown file to write; printed where it is not given")
    given = parser.parse_args(arguments)
    columns: list[tuple[str, bool, Facts]] = []
    try:
        for item in given.sources:
            label, separator, source = item.partition("=")
            if not separator or not label or not source:
                raise ConfigurationError(f"'{item}' is not of the form LABEL=SOURCE")
            simulated = source.startswith("sim://")
            columns += [(f"{label} {o.symbol}", simulated, facts_of(o)) for o in observe(open_any(source))]
    except ChimeraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    words = ["python", "-m", "chimera_platform.simulation.facts.command", *given.sources]
    command = shlex.join(words + (["--out", str(given.out)] if given.out else []))
    text = report(columns, command)
    if given.out is None:
        print(text)
    else:
        partial = given.out.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
