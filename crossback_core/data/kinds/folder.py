"""Reader of a user's own data: plain folders, or one table of samples (docs/datasets.md).

Folders: images/<task>/<class>/<name>.jpg and texts/<task>/<class>/<name>.txt. A picture and a text
of one task, class and name belong together: they share a split.

Table: samples.csv or samples.parquet with the columns `task`, `class`, `path` or `text`, and, if
wanted, `group` and `split`. Where there is a table, folders may have any names.

A task is called by its modality and its name: image-animals, text-kitchen.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.encoder import encode
from crossback_core.data.kind import DatasetKind, SampleReader, Sources, hidden
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.names import check_distinct, cleaned, name_of, task_name
from crossback_core.data.sample_table import (
    COLUMNS,
    TABLES,
    find_table,
    read_once,
    table_rows,
    texts_of,
)
from crossback_core.data.settings import PairedSettings, TextLength
from crossback_core.data.text import Texts, join_captions, read_caption
from crossback_core.section import STRICT

if TYPE_CHECKING:  # it loads torch, which reading a configuration does without
    from crossback_core.data.modality import Modality

logger = logging.getLogger(__name__)


@dataclass(frozen=True, config=STRICT)
class FolderSettings(PairedSettings):
    """Your own pictures and texts, in plain folders or a table."""

    text_length: TextLength = 64


def read_index(raw: Path, settings: FolderSettings) -> pd.DataFrame:
    """List the samples of a folder.

    Args:
        raw: The folder.
        settings: Not used: the folder decides.

    Returns:
        What `DatasetKind.index` returns. Ids begin with the names of task and class.

    Raises:
        ValueError: There are no samples, or a name cannot be one.
    """
    table = find_table(raw)
    return _checked(raw, _folder_rows(raw) if table is None else table_rows(raw, table))


def _read_near(raw: Path, settings: FolderSettings, task: str) -> pd.DataFrame:
    """List the samples of a task and of all that share groups with it."""
    table = find_table(raw)
    if table is not None:
        return _checked(raw, table_rows(raw, table, near=task))
    name = task.partition("-")[2]
    return _checked(raw, _folder_rows(raw, only=name))


def task_ids(settings: FolderSettings) -> tuple[str, ...]:
    """Return the ids of a folder's tasks: images before texts, each in the order of their names.

    Raises:
        ValueError: There is no task, or a name cannot be one.
    """
    raw = Path(settings.raw)
    if not raw.is_dir():
        raise ValueError(f"{raw} is not a folder")
    table = find_table(raw)
    if table is None:
        found = dict.fromkeys(_id(modality, name) for modality, name, _ in _task_folders(raw))
    else:
        rows = read_once(table)
        found = dict.fromkeys(rows.sort_values(["modality", "task"])["task"])
    if not found:
        raise ValueError(_nothing(raw))
    check_distinct(found)
    return tuple(map(task_name, found))


def _id(modality: str, name: str) -> str:
    return f"{modality}-{name}"


def _nothing(raw: Path) -> str:
    return (
        f"{raw} has no samples: wanted are images/<task>/<class>/*.jpg, .png or .webp, "
        f"texts/<task>/<class>/*.txt, or a table {' or '.join(TABLES)}"
    )


def _checked(raw: Path, rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        raise ValueError(_nothing(raw))
    rows = _sorted(rows)
    parts = ["part"] if "part" in rows else []
    return rows[["id", "task", "class", "modality", "group", "source", "problem", *parts]]


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["modality", "task", "class"], kind="stable", ignore_index=True)


def sources(raw: Path, task: str) -> Sources:
    """Return what a task is made of: its files, and its rows of a table."""
    modality, _, name = task.partition("-")
    table = find_table(raw)
    if table is None:
        kind = MODALITIES.find(modality)
        files = [path for _, _, path in _files(raw, kind, only=name) if _is_read(path, kind)]
        return Sources(files)
    frame = read_once(table)
    own = frame[frame["task"] == task]
    there = [raw / path for path in own["path"] if path and (raw / path).is_file()]
    return Sources(there, own[list(COLUMNS)].to_csv(index=False))


def _task_folders(raw: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield the modality, name and folder of each task that has a file of its modality."""
    for modality in map(MODALITIES.find, MODALITIES.names()):
        found = [
            (task_name(folder.name), folder)
            for folder in _folders(raw / modality.folder)
            if any(_is_read(path, modality) for path in folder.glob("*/*"))
        ]
        for name, folder in sorted(found):
            yield modality.name, name, folder


def _folders(path: Path) -> list[Path]:
    found = path.iterdir() if path.is_dir() else iter(())
    return sorted(each for each in found if each.is_dir() and not hidden(each))


def _folders_of(path: Path, name: str) -> list[Path]:
    """Return the folders of one name: those of other writings of it are the same task."""
    return _by_name(path, path.stat().st_mtime_ns).get(name, []) if path.is_dir() else []


@lru_cache(maxsize=8)
def _by_name(path: Path, changed: int) -> dict[str, list[Path]]:
    """List the folders in a folder by their names, once for each of its times."""
    found: dict[str, list[Path]] = {}
    for folder in _folders(path):
        found.setdefault(cleaned(folder.name), []).append(folder)
    return found


def _files(
    raw: Path, modality: Modality, *, only: str | None = None
) -> Iterator[tuple[str, str, Path]]:
    """Yield the task's name, the class and the path of each file of a modality.

    Args:
        raw: The folder of the data set.
        modality: What the files are.
        only: The name of the one task that is wanted; None for all.
    """
    place = raw / modality.folder
    for task_folder in _folders(place) if only is None else _folders_of(place, only):
        name = task_name(task_folder.name)
        for class_folder in _folders(task_folder):
            label = name_of("class", class_folder.name)
            for path in sorted(class_folder.iterdir()):
                if not hidden(path):
                    yield name, label, path


def _is_read(path: Path, modality: Modality) -> bool:
    return path.suffix.lower() in modality.suffixes and not hidden(path)


def _folder_rows(raw: Path, *, only: str | None = None) -> pd.DataFrame:
    rows = []
    others = []
    for modality in map(MODALITIES.find, MODALITIES.names()):
        for task, label, path in _files(raw, modality, only=only):
            source = path.relative_to(raw).as_posix()
            if not _is_read(path, modality):
                others.append(source)
                continue
            group = f"{task}/{label}/{name_of('file', path.stem)}"
            id_ = f"{modality.name[0]}-{source.partition('/')[2]}"
            problem = modality.file_problem(path)
            rows.append(
                (id_, _id(modality.name, task), label, modality.name, group, source, problem)
            )
    if others:
        logger.warning("%d other files are left out, the first is %s", len(others), others[0])
    columns = ["id", "task", "class", "modality", "group", "source", "problem"]
    return pd.DataFrame(rows, columns=columns)


def read_texts(
    raw: Path, sources: Sequence[str], settings: FolderSettings, *, threads: int
) -> Texts:
    """Read text files and rows of the table with the configured encoder."""
    table = find_table(raw)
    by_source = {} if table is None else texts_of(table)

    def text_of(source: str) -> str:
        if source in by_source:
            return join_captions(by_source[source].splitlines())
        return read_caption(raw / source)

    return encode([text_of(source) for source in sources], settings)


class _Readers(Mapping[str, SampleReader]):
    """Files of any modality, as it reads them; texts may be in the table as well."""

    def __getitem__(self, modality: str) -> SampleReader:
        """Return what reads samples of a modality."""
        return read_texts if modality == "text" else MODALITIES.find(modality).read_files

    def __iter__(self) -> Iterator[str]:
        """Yield the modalities."""
        return iter(MODALITIES.names())

    def __len__(self) -> int:
        """Return how many modalities there are."""
        return len(MODALITIES.names())


KIND = DatasetKind(
    name="folder",
    settings=FolderSettings,
    index=read_index,
    readers=_Readers(),
    index_near=_read_near,
    sources=sources,
    modality_of=lambda task, settings: task.partition("-")[0],
    tasks=task_ids,
)
