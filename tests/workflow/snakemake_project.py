"""Runs Snakemake in a copy of the project, so that nothing is written into the checkout."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What one Snakemake command printed and whether it succeeded."""

    code: int
    output: str
    standard_output: str

    @property
    def plan(self) -> dict[str, int]:
        """Jobs a rule, as a dry run announces them."""
        table = re.search(r"^job +count\n[- ]+\n((?:\w+ +\d+\n)+)", self.output, re.MULTILINE)
        rows = table[1].split("\n")[:-1] if table else []
        return {name: int(count) for name, count in map(str.split, rows) if name != "total"}


@dataclass(frozen=True)
class Project:
    """A copy of the project in which Snakemake can run."""

    folder: Path
    options: tuple[str, ...] = ()
    packages: tuple[Path, ...] = ()  # folders with packages that are installed beside the project

    def snakemake(self, *arguments: str) -> Outcome:
        """Run Snakemake with the project's options and more arguments."""
        return self._run("-m", "snakemake", *arguments, *self.options)

    def python(self, code: str) -> Outcome:
        """Run code beside the project's packages."""
        return self._run("-c", code)

    def _run(self, *arguments: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, *self.packages)))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1800,  # for what hangs: machines are shared
        )
        return Outcome(done.returncode, done.stdout + done.stderr, done.stdout)


def copy_project(folder: Path) -> Path:
    """Copy what Snakemake reads; the data is linked."""
    for name in ("Snakefile", "config.yaml"):
        shutil.copy2(ROOT / name, folder / name)
    for name in ("rules", "workflow_scripts", "envs", "profiles"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "tests").mkdir()
    shutil.copy2(ROOT / "tests" / "tiny.yaml", folder / "tests" / "tiny.yaml")
    (folder / "data").mkdir()
    (folder / "data" / "icons").symlink_to(ROOT / "data" / "icons")
    return folder


def make_example(folder: Path, *, samples: int) -> None:
    """Make the example of docs/datasets.md in a folder, with so many samples of a class."""
    tool = ROOT / "tools" / "make_folder_example.py"
    subprocess.run(
        [sys.executable, tool, "example", "--samples", str(samples)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
