"""Reader of the embedded data set "icons": tiles on one sheet per class, glosses in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.contents import content_hash
from crossback_core.data.images import Picture, Pixels, fit_picture, picture_size, read_picture
from crossback_core.data.kind import DatasetKind, Sources, file_and_number
from crossback_core.data.settings import (
    DatasetSettings,
    ImageSize,
    MaxSkipped,
    ValidationFraction,
)
from crossback_core.data.table_file import first_row, read_table
from crossback_core.data.text import Texts, read_vocabulary
from crossback_core.data.wordpieces import recipe_of
from crossback_core.section import STRICT
from crossback_core.storage.files import read_yaml
from crossback_core.wording import counted

TILE = 32  # pixels, the side of a tile
TILES_PER_ROW = 10

_TABLES = {  # name, columns that it needs, a column that it may have
    "image": ("images.csv", ("class", "tile", "group", "id"), ()),
    "text": ("texts.csv", ("class", "group", "id", "tokens"), ("text",)),
}


@dataclass(frozen=True, config=STRICT)
class IconsSettings(DatasetSettings):
    """The embedded data: tasks 1-14 and 29-38 icons, 15-28 and 39-47 glosses."""

    image_size: ImageSize = TILE
    max_skipped: MaxSkipped = 0.0
    validation_fraction: ValidationFraction = 0.2


def read_index(raw: Path, settings: IconsSettings) -> pd.DataFrame:
    """List the icons and glosses of the tasks.

    Args:
        raw: The folder of the data set.
        settings: Not used: tasks.yaml decides.

    Returns:
        The index's columns but for `split`; classes in the order of tasks.yaml.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is not as documented; names the file and the value.
    """
    samples = {"image": _image_samples(raw), "text": _text_samples(raw)}
    parts: list[pd.DataFrame] = []
    for task in _read_tasks(raw / "tasks.yaml"):
        for name in task["classes"]:
            rows = samples[task["modality"]]
            rows = rows[rows["class"] == name]
            if rows.empty:
                raise ValueError(
                    f"{raw / 'tasks.yaml'}: class {name!r} of task {task['task']} has no sample in "
                    f"{_TABLES[task['modality']][0]}"
                )
            parts.append(rows.assign(task=task["task"], modality=task["modality"]))
    index = pd.concat(parts, ignore_index=True)
    return index[["id", "task", "class", "modality", "group", "source"]]


def _task_ids(settings: IconsSettings) -> tuple[str, ...] | None:
    path = Path(settings.raw) / "tasks.yaml"
    return tuple(str(task["task"]) for task in _read_tasks(path)) if path.is_file() else None


def _names(settings: IconsSettings) -> dict[str, str]:
    path = Path(settings.raw) / "tasks.yaml"
    tasks = _read_tasks(path) if path.is_file() else []
    return {str(task["task"]): task["name"] for task in tasks if task.get("name")}


def _sources(raw: Path, task: str) -> Sources:
    """Return what is read, the same for all tasks."""
    tables = ["tasks.yaml", "images.csv", "texts.csv", "vocabulary.txt", "embeddings.npy"]
    return Sources([*(raw / name for name in tables), *raw.glob("images/*.png")])


def _read_tasks(path: Path) -> list[dict[str, Any]]:
    tasks = read_yaml(path)
    if not isinstance(tasks, list) or not tasks:
        raise ValueError(f"{path} is not a list of tasks")
    for task in tasks:
        if not _is_task(task):
            raise ValueError(
                f"{path}: {task!r} is not a task: it needs an integer task of 1 or more, a "
                f"modality ({' or '.join(_TABLES)}) and a list of classes; a name is text"
            )
    return tasks


def _is_task(task: Any) -> bool:
    if not isinstance(task, dict):
        return False
    number = task.get("task")
    classes = task.get("classes")
    return (
        type(number) is int
        and number > 0
        and task.get("modality") in _TABLES
        and isinstance(classes, list)
        and len(classes) > 0
        and all(isinstance(name, str) for name in (*classes, task.get("name", "")))
    )


def _image_samples(raw: Path) -> pd.DataFrame:
    """Read images.csv and check that every sheet has the size that its tiles need."""
    frame = _read_table(raw, "image")
    path = raw / _TABLES["image"][0]
    wrong = ~frame["tile"].str.fullmatch(r"\d+")
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(f"{path}: row {row}: tile {frame['tile'][row]!r} is not a whole number")
    frame["tile"] = frame["tile"].astype(int)
    for name, tiles in frame.groupby("class")["tile"]:
        if sorted(tiles) != list(range(len(tiles))):
            raise ValueError(f"{path}: the tiles of class {name!r} are not 0 to {len(tiles) - 1}")
        _check_sheet(_sheet(raw, str(name)), len(tiles))
    sheets = "images/" + frame["class"].map(_sheet_name)
    return frame.assign(source=sheets + "#" + frame["tile"].astype(str))


def _text_samples(raw: Path) -> pd.DataFrame:
    frame = _read_table(raw, "text")
    return frame.assign(source=[f"{_TABLES['text'][0]}#{row}" for row in range(len(frame))])


def _read_table(raw: Path, modality: str) -> pd.DataFrame:
    """Read one of the two tables as text: a class may well be called "null"."""
    name, columns, also = _TABLES[modality]
    return read_table(raw / name, columns + also, needed=[[column] for column in columns])


def _sheet_name(name: str) -> str:
    return name.replace(" ", "-") + ".png"


def _sheet(raw: Path, name: str) -> Path:
    return raw / "images" / _sheet_name(name)


def _check_sheet(path: Path, tiles: int) -> None:
    size = picture_size(path)
    wanted = (-(-tiles // TILES_PER_ROW) * TILE, TILES_PER_ROW * TILE)
    if size != wanted:
        raise ValueError(
            f"{path} has {size[0]} x {size[1]} pixels (height x width), its {tiles} tiles need "
            f"{wanted[0]} x {wanted[1]}"
        )


def read_images(
    raw: Path, sources: Sequence[str], settings: IconsSettings, *, threads: int = 1
) -> list[Picture]:
    """Cut the tiles named by `sources` out of their sheets."""
    read = cache(lambda sheet: read_picture(raw / sheet))
    tiles = (_cut(read(file_and_number(source)[0]), source) for source in sources)
    return [fit_picture(tile, size=settings.image_size) for tile in tiles]


def _cut(sheet: Pixels, source: str) -> Pixels:
    _, tile = file_and_number(source)
    row, column = divmod(tile, TILES_PER_ROW)
    picture = sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
    if picture.shape != (TILE, TILE, 3):
        raise ValueError(f"{source}: the sheet of shape {sheet.shape} has no such tile")
    return picture


def read_texts(
    raw: Path, sources: Sequence[str], settings: IconsSettings, *, threads: int = 1
) -> Texts:
    """Return the wordpieces of the texts named by `sources`, as rows of the vocabulary."""
    vocabulary = read_vocabulary(raw / "vocabulary.txt", raw / "embeddings.npy")
    table = _read_table(raw, "text")
    tokens = table["tokens"]
    rows = [file_and_number(source)[1] for source in sources]
    if max(rows) >= len(tokens):
        raise ValueError(
            f"{raw / 'texts.csv'} has {counted(len(tokens), 'row')}, row {max(rows)} was asked for"
        )
    ids = [_look_up(vocabulary.ids, tokens.iloc[row], raw / f"texts.csv#{row}") for row in rows]
    contents = [content_hash(tokens.iloc[row]) for row in rows]
    pairs = {} if "text" not in table else dict(zip(table["text"].iloc[rows], ids, strict=True))
    return Texts(ids, vocabulary.embeddings, contents, recipe_of(vocabulary, pairs))


def _look_up(ids: Mapping[str, int], text: str, source: Path) -> list[int]:
    pieces = text.split()
    if not pieces:
        raise ValueError(f"{source}: the text has no wordpiece")
    for piece in pieces:
        if ids.get(piece, 0) == 0:  # row 0 is padding
            raise ValueError(f"{source}: wordpiece {piece!r} is not in the vocabulary")
    return [ids[piece] for piece in pieces]


KIND = DatasetKind(
    name="icons",
    settings=IconsSettings,
    index=read_index,
    readers={"image": read_images, "text": read_texts},
    sources=_sources,
    tasks=_task_ids,
    names=_names,
)
