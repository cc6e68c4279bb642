"""Prepare a data set: its index, and the tensors of one task."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crossback_core.data import icons
from crossback_core.data.images import stack
from crossback_core.data.index import add_splits
from crossback_core.data.reader import Reader
from crossback_core.data.task_file import Split, TaskData, as_modality
from crossback_core.data.text import pack
from crossback_core.settings import SPLITS

READERS: dict[str, Reader] = {"icons": icons.READER}


def find_reader(kind: str) -> Reader:
    """Return the reader of a kind of data set."""
    if kind not in READERS:
        raise ValueError(f"data set kind {kind!r} is not one of {', '.join(sorted(READERS))}")
    return READERS[kind]


def make_index(raw: str | Path, *, kind: str, seed: int) -> pd.DataFrame:
    """List every sample of a data set and split them by group.

    Args:
        raw: The folder of the data set.
        kind: Which reader reads it.
        seed: Decides which of the equally good splits is taken.

    Returns:
        The index, see `crossback_core.data.index`.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise FileNotFoundError(f"{raw} is not a folder: the {kind} data set should be there")
    return add_splits(find_reader(kind).index(raw), seed=seed)


def make_task(
    index: pd.DataFrame,
    raw: str | Path,
    *,
    kind: str,
    task: int,
    members: Sequence[int],
    train_per_class: int | None,
    seed: int,
) -> TaskData:
    """Read the samples of one task.

    Args:
        index: The data set's index.
        raw: The folder of the data set.
        kind: Which reader reads it.
        task: The number of the task that is made.
        members: The tasks of the index that it consists of: itself, or several for a wide task,
            whose classes are theirs in this order.
        train_per_class: At most so many training samples a class; None takes all. Validation and
            test stay whole, and a smaller choice is part of a larger one.
        seed: Decides which training samples are chosen.

    Returns:
        The task's tensors.

    Raises:
        ValueError: If the members are unknown, of two modalities or share a class.
    """
    rows, classes = _member_rows(index, members)
    if train_per_class is not None:
        rows = _fewer(rows, train_per_class, seed)
    modality = as_modality(str(rows["modality"].iloc[0]))
    labels = torch.tensor([classes.index(name) for name in rows["class"]])
    read = _read_images if modality == "image" else _read_texts
    values, table = read(find_reader(kind), Path(raw), rows["source"].tolist())
    splits = {}
    for name in SPLITS:
        places = torch.from_numpy(np.flatnonzero(rows["split"] == name))
        splits[name] = _split(rows["id"], labels, values, table, places)
    return TaskData(task=task, modality=modality, classes=classes, **splits)


def _member_rows(
    index: pd.DataFrame, members: Sequence[int]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the members' rows, member after member, and their classes in order."""
    unknown = sorted(set(members) - set(index["task"]))
    if unknown or not members:
        raise ValueError(
            f"tasks {unknown or 'none'} asked for, the index has {sorted(set(index['task']))}"
        )
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
    """Keep at most so many training rows a class, and all others."""
    if train_per_class < 1:
        raise ValueError(f"train_per_class is {train_per_class}: 1 or more, or none for all")
    kept = [rows[rows["split"] != "train"]]
    for name, part in rows[rows["split"] == "train"].groupby("class"):
        # A generator a class: the choice is the same whatever other classes the task has.
        random = np.random.default_rng([seed, zlib.crc32(str(name).encode())])
        kept.append(part.iloc[random.permutation(len(part))[:train_per_class]])
    return pd.concat(kept).sort_index().reset_index(drop=True)


def _read_images(reader: Reader, raw: Path, sources: list[str]) -> tuple[Tensor, None]:
    return stack(reader.images(raw, sources)), None


def _read_texts(reader: Reader, raw: Path, sources: list[str]) -> tuple[Tensor, Tensor]:
    texts = reader.texts(raw, sources)
    return pack(texts.ids, texts.embeddings)


def _split(
    ids: pd.Series[str], labels: Tensor, values: Tensor, table: Tensor | None, places: Tensor
) -> Split:
    names = tuple(ids.iloc[places.numpy()])
    if table is None:
        return Split(labels[places], names, pixels=values[places])
    return Split(labels[places], names, tokens=values[places], table=table)
