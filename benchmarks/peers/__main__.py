"""``python -m benchmarks.peers`` (``make bench-peers``): ns per event, and the same orders' fills, kept as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import conditions, machine
from benchmarks.peers.environment import PeersEnvironment, prepare
from benchmarks.peers.fills_compare import compare_fills, show_fills
from benchmarks.peers.side_by_side import ROUNDS, compare, comparison_streams
from benchmarks.results import RESULTS
from chimera_platform.errors import ChimeraError
from chimera_platform.journal.storage import write_atomically

NOTES = (
    "ns per event are medians of processor time: everybody computes in one thread; the wall clock's are kept beside",
    "events are the records that Chimera reads; peers' strategies are empty, Chimera's backtest decides and trades",
    "levels: every record of the source as the new total of one price level; all read the same records",
    "quotes: Chimera and NautilusTrader read quotes, hftbacktest the same quotes as level updates (up to four each)",
    "hftbacktest keeps the exchange's and the strategy's book, as its engine does; no feed latency",
)


def main() -> int:
    """Compare on every stream; exit status 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="most events of a stream (default %(default)s)")
    parser.add_argument(
        "--fill-events", type=int, default=120_000, help="most events of a stream for fills (default %(default)s)"
    )
    parser.add_argument("--only", choices=("speed", "fills"), help="one of the two comparisons")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="timed runs of each (default %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file to write (default: peers-latest.json among the results)")
    options = parser.parse_args()
    try:
        result = _run(options.events, options.rounds, options.fill_events, options.only)
    except (ChimeraError, OSError) as error:
        print(f"bench-peers: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    out = options.out or RESULTS / f"peers-{f'{options.only}-' if options.only else ''}latest.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    return 0


def _run(events: int, rounds: int, fill_events: int, only: str | None) -> dict[str, Any]:
    environment = prepare(_say)
    result: dict[str, Any] = {
        "machine": machine(),
        **conditions(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "left_out": environment.left_out,
        "notes": list(NOTES),
    }
    for what, why in environment.left_out.items():
        print(f"{what} is left out: {why}")
    if only != "fills":
        result["streams"] = _speed(environment, events, rounds)
    if only != "speed":
        fills = compare_fills(environment, fill_events, _say)
        result["fills"] = [asdict(line) for line in fills]
        show_fills(fills)
    return result


def _speed(environment: PeersEnvironment, events: int, rounds: int) -> dict[str, Any]:
    streams = {}
    for kind, stream in comparison_streams(events):
        _say(f"{stream.name}: {len(stream.events):,} events as {kind}")
        compared = compare(kind, stream, environment, rounds, _say)
        streams[stream.name] = {"form": kind, **compared}
        _show(stream.name, kind, compared)
    return streams


def _show(name: str, kind: str, compared: dict[str, Any]) -> None:
    print(f"\n{name}, {compared['events']:,} events as {kind}; {', '.join(compared['versions'])}")
    for runner, row in compared["runs"].items():
        faster = row.get("times_faster_than", {})
        ratios = "; ".join(f"{value:.2f} × {peer}" for peer, value in faster.items())
        ns = f"{row['ns_per_event']:>9,.1f} ns/event (wall {row['wall_ns_per_event']:,.1f})"
        print(f"  {runner:<28} {ns:<34} {row['callbacks']:>9,} callbacks  {ratios}".rstrip())
    book = next(row["book"] for row in compared["runs"].values() if row["book"] is not None)
    print(f"  final best bid, lots, best ask, lots {book}: equal for {', '.join(compared['books_equal'])}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
