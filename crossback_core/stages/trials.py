"""Stages of rules/trials.smk: further trainings of a target, which its verdict is over."""

from __future__ import annotations

from crossback_core.data.folds import hold_out
from crossback_core.data.index import load_index
from crossback_core.data.task_file import save_task
from crossback_core.stages.artifacts import StrPath, check_place
from crossback_core.stages.common import task_of


def hold_out_fold(
    *, task_file: StrPath, index: StrPath, held_out: StrPath, folds: int, fold: int, seed: int
) -> None:
    """Hold out a part of a target's training samples (rule hold_out_fold)."""
    data = task_of(task_file)
    rows = load_index(index)
    check_place(index, data.task)
    groups = dict(zip(rows["id"], rows["group"], strict=True))
    save_task(hold_out(data, groups, folds=folds, fold=fold, seed=seed), held_out)
