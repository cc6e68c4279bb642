"""What people give to a network: paths, folders, sentences, pictures, arrays, by modality."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from crossback_core.data.kind import hidden
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.modality import Modality
from crossback_core.model.network import TaskSpec
from crossback_core.wording import printable

Raw: TypeAlias = str | Path | Image.Image | npt.NDArray[np.uint8]

_LONGEST_NAME = 255  # of a file: what is longer is none
_SHOWN = 60  # characters of a text in a message


@dataclass(frozen=True, eq=False)
class Given:
    """One raw input.

    Attributes:
        value: Its path, or what a modality holds.
        source: What tells it from others: the path, the text itself, or its place.
    """

    value: object
    source: str


def inputs_of(raw: object, task: TaskSpec, tasks: Sequence[TaskSpec]) -> tuple[list[Given], bool]:
    """List raw inputs, folders unfolded, and say whether there may be several.

    A text is a sentence, unless the task reads no texts or it names a file: one that exists, under
    a suffix of a modality. What looks like such a name is never taken for a sentence.

    Args:
        raw: One input, or a list or tuple of them.
        task: That reads them.
        tasks: All of the network, for messages.

    Raises:
        FileNotFoundError: The one input is a path, where nothing is; or one of several is, and its
            name does not tell what it should be.
        ValueError: There is none, or one is of another modality than the task.
    """
    modality = MODALITIES.find(task.modality)
    many = isinstance(raw, list | tuple)
    found: list[Given] = []
    for place, item in enumerate(raw if isinstance(raw, list | tuple) else [raw], start=1):
        unfolded = _unfolded(item, f"input {place}", modality)
        many |= isinstance(unfolded, list)
        found += unfolded if isinstance(unfolded, list) else [unfolded]
    if not found:
        raise ValueError("there is no input: give one or more")
    for each in found:
        _check_fits(each, task, tasks)
    if not many and isinstance(found[0].value, Path) and not os.path.lexists(found[0].value):
        raise FileNotFoundError(f"{printable(found[0].value)} does not exist")
    return found, many


def _unfolded(item: object, name: str, modality: Modality) -> Given | list[Given]:
    """Return an input, or all that a folder or a batch holds."""
    if isinstance(item, str) and (_names_file(item) or not modality.holds(item)):
        if not item:
            raise ValueError(f"{name} is empty: give a path")  # Path("") is the present folder
        item = Path(item)
    if isinstance(item, Path) and os.path.isdir(item):
        return _files(item, modality)
    if isinstance(item, np.ndarray) and item.ndim == 4:
        return [Given(each, f"{name}, row {row}") for row, each in enumerate(item, start=1)]
    if isinstance(item, str | Path):
        return Given(item, str(item))
    return Given(item, str(getattr(item, "filename", "") or name))  # as pictures of Pillow's have


def _names_file(text: str) -> bool:
    """Say whether a text is the name of a file, or plainly meant as one."""
    known = bool(_by_suffix(Path(text)))
    return known and (os.path.isfile(text) or not any(map(str.isspace, text)))


def _files(folder: Path, modality: Modality) -> list[Given]:
    """Return the files of a modality in a folder and all below it, in the order of their names."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in modality.suffixes)
    own = [path for path in paths if not _is_hidden(path.relative_to(folder)) and path.is_file()]
    if not own:
        raise ValueError(
            f"{printable(folder)} has no file of modality {modality.name}"
            f" ({' '.join(modality.suffixes)}): give another folder, or another task"
        )
    return [Given(path, str(path)) for path in own]


def _is_hidden(path: Path) -> bool:
    return any(hidden(Path(part)) for part in path.parts)


def _check_fits(given: Given, task: TaskSpec, tasks: Sequence[TaskSpec]) -> None:
    """Refuse what is of another modality; a file whose name tells none is the task's to read."""
    if _is_lost(given.value):
        raise FileNotFoundError(f"there is no file or folder {printable(given.source)}")
    found = _modalities_of(given.value)
    if task.modality in found or (not found and _is_there(given.value)):
        return
    shown = printable(given.source, longest=_SHOWN)
    if not found:
        raise ValueError(
            f"{shown} is no input but a {type(given.value).__name__}: give paths, folders, texts,"
            " pictures of Pillow's or arrays of pixels"
        )
    fitting = [each.task for each in tasks if each.modality in found]
    hint = f"give task={' or '.join(fitting)}" if fitting else "no task of this network reads that"
    raise ValueError(
        f"{shown} is of modality {' or '.join(found)}, but task {task.called} reads modality"
        f" {task.modality}: {hint}"
    )


def _is_lost(value: object) -> bool:
    """Say whether a path leads nowhere, is of no modality by its name, and is no sentence."""
    if not isinstance(value, Path) or os.path.lexists(value) or _by_suffix(value):
        return False
    blank = any(map(str.isspace, str(value)))
    return len(value.name) <= _LONGEST_NAME and (not blank or bool(value.suffix or value.parts[1:]))


def _is_there(value: object) -> bool:
    return isinstance(value, Path) and os.path.lexists(value)


def _modalities_of(value: object) -> list[str]:
    """Return the modalities that a value may be of; a path is of those of its suffix."""
    if not isinstance(value, Path):
        return [each.name for each in _modalities() if each.holds(value)]
    named = _by_suffix(value)
    if named or os.path.lexists(value):
        return named
    return _modalities_of(str(value))  # a sentence, or the path of nothing


def _by_suffix(path: Path) -> list[str]:
    suffix = path.suffix.lower()
    return [each.name for each in _modalities() if suffix in each.suffixes + each.unread]


def _modalities() -> list[Modality]:
    return list(map(MODALITIES.find, MODALITIES.names()))
