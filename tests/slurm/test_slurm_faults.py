"""Jobs that are killed, cancelled or fail, and a node that drains and returns."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm_records import (
    Record,
    jobs,
    node_state,
    scontrol,
    set_node,
    slurm_project,
    start,
    wait_for_state,
    wait_until,
)
from snakemake_project import Outcome, Project

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

FAULTS = ("out_of_time", "out_of_memory", "cancelled", "fails_once", "fails_always")
FILES = (*FAULTS, "gpu_1", "gpu_2")


@dataclass(frozen=True)
class Run:
    """A run in which most goes wrong."""

    project: Project
    outcome: Outcome

    def attempts(self, comment: str) -> list[Record]:
        """Return Slurm's records of the attempts of a job."""
        return jobs(self.project, comment)

    def made(self, name: str) -> Path:
        """Return the file of a job."""
        return self.project.folder / "faults" / name


@pytest.fixture(scope="module")
def run(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run all at once; one job is cancelled from outside."""
    project = slurm_project(tmp_path_factory.mktemp("faults"), "--snakefile", "faults.smk")
    running = start(project, *(f"faults/{name}" for name in FILES))
    job = wait_for_state(project, "rule_cancelled", "RUNNING")
    subprocess.run(["scancel", job["JobId"]], check=True)
    return Run(project, running.result())


def test_a_job_out_of_time_is_tried_again_with_more(run: Run) -> None:
    first, second = run.attempts("rule_out_of_time")
    assert (first["JobState"], first["TimeLimit"]) == ("TIMEOUT", "00:01:00")
    assert (second["JobState"], second["TimeLimit"]) == ("COMPLETED", "00:02:00")
    assert run.made("out_of_time").is_file()


def test_a_job_out_of_memory_is_tried_again_with_more(run: Run) -> None:
    first, second = run.attempts("rule_out_of_memory")
    assert (first["JobState"], first["MinMemoryNode"]) == ("FAILED", "700M")
    log = run.project.folder / f"logs/slurm/rule_out_of_memory/{first['JobId']}.log"
    assert "exceeded memory limit" in log.read_text()
    assert (second["JobState"], second["MinMemoryNode"]) == ("COMPLETED", "1400M")
    assert run.made("out_of_memory").is_file()


def test_a_cancelled_job_is_tried_again(run: Run) -> None:
    states = [record["JobState"] for record in run.attempts("rule_cancelled")]
    assert states == ["CANCELLED", "COMPLETED"]
    assert run.made("cancelled").is_file()


def test_a_failing_job_is_tried_again(run: Run) -> None:
    states = [record["JobState"] for record in run.attempts("rule_fails_once")]
    assert states == ["FAILED", "COMPLETED"]
    assert run.made("fails_once").is_file()


def test_a_job_that_never_succeeds_is_reported_with_its_log(run: Run) -> None:
    states = [record["JobState"] for record in run.attempts("rule_fails_always")]
    assert states == ["FAILED"] * 3
    assert run.outcome.code == 1
    assert "Error in rule fails_always" in run.outcome.output
    assert "Nothing mends this." in run.outcome.output
    assert not run.made("fails_always").exists()


def test_a_rerun_that_fails_keeps_what_there_was_and_is_tried_again(
    slurm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = slurm_project(tmp_path, "--snakefile", "faults.smk")
    made = project.folder / "faults" / "kept"
    assert project.snakemake("faults/kept").code == 0
    monkeypatch.setenv("FAILS", "1")
    assert project.snakemake("faults/kept", "--retries", "0").code == 1
    assert made.read_text() == "whole\n"
    assert project.snakemake("faults/kept", "--dry-run").plan == {"kept": 1}


def test_each_job_with_a_gpu_has_its_own(run: Run) -> None:
    records = run.attempts("rule_gpu_")
    assert [record["TresPerJob"] for record in records] == ["gres:gpu:1"] * 2
    assert [record["NodeList"] for record in records] == ["c2"] * 2
    assert {run.made(f"gpu_{number}").read_text() for number in (1, 2)} == {"0\n", "1\n"}


@pytest.fixture
def waiting(slurm: None, tmp_path: Path) -> Iterator[Project]:
    """A project for the rule `waits`, whose job ends once there is a file `go`."""
    yield slurm_project(tmp_path, "--snakefile", "faults.smk")
    (tmp_path / "go").touch()
    for node in ("c1", "c2"):
        if {"DRAIN", "DOWN"} & set(node_state(node).split("+")):
            set_node(node, "RESUME")


def running_job(project: Project) -> Record:
    """Wait until the job of `waits` is at work."""
    record = wait_for_state(project, "rule_waits", "RUNNING")
    wait_until((project.folder / "waiting").is_file)
    return record


def test_a_node_drains_and_returns(waiting: Project) -> None:
    running = start(waiting, "faults/after")
    node = running_job(waiting)["NodeList"]
    for name in ("c1", "c2"):
        set_node(name, "DRAIN")
    assert node_state(node) == "MIXED+DRAIN"
    (waiting.folder / "go").touch()  # what runs on a draining node goes on to its end
    held = wait_for_state(waiting, "rule_after", "PENDING")  # what comes next waits for a node
    assert node_state(node) == "IDLE+DRAIN"
    assert [record["JobState"] for record in jobs(waiting, "rule_waits")] == ["COMPLETED"]
    set_node(node, "RESUME")
    assert running.result().code == 0
    (after,) = jobs(waiting, "rule_after")
    assert after["JobId"] == held["JobId"]
    assert (after["JobState"], after["NodeList"]) == ("COMPLETED", node)


def test_a_job_of_a_lost_node_starts_again_elsewhere(waiting: Project) -> None:
    running = start(waiting, "faults/waited")
    lost = running_job(waiting)
    set_node(lost["NodeList"], "DOWN")
    set_node(lost["NodeList"], "DRAIN")  # or it would be back at once
    wait_for_state(waiting, "rule_waits", "PENDING")
    (waiting.folder / "go").touch()
    scontrol("update", f"JobId={lost['JobId']}", "StartTime=now")  # Slurm would wait two minutes
    assert running.result().code == 0
    (record,) = jobs(waiting, "rule_waits")
    assert (record["JobId"], record["JobState"]) == (lost["JobId"], "COMPLETED")
    assert record["Restarts"] == "1"
    assert record["NodeList"] != lost["NodeList"]
