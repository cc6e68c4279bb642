"""A table of samples: samples.csv or samples.parquet in a folder of own data (docs/datasets.md)."""

from __future__ import annotations

import hashlib
import posixpath
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

from crossback_core.data.index import family_of
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.names import name_of, task_name
from crossback_core.data.settings import SPLITS

TABLES = ("samples.csv", "samples.parquet")
COLUMNS = ("task", "class", "path", "text", "group", "split")
DEFAULT = "image"  # of a table's path whose suffix is no modality's: the decoder decides


def find_table(raw: Path) -> Path | None:
    """Return the table of a folder, if it has one."""
    found = [raw / name for name in TABLES if (raw / name).is_file()]
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
        ValueError: It is no table, lacks a column, or has a value that cannot be.
    """
    frame = _read_table(path)
    of_file = frame["path"] != ""
    blank = frame["text"].str.strip() == ""
    both = of_file & ~blank
    if both.any():
        row = int(both.argmax()) + 1
        raise ValueError(f"{path}: row {row} has a path and a text; one of them is wanted")
    # By path or text, not by number: that changes when a row is added above.
    source = frame["path"].where(of_file, f"{path.name}#" + frame["text"].map(_hash))
    rows = frame.assign(
        group=frame["group"].where(frame["group"] != "", source),
        source=source,
        problem=blank.where(~of_file, False).map({True: "empty text", False: ""}),
    )
    ids = rows["task"] + "/" + rows["class"] + "/" + source
    again = ids.groupby(ids).cumcount()
    rows = rows.assign(id=ids.where(again == 0, ids + "#" + (again + 1).astype(str)))
    if (frame["split"] != "").any():
        rows = rows.assign(part=_parts(path, frame["split"]))
    if near is not None and near in set(rows["task"]):
        rows = family_of(rows, near)
    in_file = rows["path"] != ""
    rows.loc[in_file, "problem"] = [
        MODALITIES.find(name).file_problem(raw / file)
        for file, name in zip(rows["path"][in_file], rows["modality"][in_file], strict=True)
    ]
    return rows


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _parts(path: Path, splits: pd.Series[str]) -> pd.Series[str]:
    """Return a column of splits, if it names all three for every row or "test" for some."""
    given = set(splits.unique())
    if given not in (set(SPLITS), {"test", ""}):
        raise ValueError(
            f"{path}: the values of split are {', '.join(map(repr, sorted(given)))}; give each row "
            f"one of {', '.join(SPLITS)}, or some rows 'test' and the others nothing"
        )
    return splits


def _read_table(path: Path) -> pd.DataFrame:
    """Read a table as text, with every column that it may have, its names cleaned.

    The column `task` gets the ids of the tasks; a column `modality` is added.
    """
    frame = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    missing = [name for name in ("task", "class") if name not in frame.columns]
    if not {"path", "text"} & set(frame.columns):
        missing.append("path or text")
    if missing:
        raise ValueError(f"{path} lacks the column {', '.join(missing)}")
    for name in ("task", "class"):
        if (frame[name] == "").any():
            raise ValueError(f"{path}: row {int((frame[name] == '').argmax()) + 1} has no {name}")
    frame = frame.assign(**{name: "" for name in COLUMNS if name not in frame})
    absolute = frame["path"].map(posixpath.isabs)
    if absolute.any():
        row = int(absolute.argmax())
        raise ValueError(
            f"{path}: row {row + 1} has the path {frame['path'].iloc[row]}; give paths relative to"
            f" {path.parent}"
        )
    modality = frame["path"].map(_modality_of_file).where(frame["path"] != "", "text")
    columns = {
        "task": modality + "-" + frame["task"].map(task_name),
        "class": frame["class"].map(partial(name_of, "class")),
        "group": frame["group"].map(_group),
        "split": frame["split"].str.strip(),
        "path": frame["path"].map(lambda given: given and posixpath.normpath(given)),
        "modality": modality,
    }
    return frame.assign(**columns)


def _group(given: str) -> str:
    return name_of("group", given) if given.strip() else ""


def read_once(path: Path) -> pd.DataFrame:
    """Return a table as `table_rows` reads it, read once for each of its times."""
    return _read_at(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_at(path: Path, changed: int) -> pd.DataFrame:
    return _read_table(path)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' own are such, and so is that of another encoding
        raise ValueError(f"{path} is no table in UTF-8: {error}") from error
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path).astype(object).fillna("").astype(str)
    except ImportError as error:
        raise ValueError(f"{path} needs the package pyarrow; or save it as CSV") from error


def _modality_of_file(path: str) -> str:
    suffix = Path(path).suffix.lower()
    found = (name for name in MODALITIES.names() if suffix in MODALITIES.find(name).suffixes)
    return next(found, DEFAULT)


def texts_of(table: Path) -> dict[str, str]:
    """Return the texts of a table by the source that a sample names."""
    return {f"{table.name}#{_hash(text)}": text for text in _read_table(table)["text"].unique()}
