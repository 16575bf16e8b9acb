"""`chimera demo`: the whole closed loop, then what happened."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chimera_platform.cli import options as o
from chimera_platform.cli.output import emit, errors
from chimera_platform.errors import ConfigurationError
from chimera_platform.kill_switch import KillSwitch
from chimera_platform.workdir import FOLDERS, WorkDir

if TYPE_CHECKING:
    from chimera_platform.cli.demo_feed import DemoPlan
    from chimera_platform.cli.demo_flow import DemoFlow

_LIVE_SECONDS = 240.0  # the live day's length on the wall clock; the demo ends before it
_AFTER_RELEASE_S = 30.0  # how long the flow trades under the new release before it is stopped
_HISTORY_TIMEOUT_S = 600.0
_SEAL_S = 6.0  # the flow seals rows that waited five seconds


def demo(
    source: Annotated[
        Path | None, typer.Option("--source", help="Recorded data instead of the simulator, such as a folder of ticks.")
    ] = None,
    symbols: Annotated[str, typer.Option("--symbols", help="Instruments of --source.")] = "XAUUSD",
    workdir: o.WorkdirOption = o.DEFAULT_WORKDIR,
    seed: o.SeedOption = 7,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete what an earlier demo left in the work folder.")
    ] = False,
    as_json: o.JsonOption = False,
) -> None:
    """Run the closed loop: feed, live flow, journal, warehouse, training, gates, promotion, and the flow taking it up.

    Example: chimera demo --workdir chimera-data/demo --fresh
    """
    from chimera_platform.cli.demo_feed import plan, recorded_feed, simulator_feed
    from chimera_platform.cli.demo_flow import DemoFlow
    from chimera_platform.warm_up import warm_up

    folders = _folders(workdir, fresh)
    say = _Steps()
    warm_up(say)
    feed = simulator_feed(seed) if source is None else recorded_feed(str(source), symbols)
    say(f"seed {seed}; reading the feed's days: {feed}")
    played = plan(feed, _LIVE_SECONDS)
    say(f"history {', '.join(played.history)}; {played.days[-1]} goes live at {played.speed:,.0f} times real time")
    flow = DemoFlow(folders, played)
    try:
        result = _loop(folders, played, flow, say, seed)
    finally:
        flow.kill()
    shown = result if as_json else {key: value for key, value in result.items() if key not in ("gates", "releases")}
    emit(shown, as_json=as_json, title="demo")


def _folders(workdir: Path, fresh: bool) -> WorkDir:
    folders = WorkDir(workdir).prepare()
    kill = KillSwitch(workdir).kill()
    if kill is not None:
        raise ConfigurationError(
            f"{workdir}: killed by {kill.by} ({kill.reason}). Run `chimera kill --reset`, or choose another folder"
        )
    with folders.lock():
        if fresh:
            for name in (*FOLDERS, "dagster", "verify"):
                shutil.rmtree(folders.path / name, ignore_errors=True)
        elif folders.runs():
            raise ConfigurationError(
                f"{workdir} already holds a run; add --fresh to start over, or choose another folder"
            )
    return folders.prepare()


def _loop(folders: WorkDir, played: DemoPlan, flow: DemoFlow, say: _Steps, seed: int) -> dict[str, Any]:
    from chimera_platform.cli.demo_summary import show, write_plots
    from pipelines.run import materialize_all
    from warehouse.ingest import ingest

    if not flow.wait(lambda: flow.progress().get("ts_event", 0) >= played.live_from, _HISTORY_TIMEOUT_S):
        raise ConfigurationError("the feed ended before its live day began")
    live = flow.progress()
    say(f"live flow: {live['events']:,} events, {live['fills']:,} fills, {live['resident_mb']:.0f} MB; it goes on")
    time.sleep(_SEAL_S)

    say("Dagster: journal → warehouse → labels → model → gates → release")
    batch = materialize_all(folders, days=list(played.history), progress=say)
    for gate in batch.gates:
        say(f"  gate {'passed ' if gate['passed'] else 'REFUSED'} {gate['gate']}: {gate['reason']}")
    say(f"release {batch.release_id}: {'promoted' if batch.promoted else 'refused'}: {batch.reason}")

    applied = batch.promoted and flow.wait(lambda: len(flow.releases()) > 1, 30)
    if applied:
        say(f"the running flow took release {batch.release_id} up; {_AFTER_RELEASE_S:.0f} s of trading under it")
        flow.wait(lambda: False, _AFTER_RELEASE_S)
    run = flow.stop()
    say(f"stopped in order: {run['events']:,} events, digest {run['digest'][:16]}…")
    ingest(folders)
    replayed = _replay(folders)
    say(f"the journal replayed through a new flow gives digest {replayed['digest'][:16]}…")
    show(folders)
    plots = write_plots(folders)
    return {
        "events": run["events"],
        "intents": run["intents"],
        "orders": run["orders"],
        "fills": run["fills"],
        "segments": sum(1 for _ in folders.journal.glob("*/*/*.parquet")),
        "warehouse_rows": _warehouse_rows(folders),
        "release_id": batch.release_id,
        "promoted": batch.promoted,
        "applied_live": bool(applied),
        "gates": batch.gates,
        "releases": run["releases"],
        "digest": run["digest"],
        "replay_digest_equal": replayed["digest"] == run["digest"],
        "seconds": round(say.seconds, 1),
        "seed": seed,
        "plots": [str(path) for path in plots],
        "workdir": str(folders.path),
    }


def _replay(folders: WorkDir) -> dict[str, Any]:
    from streaming.deployment import Deployment
    from streaming.run import run_flow

    (run,) = folders.runs()
    deployment = Deployment(folders.path / "verify", paths=(folders.run_folder(run),), release=None, batch_size=4096)
    return run_flow(deployment, fresh=True)


def _warehouse_rows(folders: WorkDir) -> int:
    from chimera_platform.journal.schema import TABLES
    from warehouse.query import run_sql

    counts = " + ".join(f"(SELECT count(*) FROM staging.{name})" for name in TABLES)
    return int(run_sql(folders, f"SELECT {counts} AS n")["n"][0])


class _Steps:
    """Says what the demo does, with the time since its start, on stderr."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def __call__(self, text: str) -> None:
        errors.print(f"[{self.seconds:6.1f} s] {text}", markup=False, soft_wrap=True)
