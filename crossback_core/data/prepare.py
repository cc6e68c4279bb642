"""Read the samples of a task into tensors."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from crossback_core.data.kind import KINDS, SampleReader
from crossback_core.data.listing import without_problems
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.modality import Modality, Packed
from crossback_core.data.names import by_number
from crossback_core.data.settings import SPLITS, DatasetSettings
from crossback_core.data.task_file import Split, TaskData
from crossback_core.section import unknown

logger = logging.getLogger(__name__)


def make_task(
    index: pd.DataFrame,
    raw: str | Path,
    *,
    settings: DatasetSettings,
    task: str,
    members: Sequence[str],
    train_per_class: int | None,
    seed: int,
    name: str = "",
    threads: int = 1,
) -> tuple[TaskData, pd.DataFrame]:
    """Read the samples of one task.

    Args:
        index: Of the members.
        raw: The folder of the data set.
        settings: Of the data set.
        task: The id of the task that is made.
        members: The tasks of the index that it consists of: itself, or several for a joint task,
            whose classes are theirs in this order.
        train_per_class: The most training samples per class; None takes all. Validation and test
            stay whole, and a smaller choice is part of a larger one.
        seed: Decides which training samples are chosen.
        name: What people call the task; nothing where its id tells.
        threads: How many images are decoded at a time.

    Returns:
        The task's tensors, and what was skipped, as `SKIPPED_COLUMNS`.

    Raises:
        ValueError: If the members are unknown, of two modalities or share a class; if more is
            skipped than allowed, or a class is left without a sample in one of the splits.
    """
    rows, classes = _member_rows(index, members)
    if train_per_class is not None:
        rows = _fewer(rows, train_per_class, seed)
    modality = MODALITIES.find(str(rows["modality"].iloc[0]))
    read = _reader(settings.kind, modality.name)
    packed = modality.pack(read(Path(raw), rows["source"].tolist(), settings, threads=threads))
    kept, skipped = without_problems(rows.assign(problem=packed.problems), settings)
    _check_classes(kept, classes, task)
    trained = kept.index[kept["split"] == "train"].tolist()
    _tell_copies(kept, packed.contents_of(kept.index.tolist()), task)
    splits = {
        name: _split(modality, packed, kept[kept["split"] == name], classes) for name in SPLITS
    }
    data = TaskData(
        task=task, name=name, classes=classes, **splits, recipe=packed.recipe_of(trained)
    )
    return data, skipped


def _reader(kind: str, modality: str) -> SampleReader:
    readers = KINDS.find(kind).readers
    if modality not in readers:
        raise ValueError(
            f"a data set of kind {kind} has no samples of modality {modality!r}, only of"
            f" {', '.join(readers)}"
        )
    return readers[modality]


def _member_rows(
    index: pd.DataFrame, members: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the members' rows, member after member, and their classes in order."""
    known = sorted(set(index["task"]), key=by_number)
    missing = [member for member in members if member not in known]
    if missing or not members:
        raise ValueError(unknown("task", missing[0] if missing else "", known))
    parts = [index[index["task"] == member] for member in members]
    rows = pd.concat(parts, ignore_index=True)
    if rows["modality"].nunique() > 1:
        raise ValueError(f"tasks {list(members)} are not all of one modality")
    classes = [name for part in parts for name in part["class"].unique()]
    shared = sorted({name for name in classes if classes.count(name) > 1})
    if shared:
        raise ValueError(f"tasks {list(members)} share the classes {', '.join(shared)}")
    return rows, tuple(classes)


def _fewer(rows: pd.DataFrame, train_per_class: int, seed: int) -> pd.DataFrame:
    """Keep at most `train_per_class` training rows per class, and all rows of other splits."""
    if train_per_class < 1:
        raise ValueError(f"train_per_class is {train_per_class}: 1 or more, or none for all")
    kept = [rows[rows["split"] != "train"]]
    for name, part in rows[rows["split"] == "train"].groupby("class"):
        # One generator per class: the choice does not depend on the task's other classes.
        random = np.random.default_rng([seed, zlib.crc32(str(name).encode())])
        kept.append(part.iloc[random.permutation(len(part))[:train_per_class]])
    return pd.concat(kept).sort_index().reset_index(drop=True)


def _check_classes(rows: pd.DataFrame, classes: Sequence[str], task: str) -> None:
    """Refuse a class that has lost all its samples of one split."""
    there = set(zip(rows["class"], rows["split"], strict=True))
    for name in classes:
        for split in SPLITS:
            if (name, split) not in there:
                raise ValueError(f"class {name} of task {task} has no readable {split} sample")


def _tell_copies(rows: pd.DataFrame, contents: Sequence[str] | None, task: str) -> None:
    """Tell what is there under several names: a copy of a test sample may be known by heart."""
    if contents is None:
        return
    named = rows.assign(content=contents)
    named = named[named["content"].duplicated(keep=False)]
    # One source may be there twice: the rows of one text, which groups have put into two splits.
    named = named.drop_duplicates(["content", "source", "split"])
    sets = [part for _, part in named.groupby("content", sort=False) if len(part) > 1]
    if not sets:
        return
    sets.sort(key=lambda part: part["split"].nunique(), reverse=True)
    for each in sets:
        logger.info("one content: %s", _with_splits(each))
    apart = sum(part["split"].nunique() > 1 for part in sets)
    example = sets[0].sort_values("split", key=lambda splits: splits.duplicated(), kind="stable")
    line = (
        f"task {task}: contents under several names: {len(sets)}, in several splits: {apart}, such "
        f"as {_with_splits(example.head(2))}; keep one of each, or give copies one group"
    )
    logger.warning("%s", line, extra={"result": line})


def _with_splits(rows: pd.DataFrame) -> str:
    return " = ".join(f"{row.source} ({row.split})" for row in rows.itertuples())


def _split(modality: Modality, packed: Packed, rows: pd.DataFrame, classes: Sequence[str]) -> Split:
    labels = torch.tensor([classes.index(name) for name in rows["class"]])
    places = rows.index.tolist()
    return Split(
        modality,
        labels,
        tuple(rows["id"]),
        packed.of(places),
        packed.table,
        packed.contents_of(places),
    )
