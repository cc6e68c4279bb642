"""A workflow that is killed again and again ends with what an undisturbed one makes elsewhere."""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from artifacts import differences
from conftest import MakeProject
from processes import SIGNALS, interrupt, start
from snakemake_project import Project

pytestmark = pytest.mark.survival

KILLS, SEED = int(os.environ.get("CHAOS_KILLS", "30")), 7
MOST_LINES = 100  # of output and logs between two interruptions; a whole run writes some 500
COMMAND = ["-m", "snakemake", "--cores", "2"]


class Victim:
    """A workflow that is started as the documentation says after an interruption.

    Args:
        project: Where it runs.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.output = project.folder / "output.txt"
        self.before: set[str] = set()
        self.resumed = 0
        self.unlocked = 0

    def start(self) -> subprocess.Popen[bytes]:
        self.before = self._lines()
        arguments = [*COMMAND, "--rerun-incomplete", *self.project.options]
        return start(*arguments, folder=self.project.folder, output=self.output)

    def wait(self, process: subprocess.Popen[bytes], news: int) -> bool:
        """Wait until so many lines are new in the output and the logs; False if it ends before.

        Lines, not seconds: on a slow machine seconds would never get beyond the start.
        """
        old, new = self.before, set[str]()
        while process.poll() is None:
            new |= self._lines() - old
            if len(new) >= news:
                return True
            time.sleep(0.02)
        return False

    def _lines(self) -> set[str]:
        files = [self.output, *(self.project.folder / "logs").rglob("*.log")]
        return {line for path in files for line in _text(path).splitlines()}

    def end(self, process: subprocess.Popen[bytes], *, disturbed: bool = False) -> bool:
        """Look at what a process that has ended left; tell whether the workflow is complete.

        One that was not disturbed either succeeds or says that the folder is locked.
        """
        text = self.output.read_text(errors="replace")
        self.resumed += self._count_resumed()
        if "snakemake --unlock" in text:
            self.unlocked += 1
            done = self.project.snakemake("--unlock")
            assert done.code == 0, done.output
            return False
        assert disturbed or process.returncode == 0, text
        return process.returncode == 0

    def _count_resumed(self) -> int:
        """Count the logs of trainings that went on, and mark them as counted."""
        logs = (self.project.folder / "logs").rglob("*.log")
        found = [path for path in logs if "resumed after epoch" in _text(path)]
        for path in found:
            path.write_text("counted\n")
        return len(found)


def test_many_interruptions_change_nothing(undisturbed: Project, make_project: MakeProject) -> None:
    victim, random = Victim(make_project("chaos")), Random(SEED)
    wanted, results = undisturbed.folder / "results", victim.project.folder / "results"
    kills: Counter[str] = Counter()
    process = victim.start()
    while kills.total() - kills["hung"] < KILLS:
        number = random.choice(SIGNALS)
        disturbed = victim.wait(process, random.randrange(1, MOST_LINES))
        if disturbed:
            kills[number.name] += 1
            kills["hung"] += not interrupt(process, number)
        if victim.end(process, disturbed=disturbed):
            # It was done before the next interruption: compared, and once more from nothing.
            assert differences(wanted, results) == []
            shutil.rmtree(results)
        process = victim.start()
    for _ in range(3):
        process.wait(timeout=1800)
        if victim.end(process):
            break
        process = victim.start()
    print(f"{dict(kills)}, {victim.resumed} trainings resumed, {victim.unlocked} locks")
    assert process.returncode == 0, victim.output.read_text()
    assert differences(wanted, results) == []
    assert victim.resumed > 0
    assert victim.unlocked > 0
    assert [path for path in _files(results) if path.suffix == ".tmp"] == []


def _text(path: Path) -> str:
    """Read a file of a workflow that is running, which may remove it at any time."""
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_ctrl_c_and_termination_leave_no_temporary_file(make_project: MakeProject) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        victim = Victim(make_project(number.name.lower()))
        process = victim.start()
        assert victim.wait(process, MOST_LINES)
        interrupt(process, number)
        assert process.returncode != 0
        left = _files(victim.project.folder / "results")
        assert [path for path in left if path.suffix == ".tmp"] == []
