"""Reader of a user's own data: plain folders, or one table of samples (docs/datasets.md).

Folders: images/<task>/<class>/<name>.jpg and texts/<task>/<class>/<name>.txt. A picture and a text
of one task, class and name belong together: they share a split.

Table: samples.csv or samples.parquet with the columns `task`, `class`, `path` or `text`, and, if
wanted, `group` and `split`. Where there is a table, folders may have any names.

A task is called by its modality and its name: image-animals, text-kitchen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.encoder import encode
from crossback_core.data.kind import NO_SAMPLE, DatasetKind, SampleReader, Sources
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.names import check_distinct, spelt, task_name
from crossback_core.data.one_file import Joined, first_names
from crossback_core.data.plain_folders import (
    WANTED,
    beside,
    files_of,
    outside,
    strays,
    task_folders,
)
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

_SHOWN = 5  # names that a message lists
_LEVELS = 3  # folders in one another: of a modality, of a task, of a class


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
        found = dict.fromkeys(_id(modality, name) for modality, name in task_folders(raw))
    else:
        rows = read_once(table)
        found = dict.fromkeys(rows.sort_values(["modality", "task"])["task"])
    if not found:
        raise ValueError(_nothing(raw))
    try:
        check_distinct(found)
        return tuple(map(task_name, found))
    except ValueError as error:
        raise ValueError(f"{table or raw}: {error}") from error


def _id(modality: str, name: str) -> str:
    return f"{modality}-{name}"


def _nothing(raw: Path) -> str:
    wanted = (
        f"{each.folder}/{WANTED} ({' '.join(each.suffixes)})"
        for each in map(MODALITIES.find, MODALITIES.names())
    )
    there = ", ".join(spelt(path.name) for path in sorted(raw.iterdir())[:_SHOWN])
    return (
        f"{raw} has no samples: wanted are {', '.join(wanted)}, or a table {' or '.join(TABLES)}; "
        f"there {'are ' + there if there else 'is nothing'}{_meant(raw)}"
    )


def _meant(raw: Path) -> str:
    """Ask whether a folder above is meant, where one of a modality, a task or a class is named."""
    named = {MODALITIES.find(name).folder for name in MODALITIES.names()}
    place = raw.absolute()
    above = [each.parent for each in (place, *place.parents)[:_LEVELS] if each.name in named]
    return f"; did you mean {spelt(str(above[0]))}?" if above else ""


def _checked(raw: Path, rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        raise ValueError(_nothing(raw))
    rows = _sorted(rows)
    parts = ["part"] if "part" in rows else []
    columns = ["id", "task", "class", "modality", "group", "own_group", "source", "problem"]
    return rows[columns + parts]


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["modality", "task", "class"], kind="stable", ignore_index=True)


def sources(raw: Path, task: str) -> Sources:
    """Return what a task is made of: its files, and its rows of a table."""
    modality, _, name = task.partition("-")
    table = find_table(raw)
    if table is None:
        kind = MODALITIES.find(modality)
        return Sources([file.path for file in files_of(raw, kind, only=name) if not file.problem])
    frame = read_once(table)
    own = frame[frame["task"] == task]
    there = [raw / path for path in own["path"] if path and (raw / path).is_file()]
    return Sources(there, own[list(COLUMNS)].to_csv(index=False))


def _folder_rows(raw: Path, *, only: str | None = None) -> pd.DataFrame:
    rows = []
    for modality in map(MODALITIES.find, MODALITIES.names()):
        for file in files_of(raw, modality, only=only):
            source = spelt(file.path.relative_to(raw).as_posix())
            id_ = f"{modality.name[0]}-{source.partition('/')[2]}"
            problem = file.problem or modality.file_problem(file.path)
            task = _id(modality.name, file.task)
            rows.append((id_, task, file.label, modality.name, file.group, source, problem))
    columns = ["id", "task", "class", "modality", "group", "source", "problem"]
    return _one_group_per_file(raw, pd.DataFrame(rows, columns=columns))


def _one_group_per_file(raw: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Join the groups of a file that a task has under several names, by links.

    Raises:
        ValueError: The file is in two classes of the task.
    """
    joined = Joined()
    for task, files in rows[rows["problem"] == ""].groupby("task"):
        labels = dict(zip(files["source"], files["class"], strict=True))
        groups = dict(zip(files["source"], files["group"], strict=True))
        firsts = first_names(raw, labels)
        for source, first in firsts.items():
            if labels[source] != labels[first]:
                raise ValueError(
                    f"{raw}: {first} and {source} are one file in two classes of task {task}: "
                    "remove one of them"
                )
            joined.join(groups[first], groups[source])
    return rows.assign(group=rows["group"].map(joined.__getitem__), own_group=rows["group"])


def list_unread(raw: Path, settings: FolderSettings) -> list[tuple[str, str, str, str]]:
    """Return what lies in a folder and is not read: task, class, path and why.

    Args:
        raw: The folder.
        settings: Its encoder may lie there as well.
    """
    table = find_table(raw)
    if table is None:
        found = [
            (_id(modality.name, file.task), file.label, file.path, file.problem)
            for modality in map(MODALITIES.find, MODALITIES.names())
            for file in files_of(raw, modality)
            if file.problem
        ]
        found += [("", "", *stray) for stray in strays(raw)]
    else:
        named = filter(None, read_once(table)["path"])
        reason = f"{NO_SAMPLE}: {table.name} does not name it"
        found = [("", "", path, reason) for path in beside(raw, named) if path != table]
    is_data = outside(Path(settings.encoder))
    return [
        (task, label, spelt(path.relative_to(raw).as_posix()), reason)
        for task, label, path, reason in found
        if is_data(path)
    ]


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
    unread=list_unread,
    modality_of=lambda task, settings: task.partition("-")[0],
    tasks=task_ids,
)
