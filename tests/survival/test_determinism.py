"""Another number of threads gives nearly the same bits. Another folder: see `test_chaos.py`."""

import json
import os

import pytest
from artifacts import largest_difference
from conftest import MakeProject
from snakemake_project import Project

pytestmark = pytest.mark.survival


BASELINES = ["icons/baseline/task_1.pt", "icons/baseline/task_17.pt"]  # of pictures, of texts


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the machine has one core")
def test_another_number_of_threads_changes_last_digits_of_what_is_trained(
    undisturbed: Project, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to here: what is decided by these numbers, such as a sparsity, may turn out otherwise."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # or threads eat each other's time when busy
    project = make_project("threads")
    wanted = [f"results/{name}" for name in BASELINES]
    done = project.snakemake(*wanted, "--cores", "2", "--set-threads", "train_baseline=2")
    assert done.code == 0, done.output
    one, two = undisturbed.folder / "results", project.folder / "results"
    gaps = {name: largest_difference(one / name, two / name) for name in BASELINES}
    print(f"1 and 2 threads: by {gaps} at most")
    assert max(gaps.values()) < 0.01
    data = [f"icons/data/task_{task}.pt" for task in (1, 17)]
    assert [(one / name).read_bytes() for name in data] == [
        (two / name).read_bytes() for name in data
    ]
    threads = [
        json.loads((two / name).with_suffix(".json").read_text())["threads"] for name in BASELINES
    ]
    assert threads == [2, 2]
