"""A first look at own data: tasks, classes, how many samples, and what is not read."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import pandas as pd
from PIL import Image

from crossback_core.data.images import undecodable
from crossback_core.data.kind import NO_SAMPLE
from crossback_core.data.kinds.folder import KIND, FolderSettings
from crossback_core.data.listing import without_problems
from crossback_core.data.names import spelt
from crossback_core.data.settings import SPLITS
from crossback_core.section import some_of

_LOOKED_AT = 100  # pictures whose size is read
_DECIDES = 0.15  # part of the samples, in validation
_DECIDING = 50  # samples: with fewer, half an interval is more than ten points
_MOST_THREADS = 8  # that decode pictures
_UNREADABLE = "unreadable "  # how the problem begins of a file whose contents are none
_ENCODER = ("config.json", "model.safetensors")


# Passes on what comes of pictures, and how many there are.
Watch = Callable[[Iterable[str], int], Iterable[str]]


def _unwatched(found: Iterable[str], count: int) -> Iterable[str]:
    return found


@dataclass(frozen=True)
class TaskFound:
    """A task of own data.

    Attributes:
        task: Its id, such as image-animals.
        modality: What it reads.
        classes: Samples by class.
    """

    task: str
    modality: str
    classes: dict[str, int]

    @property
    def samples(self) -> int:
        """Samples of all classes."""
        return sum(self.classes.values())

    @property
    def problem(self) -> str:
        """Say why no network can be trained for it; nothing where one can."""
        few = [name for name, count in self.classes.items() if count < len(SPLITS)]
        if few:
            return (
                f"too few samples of {some_of(few)}: each class needs at least {len(SPLITS)}, one"
                " for each split"
            )
        if len(self.classes) < 2:
            return "it has one class only: there is nothing to tell apart"
        return ""


@dataclass(frozen=True)
class Survey:
    """What lies in a folder.

    Attributes:
        tasks: Images before texts, each in the order of their names.
        skipped: How many files are not read, by reason, and the first of them; of those whose
            contents cannot be read the reason is that of the first.
        side: Pixels of the shorter side of a picture, the median; None without pictures.
        encoder: A folder with a text encoder in the data's folder or beside it; None without.
        losses: Why the run will refuse a task of which too much cannot be read, by the task.
    """

    tasks: tuple[TaskFound, ...]
    skipped: dict[str, tuple[int, str]]
    side: int | None
    encoder: Path | None
    losses: dict[str, str] = field(default_factory=dict)

    @property
    def trainable(self) -> tuple[TaskFound, ...]:
        """Tasks that a network can be trained for."""
        return tuple(task for task in self.tasks if not task.problem)


def survey(raw: str | Path, *, watch: Watch = _unwatched) -> Survey:
    """Look at own data, as the kind of data set `folder` reads them; every picture is decoded.

    Args:
        raw: The folder.
        watch: Is given what comes of the pictures, one after another, and how many there are; it
            passes them on, and may show how far it is.

    Raises:
        NotADirectoryError: There is no such folder.
        ValueError: It holds no samples, or a name or a row that cannot be.
    """
    folder = Path(raw)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder: name the one that holds your data")
    encoder = _encoder_near(folder)
    settings = FolderSettings("folder", str(folder))
    if encoder:
        settings = replace(settings, encoder=str(encoder))
    ids = KIND.tasks(settings) or ()
    rows = _decoded(folder, KIND.index(folder, settings), watch)
    fine = rows[rows["problem"] == ""]
    unread = KIND.unread(folder, settings) if KIND.unread else []
    return Survey(
        tuple(_task(id_, rows[rows["task"] == id_]) for id_ in ids),
        _skipped(rows, unread),
        _side(folder, list(fine["source"][fine["modality"] == "image"])),
        encoder,
        dict(_losses(rows, settings)),
    )


def _decoded(folder: Path, rows: pd.DataFrame, watch: Watch) -> pd.DataFrame:
    """Return rows with the problems of pictures that cannot be decoded."""
    fine = rows[(rows["modality"] == "image") & (rows["problem"] == "")]
    sources = list(dict.fromkeys(fine["source"]))
    threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    found = watch(undecodable(folder, sources, threads=threads), len(sources))
    by_source = dict(zip(sources, found, strict=True))
    told = zip(rows["source"], rows["problem"], strict=True)
    return rows.assign(problem=[problem or by_source.get(source, "") for source, problem in told])


def _losses(rows: pd.DataFrame, settings: FolderSettings) -> Iterator[tuple[str, str]]:
    for task, own in rows.groupby("task"):
        try:
            without_problems(own, settings)
        except ValueError as error:
            yield str(task), str(error)


def concerns(found: Survey) -> list[str]:
    """Say what of own data no network can be trained for, or will leave its verdict open."""
    said = [f"task {task.task} is left out: {task.problem}" for task in found.tasks if task.problem]
    trained = {task.task for task in found.trainable}
    said += [
        f"the run will stop at task {task}: {why}"
        for task, why in found.losses.items()
        if task in trained
    ]
    deciding = [task.task for task in found.trainable if _DECIDES * task.samples < _DECIDING]
    if deciding:
        said.append(
            f"fewer than {_DECIDING} validation samples decide on {some_of(deciding)}: expect the"
            " verdict to stay undecided"
        )
    return said


def _task(id_: str, rows: pd.DataFrame) -> TaskFound:
    wanted = rows[rows["class"] != ""]  # a class without samples stops the run: it has to be told
    fine = Counter(wanted["class"][wanted["problem"] == ""])
    modality = str(rows["modality"].iloc[0]) if len(rows) else id_.partition("-")[0]
    return TaskFound(id_, modality, {name: fine[name] for name in dict.fromkeys(wanted["class"])})


def _skipped(
    rows: pd.DataFrame, unread: Sequence[tuple[str, str, str, str]]
) -> dict[str, tuple[int, str]]:
    """Count what is not read by its reason: first come the samples that should have been."""
    bad = rows[rows["problem"] != ""]
    found = dict(zip(bad["source"], bad["problem"], strict=True))
    found |= {path: reason for _, _, path, reason in unread}
    reasons = Counter(_reason(each) for each in found.values())
    first = {_reason(problem): path for path, problem in reversed(found.items())}
    return {
        found[first[reason]] if reason.startswith(_UNREADABLE) else reason: (
            count,
            spelt(first[reason]),
        )
        for reason, count in reasons.most_common()
    }


def _reason(problem: str) -> str:
    what, _, details = problem.partition(": ")
    if problem.startswith(_UNREADABLE):
        return what  # decoders say it of each file in another way
    return details if what == NO_SAMPLE else problem


def _side(folder: Path, pictures: Sequence[str]) -> int | None:
    """Return the median of the shorter sides of some pictures, spread over all."""
    step = max(1, len(pictures) // _LOOKED_AT)
    sides = []
    for source in pictures[::step]:
        unreadable = contextlib.suppress(OSError, ValueError, Image.DecompressionBombError)
        with unreadable, Image.open(folder / source) as picture:  # its head alone
            sides.append(min(picture.size))
    return int(median(sides)) if sides else None


def _encoder_near(folder: Path) -> Path | None:
    """Return a folder that holds a text encoder, in the data's folder or beside it."""
    places = [*sorted(folder.glob("*")), *sorted(folder.parent.glob("*"))]
    whole = (each for each in places if all((each / name).is_file() for name in _ENCODER))
    return next(whole, None)
