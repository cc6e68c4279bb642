"""Stages of rules/data.smk: published files, and one tensor file per task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossback_core.config.experiment import JointTask
from crossback_core.data.download import check_file, download
from crossback_core.data.kind import task_names
from crossback_core.data.listing import tell_left_out
from crossback_core.data.prepare import make_task
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import RemoteFile
from crossback_core.data.task_file import save_task
from crossback_core.data.unpack import unpack
from crossback_core.stages.artifacts import StrPath, indexes_of
from crossback_core.storage.files import write_csv


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
    joint: JointTask | None = None,
    threads: int = 1,
) -> None:
    """Make the tensors of a task, or of several joined to one (rule prepare_task).

    The number of threads, which decode pictures, has no influence on the result. Of `joint`, which
    several are joined by, the name is taken.
    """
    data, left_out = make_task(
        indexes_of(indexes),
        dataset.raw,
        settings=dataset,
        task=task,
        members=members,
        train_per_class=train_per_class,
        seed=seed,
        name=joint.name if joint else task_names(dataset).get(task, ""),
        threads=threads,
    )
    write_csv(left_out, skipped)
    tell_left_out(left_out, f"task {task}", listed=skipped)
    save_task(data, task_file)
