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


SIMILARITY = "icons/similarity/target_3.csv"
SELECTION = "icons/selection/target_3.json"


@pytest.mark.parametrize(
    ("name", "damage", "made"),
    [
        (BASELINE, flipped, SIMILARITY),
        ("icons/data/task_3.pt", truncated, SIMILARITY),
        ("icons/candidates.csv", truncated, SIMILARITY),
        ("icons/data/index/3.csv", truncated, "icons/data/task_3.pt"),
        (SIMILARITY, empty, SELECTION),
        (
            "icons/backbone/task_{backbone}/pruning.csv",
            truncated,
            "icons/backbone/task_{backbone}/choice.json",
        ),
        ("icons/target_3.json", truncated, "icons/summary.csv"),
        ("icons/stacking/target_3.json", truncated, "icons/summary.csv"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_touched(
    finished: Project, name: str, damage: Callable[[bytes], bytes], made: str
) -> None:
    results = finished.folder / "results"
    backbone = json.loads((results / SELECTION).read_text())["backbone"]
    name, made = name.format(backbone=backbone), made.format(backbone=backbone)
    spoil(results / name, damage)
    before = contents(results)
    done = finished.snakemake("--cores", "1", "--force", f"results/{made}")
    failed_once(done, "ValueError", f"results/{name}", "remove it and run again", "full log: logs/")
    logs = [log.read_text() for log in (finished.folder / "logs").rglob("*.log")]
    assert any(f"ValueError: results/{name}" in text for text in logs)
    assert contents(results) == before


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


def test_a_damaged_list_of_tasks_is_named_before_anything_is_planned(own_data: Project) -> None:
    path = own_data.folder / "data" / "icons" / "tasks.yaml"
    path.write_bytes(truncated(path.read_bytes()))
    done = own_data.snakemake("--cores", "1", "results/icons/data/task_3.pt")
    failed_once(done, "datasets.icons.raw: data/icons/tasks.yaml: ", "is not a task")
    assert not (own_data.folder / "results").exists()


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
    assert "another run is going on in this folder" in second.output
    assert "--unlock" in second.output
    assert project.snakemake("--unlock").code == 0
    assert project.snakemake("--cores", "1", "--rerun-incomplete", "--dry-run").code == 0
