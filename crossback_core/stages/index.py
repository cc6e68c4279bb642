"""Stages of rules/index.smk: samples and their splits; many short jobs, which load no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from crossback_core.data.index import check_index, save_index
from crossback_core.data.kind import KINDS, NO_SAMPLE, NOT_READ
from crossback_core.data.listing import (
    drawn,
    drawn_by,
    list_samples,
    list_unread,
    make_index,
    tell_left_out,
)
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.split_memory import kept_splits, remember, with_joined, with_own_groups
from crossback_core.stages.artifacts import StrPath, indexes_of
from crossback_core.storage.files import exclusive, read_csv, write_csv

_MOST_LISTED = 1000  # files that belong to no task


def prepare_index(
    *,
    index: StrPath,
    splits: StrPath,
    skipped: StrPath,
    task: str,
    dataset: DatasetSettings,
    seed: int,
) -> None:
    """List the samples of a task and their splits (rule prepare_index).

    The file of splits is kept and extended: a group that has a split stays there. So are those of
    the tasks that share groups with this one, which lie beside it.
    """
    splits = Path(splits)
    rows = list_samples(dataset.raw, settings=dataset, task=task)
    rule = drawn_by(rows, dataset, seed)
    with exclusive(splits.parent):  # the task of the same pictures' texts may be at it as well
        beside = [splits.with_name(f"{each}.csv") for each in rows["task"].unique()]
        kept = kept_splits(beside, rule)
        samples, left_out = make_index(
            rows, settings=dataset, task=task, seed=seed, kept=with_joined(kept, rows)
        )
        # Those of the other tasks as well: which of them is made first decides nothing.
        remember(splits, with_own_groups(drawn(samples, rows), rows, kept), rule)
    write_csv(left_out, skipped)
    tell_left_out(left_out, f"task {task}", listed=skipped)
    save_index(samples[samples["task"] == task], index)


def collect_index(
    *,
    indexes: Sequence[StrPath],
    left_out: Sequence[StrPath],
    index: StrPath,
    skipped: StrPath,
    dataset: DatasetSettings,
) -> None:
    """Put the indexes of all tasks, and what is left out, into one table each (rule collect_index).

    What the tasks do not list is told: it belongs to none, or is new.
    """
    samples = indexes_of(indexes)
    check_index(samples)
    listed = pd.concat([read_csv(path, as_text=True) for path in left_out])
    unread = list_unread(dataset.raw, settings=dataset)
    if KINDS.find(dataset.kind).unread:  # what was not read when a task was made may be gone
        by_place = listed["reason"].str.startswith(NOT_READ)
        listed = listed[~by_place | listed["source"].isin(unread["source"])]
    unread = unread[~unread["source"].isin(listed["source"])]
    write_csv(pd.concat([listed, _shortened(unread)]), skipped)
    tell_left_out(unread, dataset.raw, listed=skipped)
    save_index(samples, index)


def _shortened(unread: pd.DataFrame) -> pd.DataFrame:
    """Say in one row how many are not listed, where they are very many."""
    more = len(unread) - _MOST_LISTED
    if more <= 0:
        return unread
    last = {"task": "", "class": "", "source": f"({more} more)", "reason": f"{NO_SAMPLE}: as above"}
    return pd.concat([unread.head(_MOST_LISTED), pd.DataFrame([last])])
