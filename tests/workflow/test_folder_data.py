"""The worked example of docs/datasets.md, run as it is written there but for a tiny preset."""

import csv
import os
import shutil
from pathlib import Path

import pytest
from snakemake_project import Project, copy_project, make_example

from crossback_core.data import load_task

pytestmark = pytest.mark.slow

TASKS = ["image-animals", "image-transport", "text-callings", "text-kitchen"]
BASELINES = [f"results/mine/baseline/task_{task}.pt" for task in ("image-animals", "text-kitchen")]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example's folder, prepared and with a network for each modality."""
    folder = copy_project(tmp_path_factory.mktemp("example"))
    make_example(folder, samples=12)
    config = folder / "example" / "config.yaml"
    config.write_text(config.read_text().replace("preset: demo", "preset: tiny"))
    project = Project(folder, ("--configfile", "tests/tiny.yaml", "example/config.yaml"))
    done = project.snakemake(*BASELINES, "results/mine/data/index.csv", "--cores", "2")
    assert done.code == 0, done.output
    return project


def data(project: Project) -> Path:
    return project.folder / "results" / "mine" / "data"


def test_one_table_has_all_tasks_by_modality_and_name(example: Project) -> None:
    with (data(example) / "index.csv").open() as file:
        found = {row["task"]: row["id"].split("/")[0] for row in csv.DictReader(file)}
    assert list(found) == TASKS
    assert found == {task: f"{task[0]}-{task.partition('-')[2]}" for task in TASKS}


def test_texts_are_read_by_the_encoder_in_the_folder(example: Project) -> None:
    task = load_task(data(example) / "task_text-kitchen.pt")
    assert task.train.table is not None and task.train.table.shape[1] == 128
    assert task.train.table.any(dim=1).sum() > 20
    skipped = data(example) / "task_text-kitchen_skipped.csv"
    assert skipped.read_text() == "task,class,source,reason\n"


def test_the_whole_example_can_be_planned(example: Project) -> None:
    plan = example.snakemake("--dry-run", "--quiet", "rules").plan
    assert plan["train_target"] == plan["select_backbone"] == 2
    assert "download_file" not in plan and "prepare_index" not in plan


def test_a_new_file_makes_its_task_again_and_nothing_else_does(example: Project) -> None:
    raw = example.folder / "example" / "data"
    cat = raw / "images" / "animals" / "cat"
    file = next(cat.iterdir())
    (cat / ".DS_Store").write_text("of a file manager")
    shutil.copytree(raw / "images" / "animals", raw / "images" / "more")
    os.utime(file)
    arguments = (*BASELINES, "--dry-run", "--quiet", "rules")
    done = example.snakemake(*arguments)
    assert done.code == 0 and done.plan == {}, done.output
    (cat / "notes.md").write_text("not read, but listed")
    plan = example.snakemake("results/mine/data/index.csv", *arguments).plan
    assert plan == {"prepare_index": 1, "collect_index": 1}, "the tasks that are there stay"
    (cat / "new.png").write_bytes(file.read_bytes() + b" ")
    plan = example.snakemake(*arguments).plan
    assert plan == {"prepare_index": 1, "prepare_task": 1, "train_baseline": 1}
