"""A table of samples: samples.csv or samples.parquet in a folder of own data (docs/datasets.md)."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

from crossback_core.data.index import family_of
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.names import check_path, cleaned, name_of, spelt, task_name
from crossback_core.data.one_file import first_names
from crossback_core.data.settings import SPLITS
from crossback_core.data.table_file import first_row, read_table
from crossback_core.section import shown

TABLES = ("samples.csv", "samples.parquet")
COLUMNS = ("task", "class", "path", "text", "group", "split")
_SHOWN = 300  # characters of a name, which may be a text
_LONGEST_PART = 255  # bytes: what file systems take
DEFAULT = "image"  # of a table's path whose suffix is no modality's: the decoder decides


def find_table(raw: Path) -> Path | None:
    """Return the table of a folder, if it has one, whatever it is."""
    found = [raw / name for name in TABLES if os.path.lexists(raw / name)]
    if len(found) > 1:
        raise ValueError(f"{raw} has both {' and '.join(TABLES)}: keep one of them")
    return found[0] if found else None


def table_rows(raw: Path, path: Path, *, near: str | None = None) -> pd.DataFrame:
    """List the samples of a table.

    Args:
        raw: The folder that its paths are relative to.
        path: The table.
        near: A task: with those that share groups with it, it is all that is wanted.

    Returns:
        What `DatasetKind.index` returns.

    Raises:
        ValueError: It is no table, lacks a column, has a value that cannot be, or rows that
            contradict each other.
    """
    frame = _read_table(path)
    of_file = frame["path"] != ""
    # By path or text, not by number: that changes when a row is added above.
    source = frame["path"].where(of_file, f"{path.name}#" + frame["text"].map(_hash))
    rows = frame.assign(
        **_groups(path, raw, frame, source),
        source=source,
        problem=(~of_file & (frame["text"].str.strip() == "")).map({True: "empty text", False: ""}),
    )
    ids = rows["task"] + "/" + rows["class"] + "/" + source
    again = ids.groupby(ids).cumcount()
    rows = rows.assign(id=ids.where(again == 0, ids + "#" + (again + 1).astype(str)))
    if (frame["split"] != "").any():
        rows = rows.assign(part=_parts(path, rows))
    if near is not None and near in set(rows["task"]):
        rows = family_of(rows, near)
    in_file = rows["path"] != ""
    rows.loc[in_file, "problem"] = [
        _file_problem(raw / file, name)
        for file, name in zip(rows["path"][in_file], rows["modality"][in_file], strict=True)
    ]
    place = ": row " + rows.index.astype(str) + f" of {path.name}"
    return rows.assign(problem=(rows["problem"] + place).where(rows["problem"] != "", ""))


def _file_problem(path: Path, modality: str) -> str:
    return "no file" if path.is_dir() else MODALITIES.find(modality).file_problem(path)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _groups(
    table: Path, raw: Path, frame: pd.DataFrame, source: pd.Series[str]
) -> dict[str, pd.Series[str]]:
    """Return the groups of rows: all rows of one file have one, whatever its path is there.

    Returns:
        The columns `group` and `own_group`, see `DatasetKind.index`.

    Raises:
        ValueError: Rows of one file differ in class, group or split.
    """
    of_file = frame["path"] != ""
    names = first_names(raw, source[of_file].unique())
    file = source.map(names).where(of_file, source)
    own = frame["group"].where(frame["group"] != "")
    in_task = frame["task"] + "\0" + file
    _check_agree(table, frame["class"][of_file], in_task[of_file], "class")
    in_task = (frame["task"] + "\0" + frame["text"])[frame["text"].str.strip() != ""]
    _check_agree(table, frame["class"][in_task.index], in_task, "class", "text")
    _check_agree(table, own[of_file], file[of_file], "group")
    _check_agree(table, frame["split"][of_file], file[of_file], "split")
    shared = frame["group"].groupby(file).transform("max").where(of_file, frame["group"])
    given = shared != ""
    return {"group": shared.where(given, file), "own_group": shared.where(given, source)}


def _check_agree(
    table: Path, values: pd.Series[str], of: pd.Series[str], column: str, what: str = "file"
) -> None:
    """Refuse two rows of one file or group that have two values; a missing one is none."""
    first = values.groupby(of).transform("first")
    differs = (values != first) & values.notna()
    if differs.any():
        row = first_row(differs)
        other = first_row((of == of[row]) & (values == first[row]))
        name = spelt(of[row].rpartition("\0")[2][:_SHOWN])
        raise ValueError(
            f"{table}: rows {other} and {row} are of the {what} {name}, but have the {column} "
            f"{first[row]!r} and {values[row]!r}: give them one, or remove a row"
        )


def _parts(table: Path, rows: pd.DataFrame) -> pd.Series[str]:
    """Return a column of splits, if it names all three for every row or "test" for some."""
    splits = rows["split"]
    given = set(splits.unique())
    if given not in (set(SPLITS), {"test", ""}):
        wrong = ~splits.isin([*SPLITS, ""])
        row = first_row(wrong if wrong.any() else splits == min(given))
        raise ValueError(
            f"{table}: row {row} has the split {splits[row]!r}, and the values of split are "
            f"{', '.join(map(repr, sorted(given)))}; give each row one of {', '.join(SPLITS)}, or "
            "some rows 'test' and the others nothing"
        )
    _check_agree(table, splits, rows["group"], "split", "group")
    return splits


def _read_table(path: Path) -> pd.DataFrame:
    """Read a table as text, with every column that it may have, its names cleaned.

    The column `task` gets the ids of the tasks; a column `modality` is added.
    """
    frame = read_table(path, COLUMNS, needed=(["task"], ["class"], ["path", "text"]))
    _refuse_rows(path, frame["task"].str.strip() == "", "has no task")
    _refuse_rows(path, frame["class"].str.strip() == "", "has no class")
    with_path = "path" in frame
    frame = frame.assign(**{name: "" for name in COLUMNS if name not in frame})
    of_file = frame["path"].str.strip() != ""
    both = of_file & (frame["text"].str.strip() != "")
    _refuse_rows(path, both, "has a path and a text; one of them is wanted")
    neither = ~of_file & (frame["text"] == "") & with_path  # of texts alone it is an empty text
    _refuse_rows(path, neither, "has neither a path nor a text")
    frame = frame.assign(
        **{"class": _each(path, frame["class"], partial(name_of, "class"))},
        task=_each(path, frame["task"], task_name),
        group=_each(path, frame["group"], _group),
        path=_each(path, frame["path"], _path),
        split=frame["split"].map(cleaned),
    )
    modality = frame["path"].map(_modality_of_file).where(frame["path"] != "", "text")
    return frame.assign(task=modality + "-" + frame["task"], modality=modality)


def _refuse_rows(table: Path, wrong: pd.Series[bool], problem: str) -> None:
    if wrong.any():
        raise ValueError(f"{table}: row {first_row(wrong)} {problem}")


def _each(table: Path, values: pd.Series[str], read: Callable[[str], str]) -> pd.Series[str]:
    """Read each value; an error names the first row that has it."""
    found = {}
    for value in values.unique():
        try:
            found[value] = read(value)
        except ValueError as error:
            raise ValueError(f"{table}: row {first_row(values == value)}: {error}") from error
    return values.map(found)


def _group(given: str) -> str:
    return name_of("group", given) if given.strip() else ""


def _path(given: str) -> str:
    path = given.strip()  # like names; a blank after a comma is none of it
    if posixpath.isabs(path):
        raise ValueError(f"the path {shown(path)} is absolute; give paths relative to the table")
    if max(len(part.encode()) for part in path.split("/")) > _LONGEST_PART:
        raise ValueError(f"the path {shown(path)} has a part of more than {_LONGEST_PART} bytes")
    check_path(path)
    return path and posixpath.normpath(path)


def read_once(path: Path) -> pd.DataFrame:
    """Return a table as `table_rows` reads it, read once for each of its times."""
    return _read_at(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_at(path: Path, changed: int) -> pd.DataFrame:
    return _read_table(path)


def _modality_of_file(path: str) -> str:
    suffix = Path(path).suffix.lower()
    found = (name for name in MODALITIES.names() if suffix in MODALITIES.find(name).suffixes)
    return next(found, DEFAULT)


def texts_of(table: Path) -> dict[str, str]:
    """Return the texts of a table by the source that a sample names."""
    return {f"{table.name}#{_hash(text)}": text for text in _read_table(table)["text"].unique()}
