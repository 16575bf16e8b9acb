"""A real process writing a journal is killed at random moments and started again; nothing is lost or doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from chimera_platform.journal.reader import JournalReader
from chimera_platform.journal.storage import is_temporary
from tests.reference.recorded_run import record_run

WRITER = """
import sys
from pathlib import Path
from tests.journal.test_journal_writer import small
from tests.reference.recorded_run import manifest, record_run
from chimera_platform.journal.writer import JournalWriter
from chimera_platform.workdir import WorkDir
run = record_run(events=3000)
with WorkDir(sys.argv[1]).lock():
    writer = JournalWriter(Path(sys.argv[1]) / "journal" / "run-1", manifest(), small())
    print("writing", flush=True)
    for begin in range(0, 3000, 10):
        for name, rows in run.tables.items():
            writer.append(name, rows[begin : begin + 10], begin)
    writer.seal_all()
"""


def test_a_writer_killed_at_random_moments_leaves_a_journal_that_is_completed_without_duplicates(
    tmp_path: Path,
) -> None:
    chance = random.Random(5)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    segments_after_kill = []
    for _ in range(20):  # as many as it takes for three to fall between two segments
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        time.sleep(chance.uniform(0.05, 0.3))
        process.kill()
        process.wait()
        reader = JournalReader(tmp_path / "journal" / "run-1")
        reader.verify()  # whatever is sealed is whole at every moment
        segments_after_kill.append(len(reader.segments("events")))
        if sum(0 < segments < 32 for segments in segments_after_kill) == 3:
            break
    assert segments_after_kill == sorted(segments_after_kill)
    assert any(0 < segments < 32 for segments in segments_after_kill), "no kill fell between two segments"
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    reader = JournalReader(tmp_path / "journal" / "run-1")
    for name, rows in record_run(events=3000).tables.items():
        read = reader.read(name)
        assert read.tobytes() == rows.tobytes(), name
        np.testing.assert_array_equal(read["ts_event"], rows["ts_event"])
    assert not [p for p in (tmp_path / "journal").rglob("*") if is_temporary(p)]
