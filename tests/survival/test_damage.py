"""Damaged files, a full disk and a second Snakemake: one message, and nothing earlier is lost."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from artifacts import differences
from conftest import MakeProject
from processes import kill_all_below, start
from snakemake_project import Outcome, Project

pytestmark = pytest.mark.survival

BASELINE = "results/icons/baseline/task_3.pt"


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder but hidden ones."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    named = {str(path.relative_to(folder)): path for path in files}
    return {name: named[name].read_bytes() for name in sorted(named) if not name.startswith(".")}


def failed_once(done: Outcome, *words: str) -> None:
    """See that a run failed with one message that has these words, and no traceback."""
    assert done.code == 1, done.output
    lines = [line for line in done.output.splitlines() if all(word in line for word in words)]
    assert len(lines) == 1, done.output
    assert "Traceback" not in done.output


@pytest.fixture(scope="module")
def finished(undisturbed: Project, make_project: MakeProject) -> Project:
    """A copy of the finished run that tests may spoil and repair."""
    project = make_project("spoilt")
    shutil.rmtree(project.folder / "data")  # a link, which cannot be copied over
    shutil.copytree(undisturbed.folder, project.folder, dirs_exist_ok=True, symlinks=True)
    return project


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def empty(data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [truncated, flipped, empty], ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_named_and_nothing_else_touched(
    finished: Project, damage: Callable[[bytes], bytes]
) -> None:
    path = finished.folder / BASELINE
    before, whole = contents(finished.folder / "results"), path.read_bytes()
    path.write_bytes(damage(whole))
    similarity = "results/icons/similarity/target_3.csv"
    done = finished.snakemake("--cores", "1", "--force", similarity)
    path.write_bytes(whole)
    failed_once(done, "ValueError", BASELINE, "remove it and run again")
    log = finished.folder / "logs" / "measure_similarity" / "icons" / "3.log"
    assert BASELINE in log.read_text()
    after = contents(finished.folder / "results")
    assert {name for name in before if before[name] != after.get(name)} == {
        "icons/similarity/target_3.csv"  # Snakemake removes what it is about to make
    }


def test_removing_the_damaged_file_as_the_message_says_repairs_it(
    finished: Project, undisturbed: Project
) -> None:
    (finished.folder / BASELINE).unlink()
    done = finished.snakemake("--cores", "2")
    assert done.code == 0, done.output
    assert differences(undisturbed.folder / "results", finished.folder / "results") == []


@pytest.fixture
def own_data(make_project: MakeProject) -> Project:
    """A project whose raw data may be spoilt."""
    project = make_project("raw")
    link = project.folder / "data" / "icons"
    source = link.resolve()
    link.unlink()
    shutil.copytree(source, link)
    return project


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("images/{sheet}", flipped),
        ("images/{sheet}", truncated),
        ("images/{sheet}", empty),
        ("images.csv", truncated),
        ("texts.csv", truncated),
        ("tasks.yaml", truncated),
        ("tasks.yaml", None),
        ("images/{sheet}", None),
    ],
)
def test_damaged_raw_data_is_named(
    own_data: Project, name: str, damage: Callable[[bytes], bytes] | None
) -> None:
    raw = own_data.folder / "data" / "icons"
    path = raw / name.format(sheet=sheet_of_task_3(raw))
    data = path.read_bytes()
    path.unlink()
    if damage is not None:
        path.write_bytes(damage(data))
    done = own_data.snakemake("--cores", "1", "results/icons/data/task_3.pt")
    failed_once(done, "Error", path.name, "full log: logs/prepare_")
    logs = [log.read_text() for log in (own_data.folder / "logs").rglob("*.log")]
    assert any(path.name in text for text in logs)


def sheet_of_task_3(raw: Path) -> str:
    """Return the file name of a class of task 3."""
    import yaml

    tasks = yaml.safe_load((raw / "tasks.yaml").read_text())
    name = next(task for task in tasks if task["task"] == 3)["classes"][0]
    return name.replace(" ", "-") + ".png"


@pytest.fixture
def small_disk(make_project: MakeProject) -> Iterator[Project]:
    """A project whose results are on a file system of a few hundred kilobytes."""
    project = make_project("disk")
    results = project.folder / "results"
    results.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(results)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small file system, and not in every container")
    yield project
    kill_all_below(project.folder)
    subprocess.run(["umount", "--lazy", str(results)], check=True)


def test_a_full_disk_says_so_and_the_same_command_goes_on_when_there_is_room(
    small_disk: Project, undisturbed: Project
) -> None:
    results = small_disk.folder / "results"
    done = small_disk.snakemake("--cores", "1")
    failed_once(done, "OSError", "the disk is full", "make room and run the same command again")
    earlier = contents(results)
    assert earlier, "the file system was full before anything was made"
    made = contents(undisturbed.folder / "results")
    assert all(len(earlier[name]) == len(made[name]) for name in earlier if name.endswith("csv"))
    assert not list(results.rglob(".*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(results)], check=True)
    done = small_disk.snakemake("--cores", "2")
    assert done.code == 0, done.output
    assert differences(undisturbed.folder / "results", results) == []
    assert {name for name in earlier if earlier[name] != (results / name).read_bytes()} == set()


def test_two_snakemakes_in_one_folder_are_kept_apart(make_project: MakeProject) -> None:
    project = make_project("two")
    output = project.folder / "output.txt"
    first = start(
        "-m", "snakemake", "--cores", "1", *project.options, folder=project.folder, output=output
    )
    while first.poll() is None and "Index and split" not in output.read_text():
        time.sleep(0.05)
    second = project.snakemake("--cores", "1")
    running = first.poll() is None
    first.kill()
    first.wait()
    kill_all_below(project.folder)
    assert running, output.read_text()
    assert second.code == 1
    assert "LockException" in second.output
    assert "--unlock" in second.output
    assert project.snakemake("--unlock").code == 0
    assert project.snakemake("--cores", "1", "--rerun-incomplete", "--dry-run").code == 0
