"""Task files: the tensors of one task, split in three, checked whenever they are made or read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crossback_core.archive import entry, load_archive, save_archive
from crossback_core.settings import MODALITIES, SPLITS, Modality

TASK_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Split:
    """The samples of one split: images as pixels, or texts as token ids with their embeddings.

    Args:
        labels: int64 (samples,), the position of each sample's class in the task's classes.
        ids: Sample ids as in the index.
        pixels: uint8 (samples, 3, height, width), or None for texts.
        tokens: int32 (samples, tokens), rows of `table`; 0 is padding. None for images.
        table: float16 (vocabulary, embedding); row 0 is zeros. None for images.
    """

    labels: Tensor
    ids: tuple[str, ...]
    pixels: Tensor | None = None
    tokens: Tensor | None = None
    table: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse tensors that do not belong together."""
        _check_tensor("labels", self.labels, torch.int64, (None,))
        count = len(self.labels)
        if count == 0 or len(self.ids) != count:
            raise ValueError(f"{count} labels and {len(self.ids)} ids: as many and some are needed")
        if (self.tokens is None) != (self.table is None):
            raise ValueError("tokens and their table go together")
        if self.table is None:
            _check_tensor("pixels", self.values, torch.uint8, (count, 3, None, None))
        else:
            _check_texts(self.values, self.table, count)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    @property
    def values(self) -> Tensor:
        """Return the pixels or the tokens, whichever the split holds."""
        values = self.pixels if self.tokens is None else self.tokens
        if values is None or (self.pixels is not None and self.tokens is not None):
            raise ValueError("a split holds either pixels or tokens")
        return values

    def inputs(self, rows: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor | None]:
        """Return what a network reads.

        Args:
            rows: The samples wanted; all by default.

        Returns:
            Images: uint8 (samples, 3, height, width) and None. Texts: the embeddings, float32
            (samples, tokens, embedding), and a mask (samples, tokens), true at real tokens.
        """
        values = self.values[rows]
        if self.table is None:
            return values, None
        return self.table[values.long()].float(), values != 0


@dataclass(frozen=True, eq=False)
class TaskData:
    """One classification task in three splits."""

    task: int
    modality: Modality
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split

    def __post_init__(self) -> None:
        """Refuse what is not one task."""
        as_modality(self.modality)
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError(f"classes {self.classes} are not two or more distinct names")
        for name in SPLITS:
            self._check_split(name)

    def _check_split(self, name: str) -> None:
        split: Split = getattr(self, name)
        if (split.pixels is None) == (self.modality == "image"):
            held = "tokens" if split.pixels is None else "pixels"
            raise ValueError(f"split {name} of task {self.task} ({self.modality}) holds {held}")
        low, high = int(split.labels.min()), int(split.labels.max())
        if low < 0 or high >= len(self.classes):
            raise ValueError(
                f"labels {low} to {high} of split {name} are not all in 0 to "
                f"{len(self.classes) - 1}"
            )
        if _sample_shape(split) != _sample_shape(self.train):
            raise ValueError(
                f"samples of split {name} have shape {_sample_shape(split)}, "
                f"those of train {_sample_shape(self.train)}"
            )

    @property
    def channels(self) -> int:
        """Return the width of one input element: 3 for images, the embedding's for texts."""
        return 3 if self.train.table is None else self.train.table.shape[1]


def as_modality(name: str) -> Modality:
    """Return a name as a modality, if it is one."""
    for modality in MODALITIES:
        if modality == name:
            return modality
    raise ValueError(f"modality {name!r} is not one of {', '.join(MODALITIES)}")


def save_task(data: TaskData, path: str | Path) -> None:
    """Write a task file atomically; the same data gives the same bytes."""
    payload: dict[str, Any] = {
        "format": TASK_FORMAT,
        "task": data.task,
        "modality": data.modality,
        "classes": list(data.classes),
        "table": data.train.table,
    }
    for name in SPLITS:
        split: Split = getattr(data, name)
        payload[name] = {
            "labels": split.labels,
            "ids": list(split.ids),
            "values": split.values,
        }
    save_archive(payload, path)


def load_task(path: str | Path) -> TaskData:
    """Read a task file and check all of it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, not a task file, or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: run the rule prepare_task that makes it")
    try:
        return _task_from(load_archive(path))
    except ValueError as error:
        raise ValueError(
            f"{path} is not a task file of format {TASK_FORMAT} or is damaged ({error}): "
            "remove it and run again"
        ) from error


def _task_from(payload: dict[str, Any]) -> TaskData:
    number = entry(payload, "format", int)
    if number != TASK_FORMAT:
        raise ValueError(f"format {number}")
    modality = as_modality(entry(payload, "modality", str))
    table = entry(payload, "table", Tensor) if modality == "text" else None
    splits = {name: _split_from(payload, name, table) for name in SPLITS}
    return TaskData(
        task=entry(payload, "task", int),
        modality=modality,
        classes=_names(payload, "classes"),
        **splits,
    )


def _split_from(payload: dict[str, Any], name: str, table: Tensor | None) -> Split:
    part = entry(payload, name, dict)
    labels, values = entry(part, "labels", Tensor), entry(part, "values", Tensor)
    ids = _names(part, "ids")
    try:
        if table is None:
            return Split(labels, ids, pixels=values)
        return Split(labels, ids, tokens=values, table=table)
    except ValueError as error:
        raise ValueError(f"split {name}: {error}") from error


def _names(entries: dict[str, Any], key: str) -> tuple[str, ...]:
    names = entry(entries, key, list)
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"entry {key} holds {name!r}, not only names")
    return tuple(names)


def _sample_shape(split: Split) -> tuple[int, ...]:
    """Return what must agree between splits: the shape of a sample, the shape of the table."""
    return (*split.values.shape[1:], *(() if split.table is None else split.table.shape))


def _check_texts(tokens: Tensor, table: Tensor, count: int) -> None:
    _check_tensor("tokens", tokens, torch.int32, (count, None))
    _check_tensor("table", table, torch.float16, (None, None))
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= len(table):
        raise ValueError(f"tokens {low} to {high} are not rows of the table, 0 to {len(table) - 1}")
    if not (tokens != 0).any(dim=1).all():
        raise ValueError("a text has no token but padding")
    if table[0].any():
        raise ValueError("row 0 of the table, the padding, is not zeros")


def _check_tensor(
    name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int | None, ...]
) -> None:
    """Refuse a tensor of another type or shape; None in `shape` stands for any length but 0."""
    fits = tensor.dtype == dtype and tensor.ndim == len(shape)
    if fits and all(
        actual == wanted if wanted is not None else actual > 0
        for actual, wanted in zip(tensor.shape, shape, strict=True)
    ):
        return
    wanted_shape = ", ".join("any" if length is None else str(length) for length in shape)
    raise ValueError(
        f"{name} are {tensor.dtype} of shape {tuple(tensor.shape)}, not {dtype} of ({wanted_shape})"
    )
