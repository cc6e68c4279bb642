"""Stages of trials: a part of a target's training samples, read from files and written to one."""

import pandas as pd
import pytest
import tiny

from crossback_core.data.index import save_index
from crossback_core.data.task_file import load_task, save_task
from crossback_core.stages.trials import hold_out_fold


@pytest.fixture
def held_out(tmp_path):
    """Hold out each of three parts; groups are pairs of training samples."""
    data = tiny.task_data("3", "text", train=24)
    rows = [
        {"id": id_, "group": f"pair {number // 2}", "class": label, "split": "train"}
        for number, (id_, label) in enumerate(
            zip(data.train.ids, data.train.labels.tolist(), strict=True)
        )
    ]
    rows += [  # an index has all splits
        {"id": f"{split} {label}", "group": f"{split} {label}", "class": label, "split": split}
        for split in ("validation", "test")
        for label in range(2)
    ]
    index = tmp_path / "data" / "index" / "3.csv"
    save_index(pd.DataFrame(rows).assign(task="3", modality="text", source="a file"), index)
    save_task(data, tmp_path / "task_3.pt")

    def made(fold, index=index):
        path = tmp_path / f"fold_{fold}.pt"
        hold_out_fold(
            task_file=tmp_path / "task_3.pt", index=index, held_out=path, folds=3, fold=fold, seed=1
        )
        return load_task(path)

    return data, made, index


def test_each_group_of_the_index_is_held_out_once(held_out):
    data, made, index = held_out
    groups = pd.read_csv(index).set_index("id")["group"]
    parts = [set(groups[list(made(fold).validation.ids)]) for fold in (1, 2, 3)]
    assert set.union(*parts) == set(groups[list(data.train.ids)])
    assert sum(map(len, parts)) == 12
    assert made(1).test.ids == data.test.ids and len(made(1).train) == 16


def test_the_index_of_another_task_is_refused(held_out):
    _, made, index = held_out
    other = index.rename(index.with_name("4.csv"))
    with pytest.raises(ValueError, match="holds 3, but its path says 4"):
        made(1, index=other)
