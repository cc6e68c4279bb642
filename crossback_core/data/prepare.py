"""Prepare a data set: its index, and the tensors of one task."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from crossback_core.data.index import add_splits, check_groups, check_index, family_of
from crossback_core.data.kind import KINDS, NO_SAMPLE, SampleReader
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.modality import Modality, Packed
from crossback_core.data.names import by_number, name_of, task_name
from crossback_core.data.settings import SPLITS, DatasetSettings
from crossback_core.data.split_memory import draw_name
from crossback_core.data.task_file import Split, TaskData
from crossback_core.section import unknown

logger = logging.getLogger(__name__)

SKIPPED_COLUMNS = ["task", "class", "source", "reason"]
_SHOWN = 5  # skipped samples that a message names


def list_samples(raw: str | Path, *, settings: DatasetSettings, task: str) -> pd.DataFrame:
    """List the samples of a task, and of all tasks that share groups with it.

    Args:
        raw: The folder of the data set.
        settings: Of the data set.
        task: Its id.

    Returns:
        What `DatasetKind.index` returns, of those tasks alone.

    Raises:
        ValueError: The data are not as published, or have no such task.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise FileNotFoundError(
            f"{raw} is not a folder: the {settings.kind} data set should be there"
        )
    kind = KINDS.find(settings.kind)
    near = kind.index_near
    rows = near(raw, settings, task) if near else kind.index(raw, settings)
    rows = _named(rows.assign(task=rows["task"].astype(str)), raw)
    if task not in set(rows["task"]):
        known = sorted(set(rows["task"]), key=by_number)
        raise ValueError(f"{raw}: {unknown('task', task, known)}")
    family: pd.DataFrame = family_of(rows, task)
    return family.reset_index(drop=True)


def _named(rows: pd.DataFrame, raw: Path) -> pd.DataFrame:
    """Return rows under names that are one in all kinds of data sets: see `names`."""
    reads: dict[str, Callable[[str], str]] = {
        "task": task_name,
        "class": lambda given: given and name_of("class", given),
        "group": partial(name_of, "group"),
        "own_group": partial(name_of, "group"),
    }
    try:
        cleaned = {
            column: rows[column].map({name: read(name) for name in rows[column].unique()})
            for column, read in reads.items()
            if column in rows
        }
    except ValueError as error:
        raise ValueError(f"{raw}: {error}") from error
    return rows.assign(**cleaned)


def list_unread(raw: str | Path, *, settings: DatasetSettings) -> pd.DataFrame:
    """List what lies in the folder of a data set and is not read, as `SKIPPED_COLUMNS`."""
    unread = KINDS.find(settings.kind).unread
    found = unread(Path(raw), settings) if unread else []
    return pd.DataFrame(found, columns=SKIPPED_COLUMNS, dtype=str)


def make_index(
    rows: pd.DataFrame,
    *,
    settings: DatasetSettings,
    task: str,
    seed: int,
    kept: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give each sample of a task its split.

    Args:
        rows: From `list_samples`.
        settings: Of the data set.
        task: Whose samples are wanted.
        seed: Decides which of the equally good splits is taken.
        kept: The split of each group that has one already.

    Returns:
        The index of all rows, see `crossback_core.data.index`, the task's alone sound for certain;
        and what was skipped of the task, as `SKIPPED_COLUMNS`. Damage that shows only when an image
        is decoded is found by `make_task`.

    Raises:
        ValueError: More is skipped than allowed, or a class cannot have a sample in each split.
    """
    own = rows[rows["task"] == task]
    _check_gives(own, task)
    own, skipped = _without_problems(own, settings)
    classes = list(own["class"].unique())
    if len(classes) < 2:
        raise ValueError(f"task {task} has {len(classes)} class, {', '.join(classes)}: not two")
    sound = rows if "problem" not in rows else rows[rows["problem"] == ""]
    index = add_splits(sound, fractions=_fractions(settings), seed=seed, kept=kept)
    check_groups(index)
    check_index(index[index["task"] == task])
    return index, skipped


def _check_gives(rows: pd.DataFrame, task: str) -> None:
    """Refuse a class, or a whole task, that gives no sample at all, whatever may be skipped."""
    if "problem" not in rows:
        return
    names = filter(None, rows["class"].unique())
    parts = {f"class {name} of task {task}": rows[rows["class"] == name] for name in names}
    for what, part in (parts | {f"task {task}": rows}).items():
        if (part["problem"] != "").all():
            first = part.iloc[0]
            raise ValueError(
                f"{what} gives no sample: {len(part)} left out, the first is {first['source']} "
                f"({first['problem']}); give it some, or remove it"
            )


def drawn(index: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the samples of an index whose split was drawn: the data fix none for them.

    Args:
        index: From `make_index`.
        rows: That it was made of.
    """
    if "part" not in rows:
        return index
    return index[~index["id"].isin(rows["id"][rows["part"] != ""])]


def drawn_by(rows: pd.DataFrame, settings: DatasetSettings, seed: int) -> str:
    """Return what draws the splits of samples: those of another draw are not kept."""
    name = draw_name(fractions=_fractions(settings), seed=seed)
    return f"{name}, some given" if "part" in rows else name


def _fractions(settings: DatasetSettings) -> tuple[float, float, float]:
    test = settings.test_fraction
    validation = settings.validation_fraction
    # Rounded, so that 1 - .2 - .2 is .6 to the last bit.
    return round(1 - validation - test, 12), validation, test


def _without_problems(
    rows: pd.DataFrame, settings: DatasetSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Separate samples from what is skipped, and log how much that is and why.

    Args:
        rows: Samples; those with a `problem` are skipped.
        settings: Of the data set.

    Returns:
        The samples that are kept, and the others as `SKIPPED_COLUMNS`.

    Raises:
        ValueError: If more are skipped than `settings.max_skipped` allows.
    """
    if "problem" not in rows:
        rows = rows.assign(problem="")
    skipped = rows[rows["problem"] != ""].rename(columns={"problem": "reason"})
    skipped = skipped[SKIPPED_COLUMNS].reset_index(drop=True)
    lost = skipped[~skipped["reason"].str.startswith(NO_SAMPLE)]
    count = len(rows) - len(skipped) + len(lost)
    if len(lost) > settings.max_skipped * count:
        shown = [f"{row.source}: {row.reason}" for row in lost.head(_SHOWN).itertuples()]
        raise ValueError(
            f"{len(lost)} of {count} samples cannot be used, more than max_skipped = "
            f"{settings.max_skipped} allows: {'; '.join(shown)}"
            f"{'; ...' if len(lost) > _SHOWN else ''}"
        )
    return rows[rows["problem"] == ""].drop(columns="problem"), skipped


def reasons(skipped: pd.DataFrame) -> str:
    """Say in short why samples and files are left out, and how many for each reason."""
    kinds = Counter(reason.partition(":")[0] for reason in skipped["reason"])
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def make_task(
    index: pd.DataFrame,
    raw: str | Path,
    *,
    settings: DatasetSettings,
    task: str,
    members: Sequence[str],
    train_per_class: int | None,
    seed: int,
    threads: int = 1,
) -> tuple[TaskData, pd.DataFrame]:
    """Read the samples of one task.

    Args:
        index: Of the members.
        raw: The folder of the data set.
        settings: Of the data set.
        task: The id of the task that is made.
        members: The tasks of the index that it consists of: itself, or several for a joint task,
            whose classes are theirs in this order.
        train_per_class: The most training samples per class; None takes all. Validation and test
            stay whole, and a smaller choice is part of a larger one.
        seed: Decides which training samples are chosen.
        threads: How many images are decoded at a time.

    Returns:
        The task's tensors, and what was skipped, as `SKIPPED_COLUMNS`.

    Raises:
        ValueError: If the members are unknown, of two modalities or share a class; if more is
            skipped than allowed, or a class is left without a sample in one of the splits.
    """
    rows, classes = _member_rows(index, members)
    if train_per_class is not None:
        rows = _fewer(rows, train_per_class, seed)
    modality = MODALITIES.find(str(rows["modality"].iloc[0]))
    read = _reader(settings.kind, modality.name)
    packed = modality.pack(read(Path(raw), rows["source"].tolist(), settings, threads=threads))
    kept, skipped = _without_problems(rows.assign(problem=packed.problems), settings)
    _check_classes(kept, classes, task)
    _tell_copies(kept, packed.contents_of(kept.index.tolist()), task)
    splits = {
        name: _split(modality, packed, kept[kept["split"] == name], classes) for name in SPLITS
    }
    return TaskData(task=task, classes=classes, **splits, recipe=packed.recipe), skipped


def _reader(kind: str, modality: str) -> SampleReader:
    readers = KINDS.find(kind).readers
    if modality not in readers:
        raise ValueError(
            f"a data set of kind {kind} has no samples of modality {modality!r}, only of"
            f" {', '.join(readers)}"
        )
    return readers[modality]


def _member_rows(
    index: pd.DataFrame, members: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the members' rows, member after member, and their classes in order."""
    known = sorted(set(index["task"]), key=by_number)
    missing = [member for member in members if member not in known]
    if missing or not members:
        raise ValueError(unknown("task", missing[0] if missing else "", known))
    parts = [index[index["task"] == member] for member in members]
    rows = pd.concat(parts, ignore_index=True)
    if rows["modality"].nunique() > 1:
        raise ValueError(f"tasks {list(members)} are not all of one modality")
    classes = [name for part in parts for name in part["class"].unique()]
    shared = sorted({name for name in classes if classes.count(name) > 1})
    if shared:
        raise ValueError(f"tasks {list(members)} share the classes {', '.join(shared)}")
    return rows, tuple(classes)


def _fewer(rows: pd.DataFrame, train_per_class: int, seed: int) -> pd.DataFrame:
    """Keep at most `train_per_class` training rows per class, and all rows of other splits."""
    if train_per_class < 1:
        raise ValueError(f"train_per_class is {train_per_class}: 1 or more, or none for all")
    kept = [rows[rows["split"] != "train"]]
    for name, part in rows[rows["split"] == "train"].groupby("class"):
        # One generator per class: the choice does not depend on the task's other classes.
        random = np.random.default_rng([seed, zlib.crc32(str(name).encode())])
        kept.append(part.iloc[random.permutation(len(part))[:train_per_class]])
    return pd.concat(kept).sort_index().reset_index(drop=True)


def _check_classes(rows: pd.DataFrame, classes: Sequence[str], task: str) -> None:
    """Refuse a class that has lost all its samples of one split."""
    there = set(zip(rows["class"], rows["split"], strict=True))
    for name in classes:
        for split in SPLITS:
            if (name, split) not in there:
                raise ValueError(f"class {name} of task {task} has no readable {split} sample")


def _tell_copies(rows: pd.DataFrame, contents: Sequence[str] | None, task: str) -> None:
    """Tell what is there under several names: a copy of a test sample may be known by heart."""
    if contents is None:
        return
    named = rows.assign(content=contents)
    named = named[named["content"].duplicated(keep=False)]
    # One source may be there twice: the rows of one text, which groups have put into two splits.
    named = named.drop_duplicates(["content", "source", "split"])
    sets = [part for _, part in named.groupby("content", sort=False) if len(part) > 1]
    if not sets:
        return
    sets.sort(key=lambda part: part["split"].nunique(), reverse=True)
    for each in sets:
        logger.info("one content: %s", _with_splits(each))
    apart = sum(part["split"].nunique() > 1 for part in sets)
    example = sets[0].sort_values("split", key=lambda splits: splits.duplicated(), kind="stable")
    line = (
        f"task {task}: contents under several names: {len(sets)}, in several splits: {apart}, such "
        f"as {_with_splits(example.head(2))}; keep one of each, or give copies one group"
    )
    logger.warning("%s", line, extra={"result": line})


def _with_splits(rows: pd.DataFrame) -> str:
    return " = ".join(f"{row.source} ({row.split})" for row in rows.itertuples())


def _split(modality: Modality, packed: Packed, rows: pd.DataFrame, classes: Sequence[str]) -> Split:
    labels = torch.tensor([classes.index(name) for name in rows["class"]])
    places = rows.index.tolist()
    return Split(
        modality,
        labels,
        tuple(rows["id"]),
        packed.of(places),
        packed.table,
        packed.contents_of(places),
    )
