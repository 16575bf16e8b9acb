"""What a flow is to run on, and what that resolves to: source, configuration, identity, folders."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from bytewax.recovery import init_db_dir

from chimera_platform import decision_path
from chimera_platform.configuration import Configuration, load_configuration
from chimera_platform.errors import ConfigurationError
from chimera_platform.journal.manifest import RunManifest
from chimera_platform.journal.storage import make_folder
from chimera_platform.kernels import source_fingerprint
from chimera_platform.market.feeds import open_feed
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import EventSource, open_source
from chimera_platform.releases import ReleaseStore
from chimera_platform.workdir import WorkDir
from streaming.sources.disk_guard import require_room
from streaming.sources.sequencer import FeedOptions
from streaming.thread_cores import check_cores

CURRENT = "current"
_NS = 1_000_000_000


@dataclass(frozen=True)
class Deployment:
    """The options of one flow.

    Parameters
    ----------
    workdir : the work folder.
    paths, format : files to read, and their format where it cannot be guessed; or
    feed : a feed URL; exactly one of the two.
    symbols : only these instruments; empty for all that the source has.
    config, instruments : TOML files over the built-in settings and instruments.
    batch_size : most events in a batch.
    speed : market seconds per wall second; None for as fast as possible, or the feed URL's own.
    backfill_s : this much market time from the start goes unpaced.
    duration_s : stop after this many seconds of feed time (market time over ``speed``).
    release : a release id to hold to, ``current`` to follow the promoted one, None for the recorded or built-in one.
    use_model : whether the release's signal model scores intents.
    segment_age_s : seal journal rows that waited this long, so that the batch side sees them.
    statistics_s : seconds between telemetry lines; None: ``latency_attribution.export_stats_interval_seconds``.
    """

    workdir: Path
    paths: tuple[Path, ...] = ()
    format: str | None = None
    feed: str | None = None
    symbols: tuple[str, ...] = ()
    config: Path | None = None
    instruments: Path | None = None
    batch_size: int = 1024
    speed: float | None = None
    backfill_s: float = 0.0
    duration_s: float | None = None
    release: str | None = CURRENT
    use_model: bool = True
    segment_age_s: float = 5.0
    statistics_s: float | None = None

    def __post_init__(self) -> None:
        if bool(self.paths) == bool(self.feed):
            raise ConfigurationError("name either files to read or a --feed URL, not both and not neither")
        if self.batch_size < 1:
            raise ConfigurationError(f"batch size is {self.batch_size}; expected at least 1")
        for name in ("speed", "duration_s"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigurationError(f"{name} is {value}; expected a number above 0")

    @cached_property
    def folders(self) -> WorkDir:
        """The work folder's paths."""
        return WorkDir(self.workdir)

    @cached_property
    def store(self) -> ReleaseStore:
        """The releases."""
        return ReleaseStore(self.folders.releases)

    @cached_property
    def configuration(self) -> Configuration:
        """The validated settings."""
        return load_configuration(self.config)

    @property
    def telemetry_interval_s(self) -> float:
        """Seconds between telemetry lines."""
        if self.statistics_s is not None:
            return self.statistics_s
        return self.configuration.latency_attribution.export_stats_interval_seconds

    @cached_property
    def _feed(self) -> tuple[EventSource, float | None]:
        known = load_instruments(self.instruments)
        if self.feed:
            feed = open_feed(self.feed, known)
            return feed.source, feed.speed
        return open_source(list(self.paths), self.format, known, list(self.symbols) or None), None

    @property
    def source(self) -> EventSource:
        """The event source, opened once."""
        return self._feed[0]

    def feed_options(self, block_s: float) -> FeedOptions:
        """Return how the source is read."""
        speed = self.speed or self._feed[1]
        limit = None if self.duration_s is None else int(self.duration_s * (speed or 1.0) * _NS)
        return FeedOptions(
            batch_size=self.batch_size,
            block_s=block_s,
            speed=speed,
            backfill_ns=int(self.backfill_s * _NS),
            limit_ns=None if limit is None else limit + int(self.backfill_s * _NS),
        )

    def recorded_schedule(self) -> np.ndarray[Any, Any] | None:
        """Return the release changes of the journal that is replayed, None for any other source."""
        return getattr(self.source, "release_schedule", None)

    @cached_property
    def run_id(self) -> str:
        """16 hex digits that name everything the result depends on: the same command continues the same run.

        The kernels' source is part of it: what one version began is not continued by another.
        """
        schedule = self.recorded_schedule() if self.release is None else None
        identity = {
            "source": self.source.description,
            "instruments": self._instruments,
            "configuration": self.configuration.deciding(),
            "release": self.release if schedule is None else [str(row) for row in schedule.tolist()],
            "use_model": self.use_model,
            "limit_ns": self.feed_options(0.0).limit_ns,
            "kernels": source_fingerprint(Path(decision_path.__file__)),
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def _instruments(self) -> list[dict[str, Any]]:
        return [each.model_dump(mode="json") for each in self.source.universe.instruments]

    @cached_property
    def run_folder(self) -> Path:
        """The run's journal."""
        return self.folders.run_folder(self.run_id)

    @cached_property
    def recovery_folder(self) -> Path:
        """The run's recovery snapshots."""
        return self.folders.recovery / self.run_id

    @cached_property
    def stop_file(self) -> Path:
        """Its appearance stops the run."""
        return self.recovery_folder / "stop"

    def manifest(self) -> RunManifest:
        """Return the run's description for the journal."""
        packages = ("chimera-platform", "bytewax", "numba", "numpy")
        return RunManifest(
            run_id=self.run_id,
            instruments=self._instruments,
            source=self.source.description,
            configuration=self.configuration.deciding(),
            versions={name: version(name) for name in packages},
        )

    def first_release(self) -> str:
        """Return the verified release that a new run begins under, empty for the built-in defaults.

        Raises
        ------
        ReleaseError
            If it is missing or damaged.
        """
        if self.release is None:
            return ""
        release_id = self.store.current() if self.release == CURRENT else self.release
        return self.store.load(release_id).id if release_id else ""

    def prepare(self) -> None:
        """Create the folders and the recovery store, take over releases that a replay needs, forget an earlier stop.

        What can be found wrong before the flow starts is found here.
        """
        check_cores(self.configuration.threading)
        self.first_release()
        self.folders.prepare()
        require_room(self.workdir)
        make_folder(self.run_folder)
        make_folder(self.recovery_folder)
        self.stop_file.unlink(missing_ok=True)
        if not any(self.recovery_folder.glob("*.sqlite3")):
            init_db_dir(self.recovery_folder, 1)
        recorded_in = getattr(self.source, "releases_folder", None)
        if self.release is None and recorded_in is not None:
            for row in self.recorded_schedule():  # type: ignore[union-attr]
                if row["release_id"]:
                    self.store.take_over(row["release_id"].decode(), ReleaseStore(recorded_in))

    def forget(self) -> None:
        """Delete what this run has journaled and snapshotted."""
        for folder in (self.run_folder, self.recovery_folder):
            shutil.rmtree(folder, ignore_errors=True)
