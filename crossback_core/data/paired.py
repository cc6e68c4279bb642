"""What published data sets of pictures with captions share: groups of classes, tasks in pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from crossback_core.data.encoder import read_text_files
from crossback_core.data.images import file_problem, read_picture_files
from crossback_core.data.kind import DatasetKind, SampleReader, numbered
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import RemoteFile
from crossback_core.data.text import caption_problem

_Class = TypeVar("_Class", int, str)
_Value = TypeVar("_Value", bound=np.generic)

_PUBLISHED_SEED = 42


class Grouped(Protocol):
    """Settings of a data set that is published in groups of classes."""

    @property
    def kind(self) -> str:
        """Name of the kind."""

    @property
    def groups(self) -> int:
        """Groups of classes; 0: all there are."""

    @property
    def classes_per_group(self) -> int:
        """Classes of a task; 0: the data decides."""


def paired_kind(
    name: str,
    *,
    settings: type[DatasetSettings],
    index: Callable[[Path, Any], pd.DataFrame],
    files: tuple[RemoteFile, ...],
    read_texts: SampleReader = read_text_files,
) -> DatasetKind:
    """Return a kind whose groups are each one task of images and one of texts."""
    return DatasetKind(
        name=name,
        settings=settings,
        index=index,
        readers={"image": read_picture_files, "text": read_texts},
        files=files,
        modality_of=_images_then_texts,
        tasks=lambda settings: numbered(2 * settings.groups),
    )


def _images_then_texts(task: str, settings: Grouped) -> str | None:
    if not settings.groups:
        return None
    return "image" if int(task) <= settings.groups else "text"


def rows_of_both_modalities(
    instances: pd.DataFrame, raw: Path, *, groups: int, text_problems: Sequence[str] | None = None
) -> pd.DataFrame:
    """Make two samples of each instance, its image and its text, which share a split.

    Args:
        instances: Columns `task` (the image task, 1 to `groups`), `class`, `name` (unique),
            `image` and `text` (sources) and, where the data set has one, `part`. Rows of a task
            in the order of its classes.
        raw: The folder of the data set.
        groups: How many image tasks there are; the text tasks follow on them.
        text_problems: Why a text is skipped; None where each text is a file of its own.

    Returns:
        What `DatasetKind.index` returns: the image tasks, then the text tasks of the same classes.
    """
    if text_problems is None:
        text_problems = [caption_problem(raw / source) for source in instances["text"]]
    image_problems = [file_problem(raw / source) for source in instances["image"]]
    parts = [
        instances.assign(
            id=modality[0] + "-" + instances["name"],
            task=instances["task"] + first,
            modality=modality,
            group=instances["name"],
            source=instances[modality],
            problem=problems,
        )
        for modality, first, problems in (
            ("image", 0, image_problems),
            ("text", groups, text_problems),
        )
    ]
    rows = pd.concat(parts, ignore_index=True).sort_values("task", kind="stable")
    columns = ["id", "task", "class", "modality", "group", "source", "problem"]
    return rows[[*columns, *(["part"] if "part" in rows else [])]].reset_index(drop=True)


def chosen_groups(
    published: Sequence[Sequence[_Class]], settings: Grouped
) -> list[Sequence[_Class]]:
    """Return the first groups and the first classes of each, as many as the settings say.

    Raises:
        ValueError: If more are asked for than there are.
    """
    groups = settings.groups or len(published)
    size = settings.classes_per_group
    if groups > len(published) or size > min(map(len, published)):
        raise ValueError(
            f"{settings.kind} has {len(published)} groups of {min(map(len, published))} classes, "
            f"groups: {groups} and classes_per_group: {size} are asked for"
        )
    return [group[: size or None] for group in published[:groups]]


def draw_test(
    values: npt.NDArray[_Value], fraction: float, *, stream: int, less: int = 0
) -> npt.NDArray[_Value]:
    """Draw the test part of a class with the published seed 42.

    Args:
        values: What is drawn from.
        fraction: How much of it is wanted, rounded up.
        stream: Tells one class from another.
        less: How many test samples the class has already.
    """
    # Less a hair, since .07 * 100 is a little more than 7.
    wanted = math.ceil(fraction * len(values) - 1e-9)
    random = np.random.default_rng([_PUBLISHED_SEED, stream])
    drawn = random.permutation(values)[: max(0, wanted - less)]
    return np.asarray(drawn, dtype=values.dtype)
