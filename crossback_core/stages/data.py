"""Stages of rules/data.smk: from published files or a folder to one tensor file per task."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from crossback_core.data.download import check_file, download
from crossback_core.data.index import check_index, load_index, save_index
from crossback_core.data.kind import KINDS, NO_SAMPLE, NOT_READ
from crossback_core.data.prepare import (
    drawn,
    drawn_by,
    list_samples,
    list_unread,
    make_index,
    make_task,
    reasons,
)
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import RemoteFile
from crossback_core.data.split_memory import kept_splits, remember, with_joined, with_own_groups
from crossback_core.data.task_file import save_task
from crossback_core.data.unpack import unpack
from crossback_core.stages.common import StrPath, check_place
from crossback_core.storage.files import exclusive, read_csv, write_csv

logger = logging.getLogger(__name__)

_MOST_LISTED = 1000  # files that belong to no task


def download_file(*, file: StrPath, source: RemoteFile) -> None:
    """Fetch one file of a published data set (rule download_file)."""
    download(source, file)


def unpack_data(
    *, files: Sequence[StrPath], listing: StrPath, sources: Sequence[RemoteFile]
) -> None:
    """Unpack the files of a data set, once they are what they should be (rule unpack_data)."""
    listing = Path(listing)
    pairs = list(zip(sources, map(Path, files), strict=True))
    checksums = [check_file(source, file) for source, file in pairs]
    lines = [f"{source.name} {sum_}\n" for source, sum_ in zip(sources, checksums, strict=True)]
    unpack(
        {source.name: file for source, file in pairs},
        listing.parent,
        notes={listing.name: "".join(lines)},
    )


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
    _tell_left_out(left_out, f"task {task}", listed=skipped)
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
    samples = _indexes_of(indexes)
    check_index(samples)
    listed = pd.concat([read_csv(path, as_text=True) for path in left_out])
    unread = list_unread(dataset.raw, settings=dataset)
    if KINDS.find(dataset.kind).unread:  # what was not read when a task was made may be gone
        by_place = listed["reason"].str.startswith(NOT_READ)
        listed = listed[~by_place | listed["source"].isin(unread["source"])]
    unread = unread[~unread["source"].isin(listed["source"])]
    write_csv(pd.concat([listed, _shortened(unread)]), skipped)
    _tell_left_out(unread, dataset.raw, listed=skipped)
    save_index(samples, index)


def _shortened(unread: pd.DataFrame) -> pd.DataFrame:
    """Say in one row how many are not listed, where they are very many."""
    more = len(unread) - _MOST_LISTED
    if more <= 0:
        return unread
    last = {"task": "", "class": "", "source": f"({more} more)", "reason": f"{NO_SAMPLE}: as above"}
    return pd.concat([unread.head(_MOST_LISTED), pd.DataFrame([last])])


def _indexes_of(paths: Sequence[StrPath]) -> pd.DataFrame:
    """Read the indexes of tasks, each of the task that its path says, into one table."""
    frames = [load_index(path) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        for task in frame["task"].unique():
            check_place(path, task)
    return pd.concat(frames, ignore_index=True)


def _tell_left_out(rows: pd.DataFrame, where: str, *, listed: StrPath) -> None:
    """Tell once what is not read, and where the list of it is."""
    if rows.empty:
        return
    line = (
        f"{where}: {len(rows)} left out ({reasons(rows)}), such as {rows['source'].iloc[0]}; "
        f"{listed} lists them"
    )
    logger.warning("%s", line, extra={"result": line})


def prepare_task(
    *,
    indexes: Sequence[StrPath],
    task_file: StrPath,
    skipped: StrPath,
    task: str,
    members: Sequence[str],
    dataset: DatasetSettings,
    train_per_class: int | None,
    seed: int,
    threads: int = 1,
) -> None:
    """Make the tensors of a task, or of several joined to one (rule prepare_task).

    The number of threads, which decode pictures, has no influence on the result.
    """
    data, left_out = make_task(
        _indexes_of(indexes),
        dataset.raw,
        settings=dataset,
        task=task,
        members=members,
        train_per_class=train_per_class,
        seed=seed,
        threads=threads,
    )
    write_csv(left_out, skipped)
    _tell_left_out(left_out, f"task {task}", listed=skipped)
    save_task(data, task_file)
