"""docs/tutorial.md: every command is run, in order, and plans what the page says.

With TUTORIAL_PRESET=demo it runs as written; with pytest's option -s it prints what the page shows,
and what each command took.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from snakemake_project import ROOT, Outcome, copy_project

pytestmark = pytest.mark.reruns

PRESET = os.environ.get("TUTORIAL_PRESET", "tiny")
TABLE = "job                   count\n"
PLANS = 5  # that the page shows
DONE = "Nothing to be done"


@dataclass(frozen=True)
class Block:
    """A fenced block of the page."""

    language: str
    text: str


def blocks() -> Iterator[Block]:
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield Block(language, text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the project that has the tiny preset and the programs of a virtual environment."""
    project = tmp_path / "project"
    project.mkdir()
    copy_project(project)
    shutil.copytree(ROOT / "tools", project / "tools")
    tiny = (project / "tests" / "tiny.yaml").read_text(encoding="utf-8").partition("\npresets:\n")
    with (project / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(tiny[2].replace("repeats: 2", "repeats: 1"))  # what is planned is the same
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, arguments in (("python", ""), ("snakemake", "-m snakemake ")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        program.chmod(0o755)
    return project


def run(block: Block, folder: Path) -> str:
    """Run a block with the programs of this test and return what it printed."""
    text = block.text.replace("preset: demo", f"preset: {PRESET}")
    program = ["python"] if block.language == "python" else ["bash", "-euo", "pipefail"]
    paths = os.pathsep.join([str(folder.parent / "bin"), os.environ["PATH"]])
    before = processor_minutes()
    done = subprocess.run(
        [*program, "-c", text],
        cwd=folder,
        env=os.environ | {"PATH": paths, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
    )
    minutes = processor_minutes() - before
    print(f"$ {text}{done.stdout}({minutes:.1f} minutes of a processor)\n", flush=True)
    assert done.returncode == 0, f"{text}\nends with {done.returncode}:\n{done.stdout}"
    return done.stdout


def processor_minutes() -> float:
    """Return what all commands that were run so far took of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


def plan(text: str) -> dict[str, int]:
    return Outcome(0, text, "").plan


def test_every_command_runs_and_plans_what_the_page_says(folder: Path) -> None:
    printed = ""
    compared = 0
    for block in blocks():
        if block.language in ("sh", "python"):
            printed = run(block, folder)
        elif block.text.startswith(TABLE):
            assert plan(printed) == plan(block.text) != {}, f"{block.text}\nprinted:\n{printed}"
            compared += 1
    assert compared == PLANS
    assert DONE in printed, "of the copy, at the end of the page"
