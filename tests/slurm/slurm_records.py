"""What Slurm itself says of its jobs and nodes, and Snakemake runs through it."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from snakemake_project import ROOT, Outcome, Project, copy_project

PROFILE = ("--profile", "slurm", "--jobs", "8", "--latency-wait", "10")
QUICK = ("--slurm-init-seconds-before-status-checks", "5")  # Snakemake asks more often than usual

Record = dict[str, str]


def slurm_project(folder: Path, *options: str) -> Project:
    """Copy the project; its Snakemake runs with the profile slurm/."""
    copy_project(folder)
    shutil.copytree(ROOT / "slurm", folder / "slurm")
    shutil.copy2(ROOT / "tests" / "slurm" / "faults.smk", folder / "faults.smk")
    return Project(folder, (*PROFILE, *QUICK, *options))


def start(project: Project, *arguments: str) -> Future[Outcome]:
    """Run Snakemake beside the test."""
    pool = ThreadPoolExecutor(max_workers=1)
    running = pool.submit(project.snakemake, *arguments)
    pool.shutdown(wait=False)
    return running


def scontrol(*arguments: str) -> str:
    """Ask or tell the controller."""
    done = subprocess.run(["scontrol", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def jobs(project: Project, comment: str = "") -> list[Record]:
    """Return the records of the jobs of a project whose comment begins so, the oldest first."""
    lines = scontrol("show", "job", "--oneliner").splitlines()
    records = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines]
    own = [record for record in records if record.get("WorkDir") == str(project.folder)]
    found = [record for record in own if record["Comment"].startswith(comment)]
    return sorted(found, key=lambda record: int(record["JobId"]))


def node_state(node: str) -> str:
    """Return the state of a node, such as IDLE or MIXED+DRAIN."""
    found = re.search(r" State=(\S+)", scontrol("show", "node", node))
    assert found is not None
    return found[1]


def set_node(node: str, state: str) -> None:
    """Put a node into a state, such as DRAIN, DOWN or RESUME."""
    scontrol("update", f"NodeName={node}", f"State={state}", "Reason=test")


def wait_until(ready: Callable[[], bool], seconds: int = 90) -> None:
    """Wait for something that Slurm does; fail if it does not."""
    for _ in range(2 * seconds):
        if ready():
            return
        time.sleep(0.5)
    queue = subprocess.run(["squeue"], capture_output=True, text=True).stdout
    raise AssertionError(f"not within {seconds} s; the queue is\n{queue}")


def wait_for_state(project: Project, comment: str, state: str) -> Record:
    """Wait until the newest job with such a comment is in a state, and return it."""
    wait_until(lambda: [job["JobState"] for job in jobs(project, comment)[-1:]] == [state])
    return jobs(project, comment)[-1]
