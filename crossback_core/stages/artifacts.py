"""Read an artifact of a task or target: the one that its path says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from crossback_core.data.index import load_index
from crossback_core.records import Record, read_record
from crossback_core.storage.files import read_csv
from crossback_core.wording import counted

StrPath = str | Path

IDS = ("target", "candidate")  # columns of ids, which may look like numbers

_Known = TypeVar("_Known", bound=Record)
_PLACE = re.compile(r"(?:task|target)_(.+)")


def check_place(path: StrPath, id_: str) -> None:
    """Refuse a file that holds another task or target than its path says.

    Files that somebody swapped or renamed are whole, so nothing else tells. A path without a task,
    as callers from Python may have, says nothing.

    Raises:
        ValueError: The path says otherwise.
    """
    said = _id_in(Path(path))
    if said not in (None, id_):
        raise ValueError(
            f"{path} holds {id_}, but its path says {said}: it was renamed, or put in another's"
            " place; remove it and run again"
        )


def _id_in(path: Path) -> str | None:
    """Read off a path whose artifact it is: its name, or the folder that it is in, says it."""
    if path.parts[-3:-1] == ("data", "index"):
        return path.stem
    parts = (path.stem, path.parent.name, path.parent.parent.name)
    return next((found[1] for part in parts if (found := _PLACE.fullmatch(part))), None)


def record_of(kind: type[_Known], path: StrPath) -> _Known:
    """Read a record, of the task or target that its path says."""
    record = read_record(kind, path)
    check_place(path, record.subject)
    return record


def scores_of(path: StrPath) -> pd.DataFrame:
    """Read the scores of a target's candidates, of the target that its path says."""
    scores = read_csv(path, names=IDS)
    absent = [name for name in IDS if name not in scores]
    if absent or scores.empty:
        raise ValueError(
            f"{path} holds no scores ({counted(len(scores), 'row')}, without the columns {absent}):"
            " remove it and run again"
        )
    for target in scores["target"].unique():
        check_place(path, target)
    return scores


def indexes_of(paths: Sequence[StrPath]) -> pd.DataFrame:
    """Read the indexes of tasks, each of the task that its path says, into one table."""
    frames = [load_index(path) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        for task in frame["task"].unique():
            check_place(path, task)
    return pd.concat(frames, ignore_index=True)
