"""How often the detectors are right, as a page: on simulated markets with known truth, and on recorded ones.

``python -m chimera_platform.signals.scorecards LABEL=SOURCE… --out FILE`` writes Markdown. A source is a file or
folder of recorded data; several, joined by commas, are one. ``--tick-test LABEL`` gives the prints of a source the
tick test's aggressor.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from chimera_platform.configuration import Configuration, load_configuration
from chimera_platform.errors import ChimeraError, ConfigurationError
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.signals.lift_page import MarketColumn, evaluate, recorded_section
from chimera_platform.signals.market_evidence import gather_evidence
from chimera_platform.signals.scorecard_markets import score_detectors
from chimera_platform.signals.scorecard_page import simulated_section
from chimera_platform.signals.signed_prints import SignedPrints

SEED, DAYS = 11, 12
TICK_TEST_NOTE = (
    "The venue names no aggressor and shows no book: the tick test's stands in (Lee & Ready 1991), and prices are "
    "those of trades. A burst of buys ends at the ask, so a part of what comes back is the bounce between bid and ask."
)
LEVELS_NOTE = (
    "Prints come before the update of the levels that they took, so a part of the first second's move is the book "
    "catching up with the trades that the detector had already seen."
)
DEFINITIONS = """\
## What is measured

- **Matching**: one to one, by instrument, side, time and price zone; the rule stands in
  `chimera_platform/signals/matching.py`. Episodes that nobody could tell from the usual flow are not asked for.
- **Delay**: from the episode's first event to the confirmed detection; of an iceberg it includes waiting for a trade.
- **Lift**: P(the mid moves the detection's way) over the same probability at any second's first event, ups and downs
  weighted as the detections' directions are. Busy times move the price both ways, so whatever speaks in busy times has
  a lift above 1 over a second; **way** is free of that: of those that moved, the share that moved the detection's way.
- **Mean return**: of the mid from the detection's own event on, signed by its direction; in ticks, and each in spreads
  of its own moment. It is not a profit: nobody trades at the mid.
- **Block bootstrap**: bins of 1 to 60 s, detections and all seconds resampled together in blocks of geometric length;
  the mean length is Politis & White's (2004, with Patton et al.'s correction of 2009) for the binned returns, at least
  the horizon and one bin. No interval where fewer than five blocks fit. On short samples such intervals are a little
  narrow: of strongly dependent series, nine out of ten hold the truth.
- **Placebo**: {sets} sets of random seconds, as many and with the same directions and sessions; brackets: the middle
  95 % of their means. Where it does not straddle zero, the price drifted, and a detector that leans to one side is paid
  for nothing.
- **Sessions**: New York 08:00 to 17:00, London from 08:00 until New York opens, Asia the rest, by the cities' clocks.
  **Regimes**: the simulator's own on simulated markets; on recorded ones those that the decision path's rules find,
  which need an hour or two of bars first.
- Many cells are looked at: one in twenty leaves zero out by chance. n is the number of detections with a known return;
  below 30 nothing is said.
"""


def page(
    sources: Sequence[str], signed: Sequence[str], seed: int, days: int, settings: Configuration, command: str
) -> str:
    """Return the page.

    Raises
    ------
    ConfigurationError : a source is not of the form LABEL=SOURCE.
    """
    from chimera_platform.signals.lift import PLACEBO_SETS

    columns: list[MarketColumn] = []
    for item in sources:
        label, separator, path = item.partition("=")
        if not separator or not label or not path:
            raise ConfigurationError(f"'{item}' is not of the form LABEL=SOURCE")
        source = open_source([Path(part) for part in path.split(",")], None, load_instruments())
        is_signed = label in signed
        note = TICK_TEST_NOTE if is_signed else LEVELS_NOTE if "format=binance" in source.description else ""
        for instrument, evidence in zip(
            source.universe.instruments,
            gather_evidence(SignedPrints(source) if is_signed else source, settings),
            strict=True,
        ):
            print(f"{label} {evidence.symbol}", file=sys.stderr)
            tick = f"{instrument.tick_size.normalize():f} {instrument.currency}"
            columns.append(MarketColumn(f"{label} {evidence.symbol}", tick, evidence, evaluate(evidence), note))
    rows, alarms = score_detectors(seed, days, settings.detectors, lambda said: print(said, file=sys.stderr))
    head = ["# How often the detectors are right", "", "Made by", "", "```sh", command, "```", ""]
    body = [*head, *simulated_section(rows, alarms, seed, days), *recorded_section(columns)]
    return "\n".join(body) + "\n" + DEFINITIONS.format(sets=PLACEBO_SETS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score the detectors and write the page; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chimera_platform.signals.scorecards", description=__doc__)
    parser.add_argument("sources", nargs="*", metavar="LABEL=SOURCE", help="recorded data, and what to call it")
    parser.add_argument("--tick-test", action="append", default=[], metavar="LABEL", help="sign its prints")
    parser.add_argument("--seed", type=int, default=SEED, help="of the simulated markets")
    parser.add_argument("--days", type=int, default=DAYS, help="trading days of each simulated market")
    parser.add_argument("--config", type=Path, help="TOML file of settings over the built-in ones")
    parser.add_argument("--out", type=Path, help="Markdown file to write; printed where it is not given")
    given = parser.parse_args(arguments)
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = shlex.join(["python", "-m", "chimera_platform.signals.scorecards", *words])
    try:
        settings = load_configuration(given.config)
        text = page(given.sources, given.tick_test, given.seed, given.days, settings, command)
    except ChimeraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if given.out is None:
        print(text)
    else:
        partial = given.out.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
