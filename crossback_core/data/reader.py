"""What a data set has to offer: one `Reader` a kind of data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from crossback_core.data.images import Pixels, Unreadable
from crossback_core.settings import DatasetSettings

_Class = TypeVar("_Class", int, str)
_Value = TypeVar("_Value", bound=np.generic)

_PUBLISHED_SEED = 42


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as rows of an embedding table.

    Args:
        ids: The rows of `embeddings` that each text consists of; a text without any is skipped.
        embeddings: float16 (vocabulary, embedding).
    """

    ids: list[list[int]]
    embeddings: npt.NDArray[np.float16]


class ImageReader(Protocol):
    """Gives the pictures (height, width, 3) of some samples, or why one cannot be read."""

    def __call__(
        self, raw: Path, sources: Sequence[str], settings: DatasetSettings, *, threads: int
    ) -> Sequence[Pixels | Unreadable]:
        """Read the samples named by `sources`."""
        ...


@dataclass(frozen=True)
class Reader:
    """Three functions that read a data set; all get the data set's folder first.

    Args:
        index: Gives one row a sample: the index's columns but for `split`. Rows of a task come in
            the order of its classes. Two more columns may be there: `part`, the splits that the
            data set fixes (see `add_splits`), and `problem`, which says why a sample is skipped
            ("what: details", or nothing where it is fine).
        images: Gives the pictures of some samples, named by their `source`.
        texts: Gives the texts of some samples, named by their `source`.
    """

    index: Callable[[Path, DatasetSettings], pd.DataFrame]
    images: ImageReader
    texts: Callable[[Path, Sequence[str], DatasetSettings], Texts]


def no_texts(raw: Path, sources: Sequence[str], settings: DatasetSettings) -> Texts:
    """Refuse to read texts: for data sets of images alone."""
    raise ValueError(f"the {settings.kind} data set has no texts, {len(sources)} were asked for")


def rows_of_both_modalities(instances: pd.DataFrame, *, groups: int) -> pd.DataFrame:
    """Make two samples of each instance, its image and its text, which share a split.

    Args:
        instances: Columns `task` (the image task, 1 to `groups`), `class`, `name` (unique),
            `image` and `text` (sources), `image_problem`, `text_problem` and, where the data set
            has one, `part`. Rows of a task in the order of its classes.
        groups: How many image tasks there are; the text tasks follow on them.

    Returns:
        What `Reader.index` gives: the image tasks, then the text tasks of the same classes.
    """
    parts = []
    for modality, first in (("image", 0), ("text", groups)):
        parts.append(
            instances.assign(
                id=modality[0] + "-" + instances["name"],
                task=instances["task"] + first,
                modality=modality,
                group=instances["name"],
                source=instances[modality],
                problem=instances[f"{modality}_problem"],
            )
        )
    rows = pd.concat(parts, ignore_index=True).sort_values("task", kind="stable")
    columns = ["id", "task", "class", "modality", "group", "source", "problem"]
    return rows[[*columns, *(["part"] if "part" in rows else [])]].reset_index(drop=True)


def check_published(what: str, found: object, published: object) -> None:
    """Refuse data that differ from the published ones, which the settings ask for."""
    if found != published:
        raise ValueError(
            f"{what}: {found} in the data, {published} as published. Is the data complete? "
            "For a smaller copy set groups, classes_per_group or samples_per_class to its sizes"
        )


def chosen_groups(
    published: Sequence[Sequence[_Class]], settings: DatasetSettings
) -> list[Sequence[_Class]]:
    """Return the first groups and the first classes of each, as many as the settings say.

    Raises:
        ValueError: If more are asked for than there are.
    """
    groups, size = settings.groups or len(published), settings.classes_per_group
    if groups > len(published) or size > min(map(len, published)):
        raise ValueError(
            f"{settings.kind} has {len(published)} groups of {min(map(len, published))} classes, "
            f"groups: {groups} and classes_per_group: {size} are asked for"
        )
    return [group[: size or None] for group in published[:groups]]


def spread(values: npt.NDArray[_Value], count: int) -> npt.NDArray[_Value]:
    """Return `count` values, evenly spread; all for 0 or where there are no more."""
    if count == 0 or count >= len(values):
        return values
    places = np.linspace(0, len(values) - 1, count).round().astype(int)
    return np.asarray(values[places], dtype=values.dtype)


def draw(values: npt.NDArray[_Value], count: int, stream: int) -> npt.NDArray[_Value]:
    """Draw `count` values with the published seed 42; `stream` tells one class from another."""
    random = np.random.default_rng([_PUBLISHED_SEED, stream])
    return np.asarray(random.permutation(values)[:count], dtype=values.dtype)
