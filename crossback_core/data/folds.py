"""Parts of a task's training samples, held out in turn: for data that have none to spare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from crossback_core.data.deal import NOWHERE, Places, deal
from crossback_core.data.task_file import TaskData


def hold_out(
    data: TaskData, groups: Mapping[str, str], *, folds: int, fold: int, seed: int
) -> TaskData:
    """Return a task whose validation split is one part of its training samples.

    The parts have as equal a share of each class as their groups allow, which stay whole. The
    validation split itself is left out; the test split stays.

    Args:
        data: The task.
        groups: The group of each training sample, by its id.
        folds: How many parts there are.
        fold: Which of them is held out, from 1.
        seed: Decides the parts.

    Raises:
        ValueError: A sample has no group, or a class would be without a training sample.
    """
    places = _parts(data, groups, folds, seed)
    held_out = torch.from_numpy(places == fold - 1)
    for number, name in enumerate(data.classes):
        if not bool(((data.train.labels == number) & ~held_out).any()):
            raise ValueError(
                f"class {name} of task {data.task} has no training sample outside part {fold} of"
                f" {folds}: it needs two groups or more; give it some, or set target.judged_by to"
                " validation"
            )
    if not bool(held_out.any()):
        raise ValueError(
            f"part {fold} of {folds} of task {data.task} holds no sample: its {len(data.train)}"
            " training samples are of fewer groups; set target.repeats to fewer parts"
        )
    return replace(
        data,
        train=data.train.part(~held_out),
        validation=data.train.part(held_out),
    )


def _parts(data: TaskData, groups: Mapping[str, str], folds: int, seed: int) -> Places:
    """Deal the training samples to parts; return the part of each sample, from 0."""
    absent = [id_ for id_ in data.train.ids if id_ not in groups]
    if absent:
        raise ValueError(f"training sample {absent[0]} of task {data.task} is not in the index")
    names = pd.Index([groups[id_] for id_ in data.train.ids])
    group, known = names.factorize()
    counts = np.zeros((len(known), len(data.classes)))
    np.add.at(counts, (group, data.train.labels.numpy()), 1)
    there = counts.sum(axis=0) > 0
    fractions = np.full(folds, 1 / folds)
    nowhere: Places = np.full(len(known), NOWHERE)
    places = deal(counts[:, there], nowhere, fractions, np.random.default_rng(seed))
    of_samples: Places = places[group]
    return of_samples
