"""Damaged files and a second Snakemake: one message, and nothing earlier is lost."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from artifacts import contents, differences
from conftest import MakeProject
from processes import failed_once, kill_all_below, start
from snakemake_project import Project

pytestmark = pytest.mark.survival

BASELINE = "icons/baseline/task_3.pt"


@pytest.fixture
def finished(undisturbed: Project, make_project: MakeProject) -> Project:
    """A copy of the finished run that a test may spoil."""
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


def spoil(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Damage a file as a bad disk does, so that its time stays as it was."""
    times = path.stat()
    path.write_bytes(damage(path.read_bytes()))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


TASK = ["icons/data/task_3.pt", "icons/data/task_3_skipped.csv"]
SIMILARITY = ["icons/similarity/target_3.csv"]
SELECTION = ["icons/selection/target_3.json"]
CHOICE = ["icons/backbone/task_{backbone}/" + name for name in ("choice.json", "pruned.pt")]
SUMMARY = ["icons/summary.csv", "icons/summary.txt", "icons/report.html"]


@pytest.mark.parametrize(
    ("name", "damage", "made"),
    [
        (BASELINE, flipped, SIMILARITY),
        ("icons/data/task_3.pt", truncated, SIMILARITY),
        ("icons/data/index.csv", truncated, TASK),
        ("icons/similarity/target_3.csv", empty, SELECTION),
        ("icons/backbone/task_{backbone}/pruning.csv", truncated, CHOICE),
        ("icons/target_3.json", truncated, SUMMARY),
    ],
)
def test_a_damaged_file_is_named_and_nothing_else_touched(
    finished: Project, name: str, damage: Callable[[bytes], bytes], made: list[str]
) -> None:
    results = finished.folder / "results"
    backbone = json.loads((results / SELECTION[0]).read_text())["backbone"]
    name, made = name.format(backbone=backbone), [file.format(backbone=backbone) for file in made]
    spoil(results / name, damage)
    before = contents(results)
    done = finished.snakemake("--cores", "1", "--force", f"results/{made[0]}")
    failed_once(done, "ValueError", f"results/{name}", "remove it and run again", "full log: logs/")
    logs = [log.read_text() for log in (finished.folder / "logs").rglob("*.log")]
    assert any(f"ValueError: results/{name}" in text for text in logs)
    after = contents(results)
    assert set(before) - set(after) == set(made)  # Snakemake removes what it is about to make
    assert all(before[name] == after[name] for name in after)


def test_removing_the_damaged_file_as_the_message_says_repairs_it(
    finished: Project, undisturbed: Project
) -> None:
    results = finished.folder / "results"
    spoil(results / BASELINE, truncated)
    command = ["--cores", "2", "--forcerun", "measure_similarity"]
    failed_once(finished.snakemake(*command), BASELINE, "remove it and run again")
    (results / BASELINE).unlink()
    done = finished.snakemake(*command)
    assert done.code == 0, done.output
    assert differences(undisturbed.folder / "results", results) == []


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
        ("images.csv", truncated),
        ("tasks.yaml", truncated),
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
    tasks = yaml.safe_load((raw / "tasks.yaml").read_text())
    name = next(task for task in tasks if task["task"] == 3)["classes"][0]
    return name.replace(" ", "-") + ".png"


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
