"""The same configuration gives the same bits; another number of threads nearly so."""

import os
from pathlib import Path

import pytest
from artifacts import differences, largest_difference
from conftest import MakeProject
from snakemake_project import Project

pytestmark = pytest.mark.survival


TRAINING = ["train_baseline=2", "measure_similarity=2", "prune_backbone=2", "train_target=2"]


def results(project: Project, *arguments: str) -> Path:
    """Run a project whole and return its results."""
    done = project.snakemake("--cores", "2", *arguments)
    assert done.code == 0, done.output
    return project.folder / "results"


def test_two_folders_give_equal_tensors_and_tables(
    undisturbed: Project, make_project: MakeProject
) -> None:
    again = results(make_project("again"))
    assert differences(undisturbed.folder / "results", again) == []


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the machine has one core")
def test_another_number_of_threads_changes_last_digits_of_what_is_trained(
    undisturbed: Project, make_project: MakeProject
) -> None:
    one = undisturbed.folder / "results"
    two = results(make_project("threads"), "--set-threads", *TRAINING, "--")
    changed = [name for name in differences(one, two) if name.endswith(".pt")]
    print(f"1 and 2 threads: {changed} differ, by {largest_difference(one, two)} at most")
    assert not any(name.startswith("icons/data/") for name in changed)
