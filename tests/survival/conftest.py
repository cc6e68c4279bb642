"""Copies of the project with the small configuration, and one undisturbed run of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from processes import kill_all_below
from snakemake_project import ROOT, Project, copy_project

MakeProject = Callable[[str], Project]
SMALL = ("--configfile", str(ROOT / "tests" / "survival" / "small.yaml"))


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeProject]:
    """Make copies; what still runs in them in the end is killed."""
    made: list[Path] = []

    def make(name: str) -> Project:
        made.append(copy_project(tmp_path_factory.mktemp(name)))
        return Project(made[-1], SMALL)

    yield make
    for folder in made:
        kill_all_below(folder)


@pytest.fixture(scope="session")
def undisturbed(
    make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Project:
    """A finished run that nothing disturbed; all workers of pytest-xdist share one."""
    own = tmp_path_factory.getbasetemp()
    note = (own if worker_id == "master" else own.parent) / "undisturbed.txt"
    with FileLock(f"{note}.lock"):
        if note.exists():
            return Project(Path(note.read_text()), SMALL)
        project = make_project("undisturbed")
        done = project.snakemake("--cores", "2")
        assert done.code == 0, done.output
        note.write_text(str(project.folder))
    return project
