"""A disk that runs full: one message, nothing earlier lost, and the same command goes on later."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from artifacts import contents, differences, spoilt
from conftest import MakeProject
from processes import failed_once, kill_all_below
from snakemake_project import Project, copy_project

pytestmark = pytest.mark.survival

MakeDisk = Callable[[Path], "Disk"]


class Disk:
    """A small file system in memory.

    Args:
        folder: Where to mount it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        if os.geteuid() != 0 or not self._mount("size=64m"):
            pytest.skip("only root may mount a small file system, and not in every container")

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def leave(self, free: int) -> None:
        """Change its size so that so many bytes are free."""
        size = (shutil.disk_usage(self.folder).used + free) // 1024
        assert self._mount(f"remount,size={size}k")

    def remove(self) -> None:
        kill_all_below(self.folder)
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def make_disk() -> Iterator[MakeDisk]:
    """Mount small file systems, which are gone afterwards."""
    made: list[Disk] = []

    def make(folder: Path) -> Disk:
        made.append(Disk(folder))
        return made[-1]

    yield make
    for disk in made:
        disk.remove()


@pytest.mark.parametrize("done_before", ["prepare_index", "prepare_task"])
def test_full_results_are_told_in_one_message(
    make_project: MakeProject, make_disk: MakeDisk, undisturbed: Project, done_before: str
) -> None:
    project = make_project("disk")
    results = project.folder / "results"
    disk, whole = make_disk(results), undisturbed.folder / "results"
    assert project.snakemake("--cores", "2", "--until", done_before).code == 0
    before = contents(results)
    disk.leave(40_000)  # bytes: less than the next file takes
    done = project.snakemake("--cores", "1")
    failed_once(done, "OSError", "the disk is full", "make room and run the same command again")
    assert {name: contents(results).get(name) for name in before} == before
    assert spoilt(results, whole) == []
    assert not list(results.rglob(".*.tmp"))


def test_a_full_disk_loses_nothing_and_the_same_command_goes_on_when_there_is_room(
    tmp_path: Path, make_disk: MakeDisk, undisturbed: Project
) -> None:
    """Snakemake's own records, the logs and the results share the disk; which is hit, is chance."""
    disk = make_disk(tmp_path / "disk")
    project = Project(copy_project(disk.folder), undisturbed.options)
    results, whole = disk.folder / "results", undisturbed.folder / "results"
    assert project.snakemake("--cores", "2", "--until", "prepare_task").code == 0
    disk.leave(400_000)  # bytes: enough to start, too few to end
    done = project.snakemake("--cores", "1")
    assert done.code == 1, done.output
    assert "the disk is full" in done.output or "No space left on device" in done.output
    assert spoilt(results, whole) == []
    disk.leave(40_000)
    done = project.snakemake("--cores", "1")
    failed_once(done, "the disk is full", "make room and run the same command again")
    disk.leave(64_000_000)
    done = project.snakemake("--cores", "2", "--rerun-incomplete")
    assert done.code == 0, done.output
    assert differences(whole, results) == []
