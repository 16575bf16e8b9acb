"""Each kind of bad data is found, named, kept out of everything that is learned, and released by a person only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from chimera_platform.errors import ConfigurationError
from chimera_platform.workdir import WorkDir
from pipelines.attributing import weights_from_fills
from pipelines.definitions import build
from pipelines.defs.jobs import DAILY_JOB
from pipelines.defs.journal.partitions import register
from pipelines.defs.resources import WorkDirResource
from pipelines.instance import open_instance
from pipelines.label_check import label_errors
from pipelines.labelling import label_days, unlabelled_days
from pipelines.quality import check_results, inspect_days, judge_again, quarantine
from pipelines.quality_policy import Acceptance, QualityCheck, QualityPolicy, accept, judge, load_policy, policy_file
from pipelines.training import load_examples, train_challenger
from pipelines.training_folder import learning_folder
from warehouse.connection import connect
from warehouse.ingest import ingest
from warehouse.snapshots import current_snapshot

Alter = Callable[[WorkDir, str], None]

ORDERS = "kind = 1 AND event_no"  # sim:// is a market of single orders
POISONS = {
    QualityCheck.MISSING_ROWS: "DELETE FROM staging.events WHERE event_no = 100",
    QualityCheck.DUPLICATE_ROWS: "INSERT INTO staging.events FROM staging.events WHERE event_no = 100",
    QualityCheck.OUT_OF_ORDER: "UPDATE staging.events SET ts_event = ts_event - 3000000000 WHERE event_no % 100 = 0",
    QualityCheck.STALE_CLOCK: (
        "UPDATE staging.events SET ts_recv = ts_event + 11000000000 WHERE event_no BETWEEN 500 AND 800"
    ),
    QualityCheck.FROZEN_CLOCK: (
        "UPDATE staging.events SET ts_event = (SELECT ts_event FROM staging.events WHERE event_no = 1000) "
        "WHERE event_no BETWEEN 1000 AND 19000"
    ),
    QualityCheck.REPEATED: "UPDATE staging.events SET seq = seq - 4000 WHERE event_no BETWEEN 6000 AND 6500",
    QualityCheck.GAPS: "UPDATE staging.events SET kind = 10, price = 1 WHERE event_no % 1000 = 0 AND flags & 1 = 1",
    QualityCheck.CROSSED: (f"UPDATE staging.events SET price = price + 100000 WHERE side = 1 AND {ORDERS} % 1000 = 0"),
    QualityCheck.LOCKED: (
        "UPDATE staging.events SET price = price + 100000 WHERE event_no = "
        f"(SELECT min(event_no) FROM staging.events WHERE side = 1 AND {ORDERS} > 5000)"
    ),
    QualityCheck.ONE_SIDED: "UPDATE staging.events SET side = 0 WHERE side = -1",
    QualityCheck.UNMATCHED: "UPDATE staging.events SET price = price + 77 WHERE kind IN (3, 4, 5)",
    QualityCheck.BAD_SIZES: f"UPDATE staging.events SET size = -size WHERE {ORDERS} % 20 = 0",
    QualityCheck.PRICE_SPIKES: (
        "UPDATE staging.events SET price = price * 2 WHERE kind IN (5, 7) AND event_no % 101 = 0"
    ),
}


def asked(workdir: WorkDir, query: str) -> list[tuple[Any, ...]]:
    connection = connect(workdir)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def poison(workdir: WorkDir, alter: Alter, statement: str, day: str) -> None:
    alter(workdir, f"{statement} AND day = DATE '{day}'")


def stale_day(workdir: WorkDir, alter: Alter, day: str) -> None:
    """Give a day a stale clock: books, and with them the other days, stay as they were."""
    head = "UPDATE staging.events SET ts_recv = ts_event + 11000000000"
    alter(workdir, f"{head} WHERE event_no % 10 = 0 AND day = DATE '{day}'")


def run_day(workdir: WorkDir, *days: str) -> dg.ExecuteInProcessResult:
    """Run the daily job over a range of days, as the sensor or a backfill does."""
    repository = build(WorkDirResource(path=str(workdir.path))).get_repository_def()
    tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with open_instance(workdir) as instance:
        register(instance, list(days))
        return repository.get_job(DAILY_JOB.name).execute_in_process(
            instance=instance, tags=tags, run_config=config, raise_on_error=False
        )


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {e.check_name: e for e in result.get_asset_check_evaluations() if e.asset_key.path[-1] == "data_quality"}


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def test_sound_days_pass_every_check(labelled: WorkDir, trading_days: list[str]) -> None:
    results, usable = check_results(labelled)
    assert set(results) == set(QualityCheck) == set(POISONS)
    assert usable == len(trading_days)
    assert not any(result.failed for result in results.values())
    assert quarantine(labelled) == ([], usable)
    found = asked(labelled, "SELECT count(*), count(*) FILTER (passed) FROM learning.quality_findings")
    assert found == [(len(QualityCheck) * usable,) * 2]


@pytest.mark.slow  # a copy of the warehouse each
@pytest.mark.parametrize("check", POISONS)
def test_what_is_wrong_with_a_day_puts_it_in_quarantine_and_is_named(
    copy: WorkDir, alter: Alter, trading_days: list[str], check: QualityCheck
) -> None:
    poison(copy, alter, POISONS[check], trading_days[0])
    (first,) = inspect_days(copy, trading_days[:1])
    results, usable = check_results(copy)
    (said,) = results[check].failed
    assert (
        said.startswith(f"{trading_days[0]}, run run: ")
        and said.removeprefix(f"{trading_days[0]}, run run: ") in first.reasons
    )
    assert results[check].largest > results[check].allowed
    assert usable == len(trading_days) - 1
    row = asked(copy, f"SELECT {check} > 0, quarantined, accepted FROM learning.data_quality ORDER BY day LIMIT 1")
    assert row == [(True, True, "")]


@pytest.mark.slow  # trains twice
def test_a_poisoned_day_changes_nothing_that_is_learned(copy: WorkDir, alter: Alter, trading_days: list[str]) -> None:
    """Invariant: with a bad day, labels, examples, model and weights are those of a warehouse without it."""
    day = trading_days[1]
    others = f"SELECT * EXCLUDE (net_bps) FROM learning.labelled_intents WHERE day <> DATE '{day}' ORDER BY ALL"
    before = asked(copy, others)
    learned = []
    stale_day(copy, alter, day)
    for clean_up in (False, True):
        inspect_days(copy)
        label_days(copy)
        assert asked(copy, others) == before
        assert asked(copy, f"SELECT count(*) FROM learning.labelled_intents WHERE day = DATE '{day}'") == [(0,)]
        if clean_up:  # the day was never there
            for table in ("learning.data_quality", "staging.fills", "staging.intents"):
                alter(copy, f"DELETE FROM {table} WHERE day = DATE '{day}'")
        connection = connect(copy)
        examples, _ = load_examples(connection, current_snapshot(connection))
        connection.close()
        train_challenger(copy)
        model = (learning_folder(copy) / "challenger.model.json").read_bytes()
        learned.append(
            (examples.days, examples.inputs.tobytes(), examples.won.tobytes(), model, weights_from_fills(copy))
        )
    assert learned[0] == learned[1]
    assert day not in learned[0][0]
    assert unlabelled_days(copy) == []
    assert label_errors(copy).missing == 0


@pytest.mark.slow
def test_a_bad_days_run_stops_there_and_other_days_proceed(
    journal_copy: WorkDir, alter: Alter, trading_days: list[str]
) -> None:
    bad, good = trading_days[0], trading_days[1]
    ingest(journal_copy)
    stale_day(journal_copy, alter, bad)
    stopped = run_day(journal_copy, bad)
    checks = evaluations(stopped)
    assert set(checks) == {str(check) for check in QualityCheck}
    assert {name for name, e in checks.items() if not e.passed} == {"stale_clock"}
    failed = checks["stale_clock"]
    assert failed.severity == dg.AssetCheckSeverity.ERROR and failed.blocking
    assert bad in str(failed.metadata["failed"].value) and "run run" in str(failed.metadata["failed"].value)
    assert failed.metadata["largest"].value > failed.metadata["allowed"].value  # type: ignore[operator]
    assert "learning/data_quality" in materialised(stopped)
    assert not {"learning/labelled_intents", "learning/closing_quotes", "learning/attribution"} & materialised(stopped)
    went_on = run_day(journal_copy, good)
    assert went_on.success
    assert all(e.passed for e in evaluations(went_on).values())
    assert {"learning/labelled_intents", "learning/attribution"} <= materialised(went_on)


@pytest.mark.slow
def test_a_range_goes_on_with_its_usable_days_and_shows_the_others(
    journal_copy: WorkDir, alter: Alter, trading_days: list[str]
) -> None:
    ingest(journal_copy)
    stale_day(journal_copy, alter, trading_days[0])
    result = run_day(journal_copy, trading_days[0], trading_days[1])
    assert result.success
    shown = evaluations(result)["stale_clock"]
    assert (shown.passed, shown.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert trading_days[0] in str(shown.metadata["failed"].value)
    labelled_days = asked(journal_copy, "SELECT DISTINCT CAST(day AS VARCHAR) FROM learning.labelled_intents")
    assert labelled_days == [(trading_days[1],)]
    stale_day(journal_copy, alter, trading_days[1])
    assert not run_day(journal_copy, trading_days[0], trading_days[1]).success, "none of its days is usable now"


# ---- release by a person --------------------------------------------------------------------------------------


def acceptance(day: str, **chosen: Any) -> Acceptance:
    return Acceptance.model_validate({"day": day, "by": "J. Doe", "why": 'a "known" outage', **chosen})


def test_an_accepted_day_is_learned_from_again_and_says_who_accepted_it(
    copy: WorkDir, alter: Alter, trading_days: list[str]
) -> None:
    day = trading_days[0]
    labels = asked(copy, "SELECT count(*) FROM learning.labelled_intents")
    stale_day(copy, alter, day)
    inspect_days(copy, [day])
    label_days(copy, [day])
    assert judge_again(copy) == []
    accept(copy, acceptance(day, checks=["stale_clock"]))
    (judged,) = judge_again(copy)
    assert not judged.quarantined and "records with a stale clock" in judged.reasons
    row = asked(copy, f"SELECT quarantined, accepted FROM learning.data_quality WHERE day = DATE '{day}'")
    assert row == [(False, 'stale_clock by J. Doe: a "known" outage')]
    assert check_results(copy)[0][QualityCheck.STALE_CLOCK].accepted
    assert unlabelled_days(copy) == [day]
    label_days(copy, [day])
    assert asked(copy, "SELECT count(*) FROM learning.labelled_intents") == labels
    assert inspect_days(copy, [day])[0].accepted == judged.accepted, "a new inspection keeps it"


@pytest.mark.parametrize(
    ("chosen", "frees"),
    [
        ({}, True),
        ({"run": "run"}, True),
        ({"run": "other"}, False),
        ({"checks": ["gaps"]}, False),
        ({"checks": ["gaps", "stale_clock"]}, True),
        ({"day": "2030-01-01"}, False),
    ],
)
def test_an_acceptance_holds_for_the_day_run_and_checks_that_it_names(chosen: dict[str, Any], frees: bool) -> None:
    counts = dict.fromkeys(QualityCheck, 0) | {"events": 100, "source_events": 100, QualityCheck.STALE_CLOCK: 50}
    policy = QualityPolicy(accepted=(acceptance(chosen.pop("day", "2024-01-02"), **chosen),))
    findings = judge(policy, "run", "2024-01-02", counts)
    (failed,) = [finding for finding in findings if not finding.passed]
    assert failed.check is QualityCheck.STALE_CLOCK
    assert (failed.acceptance is not None) is frees


def test_limits_are_settings_of_the_work_folder(tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path)
    assert load_policy(workdir) == QualityPolicy()
    policy_file(workdir).write_text("# ours\n[limits]\ngaps_max = 50\n")
    accept(workdir, acceptance("2024-01-02"))
    policy = accept(workdir, acceptance("2024-01-03", run="r"))
    assert policy == load_policy(workdir)
    assert policy.limits.gaps_max == 50
    assert [each.day.isoformat() for each in policy.accepted] == ["2024-01-02", "2024-01-03"]
    assert policy_file(workdir).read_text().startswith("# ours\n"), "what a person wrote stays"
    counts = dict.fromkeys(QualityCheck, 0) | {"events": 100, "source_events": 100, QualityCheck.GAPS: 50}
    assert all(finding.passed for finding in judge(policy, "r", "2024-01-04", counts))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[limits]\ngap_max = 1\n", "gap_max"),
        ("[limits]\ngaps_max = -1\n", "limits.gaps_max"),
        ('[[accepted]]\nday = "2024-01-02"\nby = "me"\n', "accepted.0.why"),
        ('[[accepted]]\nday = "yesterday"\nby = "me"\nwhy = "so"\n', "accepted.0.day"),
        ('[[accepted]]\nday = "2024-01-02"\nby = "me"\nwhy = "so"\nchecks = ["gap"]\n', "accepted.0.checks"),
        ("[limits\n", "not valid TOML"),
    ],
)
def test_a_policy_that_is_not_one_is_refused_by_file_and_key(tmp_path: Path, content: str, said: str) -> None:
    policy_file(WorkDir(tmp_path)).write_text(content)
    with pytest.raises(ConfigurationError, match=said) as raised:
        load_policy(WorkDir(tmp_path))
    assert "quality.toml" in str(raised.value)
