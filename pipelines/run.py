"""The batch side without a server: all assets over a work folder in this process, and single steps of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from chimera_platform.errors import DataError
from chimera_platform.journal.schema import TABLES
from chimera_platform.workdir import WorkDir
from pipelines.attributing import attribute_days
from pipelines.definitions import build
from pipelines.defs.jobs import DAILY_JOB, NIGHTLY_JOB
from pipelines.defs.journal.partitions import PARTITIONS, register
from pipelines.defs.resources import WorkDirResource
from pipelines.detecting import detect_days, undetected_days
from pipelines.fitting_microprices import fit_microprices
from pipelines.gate_controls import control_failures
from pipelines.gate_counterfactuals import carry_out_gated
from pipelines.gate_intervals import value_gates, valued_gates
from pipelines.instance import open_instance
from pipelines.labelling import label_days, unlabelled_days
from pipelines.quality import inspect_days, judge_again, uninspected_days
from pipelines.target_training import train_target
from pipelines.training import build_candidate, last_promotion, promote_candidate, train_challenger, weigh_engines
from pipelines.warehouse_counts import rows_of
from warehouse.days import days as journal_days
from warehouse.ingest import ingest

Progress = Callable[[str], None]
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class MaterializeResult:
    """What materialising everything did.

    Attributes
    ----------
    days : UTC days loaded.
    warehouse_rows : rows of each staging table afterwards, over all days.
    release_id : the candidate; None where there was none.
    promoted : whether it is in force now.
    reason : why it was promoted, or what it was refused for.
    gates : every gate's name, result, figure, limit and sentence.
    failures : checks and steps that failed; what depended on them did not run.
    seconds : wall time.
    """

    days: list[str]
    warehouse_rows: dict[str, int]
    release_id: str | None
    promoted: bool
    reason: str
    gates: list[dict[str, Any]]
    failures: list[str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def materialize_all(
    workdir: WorkDir, days: Sequence[str] | None = None, progress: Progress | None = None
) -> MaterializeResult:
    """Materialise every asset: all journal days (or ``days``), then models, weights, release and upkeep.

    The runs are recorded in the work folder's Dagster storage, where the UI shows them. A failed blocking check or a
    refused release is reported in the result, not raised.

    Raises
    ------
    DataError
        If the journal has no events (of a day in ``days``).
    """
    began = time.perf_counter()
    say = progress or _silent
    known = journal_days(workdir)
    wanted = known if days is None else sorted(days)
    if not wanted or not set(wanted) <= set(known):
        missing = ", ".join(sorted(set(wanted) - set(known))) or "any day"
        raise DataError(f"{workdir.journal}: no events of {missing}. Days in the journal: {', '.join(known) or 'none'}")
    repository = build(WorkDirResource(path=str(workdir.path))).get_repository_def()
    failures: list[str] = []
    promotion: dict[str, Any] = {}
    with open_instance(workdir) as instance:
        register(instance, known)
        say(f"materialising {len(wanted)} days, {wanted[0]} to {wanted[-1]}")
        for tags in _runs_over(instance, wanted):
            job = repository.get_job(DAILY_JOB.name)
            failures += _failures(
                job.execute_in_process(instance=instance, tags=tags, run_config=_QUIET, raise_on_error=False)
            )
        if not failures:
            say("training, judging and promoting")
            job = repository.get_job(NIGHTLY_JOB.name)
            failures += _failures(job.execute_in_process(instance=instance, run_config=_QUIET, raise_on_error=False))
            promotion = last_promotion(workdir) if not failures else {}
    rows = rows_of(workdir, [f"staging.{name}" for name in TABLES])
    return MaterializeResult(
        days=wanted,
        warehouse_rows={name.removeprefix("staging."): count for name, count in rows.items()},
        release_id=promotion.get("release_id"),
        promoted=promotion.get("promoted", False),
        reason=promotion.get("reason", "; ".join(failures)),
        gates=promotion.get("gates", []),
        failures=failures,
        seconds=round(time.perf_counter() - began, 2),
    )


def train(workdir: WorkDir, seed: int = 7, progress: Progress | None = None) -> dict[str, Any]:
    """Bring warehouse, inspection and labels up to date, train, judge, and promote if the gates allow.

    Returns
    -------
    JSON values: ``release_id``, ``promoted``, ``reason``, ``current``, ``gates``, ``examples``, ``evaluation``, ….
    """
    say = progress or _silent
    _prepare(workdir, say)
    say("training")
    challenger = train_challenger(workdir, seed)
    weigh_engines(workdir)
    fit_microprices(workdir)
    train_target(workdir, seed)
    build_candidate(workdir)
    promotion = promote_candidate(workdir)
    shown = {k: challenger[k] for k in ("snapshot", "days", "test_days", "examples", "evaluation") if k in challenger}
    return promotion | shown


def attribute(workdir: WorkDir, progress: Progress | None = None) -> dict[str, Any]:
    """Bring warehouse and closing quotes up to date and split the profit of every day.

    Returns
    -------
    JSON values: ``engines`` with each part in currency, ``rows`` by run, day, engine and symbol in nanos.
    """
    say = progress or _silent
    _prepare(workdir, say)
    say("attributing")
    return attribute_days(workdir)


def attribute_gates(workdir: WorkDir, progress: Progress | None = None) -> dict[str, Any]:
    """Bring the warehouse up to date, carry out what the gates held back, and value the gates.

    Returns
    -------
    JSON values: ``gates``, the rows of ``marts.gate_value`` over all sessions and engines with anything carried out;
    ``controls``, how many approved intents were carried out again and how many earned the same; ``failures``, a
    sentence for each run in which they did not.
    """
    say = progress or _silent
    _prepare(workdir, say)
    say("carrying out what gates held back")
    carry_out_gated(workdir)
    value_gates(workdir)
    return valued_gates(workdir) | {"failures": control_failures(workdir)}


def derive_learning_tables(workdir: WorkDir, progress: Progress | None = None) -> None:
    """Make the ``learning`` tables of every day that lacks them: after a rebuild from nothing, all of them."""
    if journal_days(workdir):
        attribute(workdir, progress)
        detect(workdir, progress)


def detect(workdir: WorkDir, progress: Progress | None = None) -> dict[str, int]:
    """Run the detectors over the days that they have not been through; return how often each signal spoke there."""
    say = progress or _silent
    days = undetected_days(workdir)
    if days:
        say(f"detecting on {len(days)} days")
    signals: dict[str, int] = {}
    for each in detect_days(workdir, days):
        for name, count in each.signals.items():
            signals[name] = signals.get(name, 0) + count
    return signals


def _prepare(workdir: WorkDir, say: Progress) -> None:
    say("ingesting new segments")
    ingest(workdir)
    uninspected = uninspected_days(workdir)
    if uninspected:
        say(f"inspecting {len(uninspected)} days")
        inspect_days(workdir, uninspected)
    judge_again(workdir)
    unlabelled = unlabelled_days(workdir)
    if unlabelled:
        say(f"labelling {len(unlabelled)} days")
        label_days(workdir, unlabelled)


def _runs_over(instance: dg.DagsterInstance, days: list[str]) -> list[dict[str, str]]:
    """Return the tags of one run over all days where they stand side by side, else of one run a day."""
    known = list(instance.get_dynamic_partitions(PARTITIONS))
    in_order = [day for day in known if day in days]
    if known[known.index(in_order[0]) : known.index(in_order[-1]) + 1] == in_order:
        return [{_RANGE_START: in_order[0], _RANGE_END: in_order[-1]}]
    return [{_RANGE_START: day, _RANGE_END: day} for day in days]


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return a sentence for each failed check and each failed step of a run."""
    said = [
        f"check {check.check_name} of {check.asset_key.to_user_string()} failed: "
        + "; ".join(f"{name} {value.value}" for name, value in check.metadata.items())
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    ]
    if said or result.success:
        return said
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            error = data.error.cause if data.error is not None and data.error.cause is not None else data.error
            stated = data.user_failure_data.description if data.user_failure_data is not None else None
            cause = stated or (error.message.strip() if error is not None else "unknown")
            said.append(f"step {event.step_key} failed: {cause}")
    return said or ["the run failed"]


def _silent(_: str) -> None:
    return None
