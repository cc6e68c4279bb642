"""Reader of a user's own data: plain folders, or one table of samples (docs/datasets.md).

Folders: images/<task>/<class>/<name>.jpg and texts/<task>/<class>/<name>.txt. A picture and a text
of one task, class and name belong together: they share a split.

Table: samples.csv or samples.parquet with the columns `task`, `class`, `path` or `text`, and, if
wanted, `group` and `split`. Where there is a table, folders may have any names.

Tasks are numbered in the order of their names, those of images before those of texts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.encoder import encode
from crossback_core.data.kind import DatasetKind, SampleReader
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.settings import SPLITS, PairedSettings, TextLength
from crossback_core.data.text import Texts, join_captions, read_caption
from crossback_core.section import STRICT

logger = logging.getLogger(__name__)

TABLES = ("samples.csv", "samples.parquet")
DEFAULT = "image"  # of a table's path whose suffix is no modality's: the decoder decides


@dataclass(frozen=True, config=STRICT)
class FolderSettings(PairedSettings):
    """Your own pictures and texts, in plain folders or a table."""

    text_length: TextLength = 64


def raw_files(raw: Path) -> list[str]:
    """List the table and all folders: the time of a folder tells only of the entries in itself."""
    entries = [*raw.glob("samples.*"), *raw.glob("*/"), *raw.glob("*/*/"), *raw.glob("*/*/*/")]
    return [str(raw), *sorted(map(str, entries))]


def read_index(raw: Path, settings: FolderSettings) -> pd.DataFrame:
    """List the samples of a folder.

    Args:
        raw: The folder.
        settings: Not used: the folder decides.

    Returns:
        What `DatasetKind.index` returns. Ids begin with the names of task and class.

    Raises:
        ValueError: If there are no samples, or a task has less than two classes.
    """
    table = _find_table(raw)
    rows = _folder_rows(raw) if table is None else _table_rows(raw, table)
    if rows.empty:
        raise ValueError(
            f"{raw} has no samples: wanted are images/<task>/<class>/*.jpg, .png or .webp, "
            f"texts/<task>/<class>/*.txt, or a table {' or '.join(TABLES)}"
        )
    rows = rows.sort_values(["modality", "task", "class"], kind="stable", ignore_index=True)
    names = rows["modality"].str.cat(rows["task"], sep="\0")
    rows = rows.rename(columns={"task": "name"}).assign(task=pd.factorize(names)[0] + 1)
    _check_tasks(rows)
    parts = ["part"] if "part" in rows else []
    return rows[["id", "task", "class", "modality", "group", "source", "problem", *parts]]


def _check_tasks(rows: pd.DataFrame) -> None:
    """Log the number of each task, and refuse a task of one class."""
    for task, part in rows.groupby("task"):
        modality = part["modality"].iloc[0]
        name = part["name"].iloc[0]
        classes = list(part["class"].unique())
        logger.info("task %s: %ss of %s, classes %s", task, modality, name, ", ".join(classes))
        if len(classes) < 2:
            raise ValueError(f"task {name!r} of {modality}s has one class, {classes[0]!r}, not two")


def _find_table(raw: Path) -> Path | None:
    found = [raw / name for name in TABLES if (raw / name).is_file()]
    if len(found) > 1:
        raise ValueError(f"{raw} has both {' and '.join(TABLES)}: keep one of them")
    return found[0] if found else None


def _folder_rows(raw: Path) -> pd.DataFrame:
    rows = []
    others = []
    for modality in map(MODALITIES.find, MODALITIES.names()):
        for path in sorted((raw / modality.folder).glob("*/*/*")):
            task, name = path.parts[-3:-1]
            source = path.relative_to(raw).as_posix()
            if path.name.startswith(".") or name.startswith(".") or task.startswith("."):
                continue
            if path.suffix.lower() not in modality.suffixes:
                others.append(source)
                continue
            group = f"{task}/{name}/{path.stem}"
            id_ = f"{modality.name[0]}-{task}/{name}/{path.name}"
            problem = modality.file_problem(path)
            rows.append((id_, task, name, modality.name, group, source, problem))
    if others:
        logger.warning("%d other files are left out, the first is %s", len(others), others[0])
    columns = ["id", "task", "class", "modality", "group", "source", "problem"]
    return pd.DataFrame(rows, columns=columns)


def _table_rows(raw: Path, path: Path) -> pd.DataFrame:
    frame = _read_table(path)
    of_file = frame["path"] != ""
    blank = frame["text"].str.strip() == ""
    both = of_file & ~blank
    if both.any():
        row = int(both.argmax()) + 1
        raise ValueError(f"{path}: row {row} has a path and a text; one of them is wanted")
    modality = frame["path"].map(_modality_of_file).where(of_file, "text")
    numbers = pd.Series(range(1, len(frame) + 1)).astype(str)
    rows = frame.assign(
        id=modality.str[0] + "-" + frame["task"] + "/" + frame["class"] + "/" + numbers,
        modality=modality,
        group=frame["group"].where(frame["group"] != "", "row " + numbers),
        source=frame["path"].where(of_file, f"{path.name}#" + numbers),
        problem=blank.map({True: "empty text", False: ""}),
    )
    rows.loc[of_file, "problem"] = [
        MODALITIES.find(name).file_problem(raw / file)
        for file, name in zip(frame["path"][of_file], modality[of_file], strict=True)
    ]
    return rows if (frame["split"] == "").all() else rows.assign(part=_parts(path, frame["split"]))


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
    """Read a table as text, with every column that it may have."""
    if path.suffix == ".csv":
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    else:
        frame = _read_parquet(path)
    missing = [name for name in ("task", "class") if name not in frame.columns]
    if not {"path", "text"} & set(frame.columns):
        missing.append("path or text")
    if missing:
        raise ValueError(f"{path} lacks the column {', '.join(missing)}")
    for name in ("task", "class"):
        if (frame[name] == "").any():
            raise ValueError(f"{path}: row {int((frame[name] == '').argmax()) + 1} has no {name}")
    optional = {name: "" for name in ("path", "text", "group", "split") if name not in frame}
    return frame.assign(**optional)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path).astype(object).fillna("").astype(str)
    except ImportError as error:
        raise ValueError(f"{path} needs the package pyarrow; or save it as CSV") from error


def _modality_of_file(path: str) -> str:
    suffix = Path(path).suffix.lower()
    found = (name for name in MODALITIES.names() if suffix in MODALITIES.find(name).suffixes)
    return next(found, DEFAULT)


def read_texts(
    raw: Path, sources: Sequence[str], settings: FolderSettings, *, threads: int
) -> Texts:
    """Read text files and rows of the table with the configured encoder."""
    table = _find_table(raw)
    texts = [] if table is None else _read_table(table)["text"].tolist()
    mark = f"{table.name}#" if table is not None else "\0"

    def text_of(source: str) -> str:
        if not source.startswith(mark):
            return read_caption(raw / source)
        return join_captions(texts[int(source.removeprefix(mark)) - 1].splitlines())

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
    raw_files=raw_files,
)
