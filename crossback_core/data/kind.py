"""What a kind of data set is, and what several of them share."""

from __future__ import annotations

import os
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

NO_SAMPLE = "no sample"  # how the problem of a file begins that nobody would take for one
EMPTY = f"{NO_SAMPLE}: the folder is empty"
UNKNOWN_SUFFIX = "unknown suffix"
TOO_DEEP = "in a folder below that of its class"
TOO_HIGH = "in the folder of no class"
# How problems begin that a file has by its place or name: what `DatasetKind.unread` returns.
NOT_READ = (NO_SAMPLE, UNKNOWN_SUFFIX, TOO_DEEP, TOO_HIGH)

_OF_SYSTEMS = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"),
    *("$recycle.bin", "system volume information", "lost+found", "__pycache__"),
}

_Value = TypeVar("_Value", bound=np.generic)


class SampleReader(Protocol):
    """Reads samples of one modality: returns what `Modality.pack` takes."""

    def __call__(self, raw: Path, sources: Sequence[str], settings: Any, /, *, threads: int) -> Any:
        """Read the samples named by `sources` from the data set's folder."""


@dataclass(frozen=True)
class Sources:
    """What a task is made of: whenever it changes, the task does.

    Attributes:
        files: Their names count, and their contents.
        text: What else decides, such as rows of a table.
    """

    files: Sequence[Path]
    text: str = ""


def hidden(path: Path | os.DirEntry[str]) -> bool:
    """Say whether a file or folder is one that systems and file managers make for themselves."""
    return path.name.startswith(".") or path.name.lower() in _OF_SYSTEMS


@dataclass(frozen=True)
class DatasetKind:
    """All that the project knows of a kind of data set.

    Attributes:
        name: As the configuration has it.
        settings: Its settings, with their defaults.
        index: Returns one row per sample: the index's columns but for `split`. Rows of a task come
            in the order of its classes. More columns may be there: `own_group`, what the group
            would be if no link joined it to others; `part`, the splits that the data set fixes (see
            `add_splits`); and `problem`, which says why a sample is skipped
            ("what: details", or nothing where it is fine). Where the problem begins with
            `NO_SAMPLE`, the row is of a file that is listed as skipped and counts as no sample.
        readers: By modality, what reads samples that are named by their `source`.
        files: The files that it is published in; empty where it is not downloaded.
        index_near: Returns the rows of a task and of all that share groups with it, where that is
            quicker than `index`.
        sources: Returns what a task is made of, in the data set's folder; None where it is all.
        unread: Returns what lies in the data set's folder and is not read: the task and the class
            that it is in, if any, where it is and why, which begins with one of `NOT_READ`. None
            where a published list says what is read.
        modality_of: Returns the modality of a task, or None where its id does not tell.
        tasks: Returns the ids of all tasks; None where the data decide and are not there yet.
        names: Returns what people call tasks whose ids do not tell, by id.
    """

    name: str
    settings: type[DatasetSettings]
    index: Callable[[Path, Any], pd.DataFrame]
    readers: Mapping[str, SampleReader]
    files: tuple[RemoteFile, ...] = ()
    index_near: Callable[[Path, Any, str], pd.DataFrame] | None = None
    sources: Callable[[Path, str], Sources] | None = None
    unread: Callable[[Path, Any], list[tuple[str, str, str, str]]] | None = None
    modality_of: Callable[[str, Any], str | None] = lambda task, settings: None
    tasks: Callable[[Any], tuple[str, ...] | None] = lambda settings: None
    names: Callable[[Any], Mapping[str, str]] = lambda settings: {}


KINDS: Registry[DatasetKind] = Registry(
    "kind of data set", package="crossback_core.data.kinds", attribute="KIND"
)


def task_names(settings: DatasetSettings) -> Mapping[str, str]:
    """Return what people call the tasks of a data set, by id; nothing where ids tell."""
    return KINDS.find(settings.kind).names(settings)


def check_published(what: str, found: object, published: object) -> None:
    """Refuse data that differ from the published ones, which the settings ask for."""
    if found != published:
        raise ValueError(
            f"{what}: {found} in the data, {published} as published. Is the data complete? "
            "For a smaller copy set groups, classes_per_group or samples_per_class to its sizes"
        )


def spread(values: npt.NDArray[_Value], count: int) -> npt.NDArray[_Value]:
    """Return `count` values, evenly spread; all for 0 or where there are no more."""
    if count == 0 or count >= len(values):
        return values
    places = np.linspace(0, len(values) - 1, count).round().astype(int)
    return np.asarray(values[places], dtype=values.dtype)


def numbered(count: int) -> tuple[str, ...] | None:
    """Return the ids of so many tasks; None for 0."""
    return tuple(str(number) for number in range(1, count + 1)) or None


def file_and_number(source: str) -> tuple[str, int]:
    """Return the parts of a source "file#number", which names one entry of a file."""
    file, _, number = source.partition("#")
    return file, int(number)
