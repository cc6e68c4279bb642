"""Task files: the tensors of one task in three splits, checked whenever they are made or read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crossback_core.data import TASK_FORMAT
from crossback_core.data.contents import Seen, is_hash
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.modality import Modality, check_tensor
from crossback_core.data.recipe import Recipe
from crossback_core.data.recipe_file import pack_recipes, unpack_recipes
from crossback_core.data.settings import SPLITS
from crossback_core.section import shown
from crossback_core.storage.archive import ForeignError, entry, load_archive, save_archive
from crossback_core.storage.files import existing
from crossback_core.wording import check_task_name, is_plain, printable, with_name


@dataclass(frozen=True, eq=False)
class Split:
    """The samples of one split, as their modality stores them.

    Args:
        modality: What the samples are.
        labels: int64 (samples,), the position of each sample's class in the task's classes.
        ids: Sample ids as in the index.
        values: One entry per sample (samples, ...); see the modality.
        table: The values are its rows; None where they stand alone.
        contents: Hash of each sample's content (see `content_hash`); None where they are not known.
    """

    modality: Modality
    labels: Tensor
    ids: tuple[str, ...]
    values: Tensor
    table: Tensor | None = None
    contents: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse tensors that do not belong together."""
        check_tensor("labels", self.labels, torch.int64, (None,))
        count = len(self.labels)
        if count == 0 or len(self.ids) != count:
            raise ValueError(f"{count} labels and {len(self.ids)} ids: as many and some are needed")
        self._check_contents(count)
        for tensor in (self.values, self.table):
            if tensor is not None and tensor.is_floating_point() and not tensor.isfinite().all():
                raise ValueError(f"the {self.modality.name}s hold a number that is not finite")
        self.modality.check(self.values, self.table, count)

    def _check_contents(self, count: int) -> None:
        contents = self.contents or ()
        if self.contents is not None and len(contents) != count:
            raise ValueError(f"{count} labels and {len(contents)} contents: as many are needed")
        for content in contents:
            if not is_hash(content):
                raise ValueError(
                    f"content {shown(content)} is no hash: take content_hash of the sample"
                )

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    def inputs(self, rows: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor | None]:
        """Return what a network reads, and a mask of what is real (see `Modality.inputs`).

        Args:
            rows: Which samples; all by default.
        """
        return self.modality.inputs(self.values[rows], self.table)

    def part(self, chosen: Tensor) -> Split:
        """Return some of the samples.

        Args:
            chosen: bool (samples,).
        """
        rows = chosen.nonzero().flatten()
        take = rows.tolist()
        return replace(
            self,
            labels=self.labels[rows],
            ids=tuple(self.ids[row] for row in take),
            values=self.values[rows],
            contents=self.contents and tuple(self.contents[row] for row in take),
        )


@dataclass(frozen=True, eq=False)
class TaskData:
    """One classification task in three splits of one modality.

    Attributes:
        task: Its id.
        classes: Their names.
        train: What is trained on.
        validation: What decides.
        test: What is reported.
        recipe: What reading more samples takes; None where that is not known.
        name: What people call it; nothing where its id tells.
    """

    task: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    recipe: Recipe | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what is not one task."""
        if not is_plain(self.task):
            raise ValueError(f"task {shown(self.task)} is not an id: give it as text")
        check_task_name(self.name)
        distinct = len(set(self.classes)) == len(self.classes) > 1
        if not distinct or not all(map(is_plain, self.classes)):
            raise ValueError(f"classes {shown(self.classes)} are not two or more distinct names")
        for name in SPLITS:
            self._check_split(name)

    def _check_split(self, name: str) -> None:
        split: Split = getattr(self, name)
        if split.modality.name != self.modality:
            raise ValueError(
                f"split {name} of task {self.task} ({self.modality}) holds {split.modality.name}s"
            )
        low = int(split.labels.min())
        high = int(split.labels.max())
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
    def called(self) -> str:
        """What a person is told of: its id, and its name if it has one."""
        return with_name(self.task, self.name)

    @property
    def modality(self) -> str:
        """Name of the samples' modality."""
        return self.train.modality.name

    @property
    def seen(self) -> Seen | None:
        """What a network has seen that was trained on this; None where that is not known."""
        if self.train.contents is None or self.validation.contents is None:
            return None
        return Seen(frozenset(self.train.contents), frozenset(self.validation.contents))

    @property
    def channels(self) -> int:
        """Width of one input element: 3 for images, the embedding's for texts."""
        return self.train.modality.channels(self.train.values, self.train.table)


def save_task(data: TaskData, path: str | Path) -> None:
    """Write a task file, atomically; the same data gives the same bytes."""
    payload: dict[str, Any] = {
        "format": TASK_FORMAT,
        "task": data.task,
        "name": data.name,
        "modality": data.modality,
        "classes": list(data.classes),
        "table": data.train.table,
        "recipe": pack_recipes([data.recipe]),
    }
    for name in SPLITS:
        split: Split = getattr(data, name)
        payload[name] = {
            "labels": split.labels,
            "ids": list(split.ids),
            "values": split.values,
            "contents": None if split.contents is None else list(split.contents),
        }
    save_archive(payload, path)


def load_task(path: str | Path) -> TaskData:
    """Read a task file and check all of it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, not a task file, or of another format; nobody is told to
            remove what the workflow did not make.
    """
    path = existing(path, hint="prepare the task first")
    try:
        return _task_from(load_archive(path))
    except ForeignError as error:
        raise ValueError(f"{path} {printable(error)}") from error
    except ValueError as error:
        raise ValueError(
            f"{path} is not a task file of format {TASK_FORMAT} or is damaged"
            f" ({printable(error)}): remove it and run again"
        ) from error


def _task_from(payload: dict[str, Any]) -> TaskData:
    if "body" in payload:
        raise ForeignError("is a network, not a task file: give it to crossback_core.load")
    if "format" not in payload:
        raise ForeignError("is of another program: give a task file, such as task_3.pt")
    number = entry(payload, "format", int)
    if number != TASK_FORMAT:
        raise ValueError(f"format {number}")
    modality = MODALITIES.find(entry(payload, "modality", str))
    table = None if entry(payload, "table", object) is None else entry(payload, "table", Tensor)
    splits = {name: _split_from(payload, name, modality, table) for name in SPLITS}
    train = splits["train"]
    read = [(modality.name, modality.channels(train.values, train.table))]
    (recipe,) = unpack_recipes(entry(payload, "recipe", dict), read=read)
    return TaskData(
        task=entry(payload, "task", str),
        classes=_names(payload, "classes"),
        recipe=recipe,
        name=entry(payload, "name", str),
        **splits,
    )


def _split_from(
    payload: dict[str, Any], name: str, modality: Modality, table: Tensor | None
) -> Split:
    part = entry(payload, name, dict)
    labels = entry(part, "labels", Tensor)
    values = entry(part, "values", Tensor)
    unknown = entry(part, "contents", object) is None
    contents = None if unknown else _names(part, "contents")
    try:
        return Split(modality, labels, _names(part, "ids"), values, table, contents)
    except ValueError as error:
        raise ValueError(f"split {name}: {error}") from error


def _names(entries: dict[str, Any], key: str) -> tuple[str, ...]:
    names = entry(entries, key, list)
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"entry {key} holds {shown(name)}, not only names")
    return tuple(names)


def _sample_shape(split: Split) -> tuple[int, ...]:
    """Return what must agree between splits: the shape of a sample, the shape of the table."""
    return (*split.values.shape[1:], *(() if split.table is None else split.table.shape))
