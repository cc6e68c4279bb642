"""What a kind of data set is, and what the published ones share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import RemoteFile
from crossback_core.registry import Registry

_Class = TypeVar("_Class", int, str)
_Value = TypeVar("_Value", bound=np.generic)

_PUBLISHED_SEED = 42


class SampleReader(Protocol):
    """Reads samples of one modality: returns what `Modality.pack` takes."""

    def __call__(self, raw: Path, sources: Sequence[str], settings: Any, /, *, threads: int) -> Any:
        """Read the samples named by `sources` from the data set's folder."""


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


def _the_folder(raw: Path) -> list[str]:
    return [str(raw)]


@dataclass(frozen=True)
class DatasetKind:
    """All that the project knows of a kind of data set.

    Attributes:
        name: As the configuration has it.
        settings: Its settings, with their defaults.
        index: Returns one row for each sample: the index's columns but for `split`. Rows of a task
            come in the order of its classes. Two more columns may be there: `part`, the splits that
            the data set fixes (see `add_splits`), and `problem`, which says why a sample is skipped
            ("what: details", or nothing where it is fine).
        readers: What reads the samples, named by their `source`, by modality.
        files: The files that it is published in; none where it is not downloaded.
        raw_files: Returns what changes whenever the raw data does.
        modality_of: Returns the modality of a task as far as its id tells; None: the data decide.
        tasks: Returns how many tasks there are; None: the data decide.
    """

    name: str
    settings: type[DatasetSettings]
    index: Callable[[Path, Any], pd.DataFrame]
    readers: Mapping[str, SampleReader]
    files: tuple[RemoteFile, ...] = ()
    raw_files: Callable[[Path], list[str]] = _the_folder
    modality_of: Callable[[int, Any], str | None] = lambda task, settings: None
    tasks: Callable[[Any], int | None] = lambda settings: None


KINDS: Registry[DatasetKind] = Registry(
    "kind of data set", package="crossback_core.data.kinds", attribute="KIND"
)


def images_then_texts(task: int, settings: Grouped) -> str | None:
    """Return the modality of a task where the texts of all groups follow on their images."""
    if not settings.groups:
        return None
    return "image" if task <= settings.groups else "text"


def two_for_each_group(settings: Grouped) -> int | None:
    """Return the number of tasks where each group is one of images and one of texts."""
    return 2 * settings.groups or None


def rows_of_both_modalities(instances: pd.DataFrame, *, groups: int) -> pd.DataFrame:
    """Make two samples of each instance, its image and its text, which share a split.

    Args:
        instances: Columns `task` (the image task, 1 to `groups`), `class`, `name` (unique),
            `image` and `text` (sources), `image_problem`, `text_problem` and, where the data set
            has one, `part`. Rows of a task in the order of its classes.
        groups: How many image tasks there are; the text tasks follow on them.

    Returns:
        What `DatasetKind.index` returns: the image tasks, then the text tasks of the same classes.
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
    published: Sequence[Sequence[_Class]], settings: Grouped
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
