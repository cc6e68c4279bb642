"""The worked example of docs/datasets.md, run as it is written there but for a tiny preset."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_project import ROOT, Project, copy_project

from crossback_core.data import load_task

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example's folder, prepared and with a network for each modality."""
    folder = copy_project(tmp_path_factory.mktemp("example"))
    subprocess.run(
        [sys.executable, ROOT / "tools" / "make_folder_example.py", "example", "--samples", "12"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    config = folder / "example" / "config.yaml"
    config.write_text(config.read_text().replace("preset: demo", "preset: tiny"))
    project = Project(folder, ("--configfile", "tests/tiny.yaml", "example/config.yaml"))
    baselines = [f"results/mine/baseline/task_{task}.pt" for task in (1, 4)]
    done = project.snakemake(*baselines, "--cores", "2")
    assert done.code == 0, done.output
    return project


def data(project: Project) -> Path:
    return project.folder / "results" / "mine" / "data"


def test_ids_of_tasks_can_be_found(example: Project) -> None:
    log = (example.folder / "logs" / "prepare_index" / "mine.log").read_text()
    for line in ("1: images of animals", "2: images of transport", "3: texts of callings"):
        assert f"task {line}, classes" in log
    with (data(example) / "index.csv").open() as file:
        ids = {(row["task"], row["id"].split("/")[0]) for row in csv.DictReader(file)}
    assert ids == {
        ("1", "i-animals"),
        ("2", "i-transport"),
        ("3", "t-callings"),
        ("4", "t-kitchen"),
    }


def test_texts_are_read_by_the_encoder_in_the_folder(example: Project) -> None:
    task = load_task(data(example) / "task_4.pt")
    assert task.train.table is not None and task.train.table.shape[1] == 128
    assert task.train.table.any(dim=1).sum() > 20
    assert (data(example) / "task_4_skipped.csv").read_text() == "task,class,source,reason\n"


def test_the_whole_example_can_be_planned(example: Project) -> None:
    plan = example.snakemake("--dry-run", "--quiet", "rules").plan
    assert plan["train_target"] == plan["select_backbone"] == 2
    assert "download_file" not in plan and "prepare_index" not in plan


def test_a_new_file_makes_the_data_again(example: Project) -> None:
    folder = example.folder / "example" / "data" / "images" / "animals" / "cat"
    file = next(folder.iterdir())
    new = file.with_name("new.png")
    new.write_bytes(file.read_bytes())
    plan = example.snakemake("--dry-run", "--quiet", "rules").plan
    assert plan["prepare_index"] == 1 and plan["prepare_task"] == 4
