"""Measure what planning costs: time and memory of a dry run over many tasks.

    python tools/benchmark_planning.py 1000              # each task a target and a candidate
    python tools/benchmark_planning.py 10000 --candidates 100
    python tools/benchmark_planning.py 1000 --target     # one target alone, as a job does

It makes a data set of texts with two classes of three samples per task in a temporary folder, and
plans the workflow of this checkout there. Nothing is trained.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "rules", "workflow_scripts", "profiles", "envs", "config.yaml", "schemas")


def make_project(folder: Path, tasks: int, candidates: int | None) -> None:
    """Copy the workflow into a folder, with a data set of many small tasks."""
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    for number in range(tasks):
        for label in ("one", "two"):
            place = folder / "raw" / "texts" / f"t{number:05d}" / label
            place.mkdir(parents=True)
            for sample in range(3):
                (place / f"{sample}.txt").write_text(f"{label} {sample} of {number}\n")
    many = {"kind": "folder", "raw": "raw", "preset": "demo"}
    if candidates is not None:
        many["candidates"] = [f"text-t{number:05d}" for number in range(candidates)]
    settings = {"run": ["many"], "datasets": {"many": many}}
    (folder / "many.json").write_text(json.dumps(settings))


def plan(folder: Path, *targets: str) -> tuple[float, float, str]:
    """Run a dry run; return processor seconds, memory in MB, and the end of what it printed."""
    start = processor_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "-q", "rules"]
        + ["--configfile", "many.json", "--", *targets],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = processor_seconds() - start
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return seconds, memory, (done.stdout + done.stderr)[-3000:]


def processor_seconds() -> float:
    """Return what all commands that were run so far took of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Make the data set, plan twice (the second time contents are known), print both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tasks", type=int, help="how many tasks")
    parser.add_argument("--candidates", type=int, help="how many of them are candidates; else all")
    parser.add_argument("--target", action="store_true", help="plan one target alone")
    given = parser.parse_args()
    targets = ["results/many/target_text-t00000.pt"] if given.target else []
    with tempfile.TemporaryDirectory() as folder:
        make_project(Path(folder), given.tasks, given.candidates)
        for run in ("first", "second"):
            seconds, memory, text = plan(Path(folder), *targets)
            jobs = re.search(r"^total +(\d+)$", text, re.MULTILINE)
            found = f"{jobs[1]} jobs" if jobs else text
            print(f"{run} plan: {seconds:.1f} processor seconds, {memory:.0f} MB, {found}")


if __name__ == "__main__":
    main()
