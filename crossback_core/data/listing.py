"""List the samples of a data set, and give them their splits: what a task's index is made of."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from crossback_core.data.index import add_splits, check_groups, check_index, family_of
from crossback_core.data.kind import KINDS, NO_SAMPLE
from crossback_core.data.names import by_number, name_of, task_name
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.split_memory import draw_name
from crossback_core.section import unknown
from crossback_core.wording import counted

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
    own, skipped = without_problems(own, settings)
    classes = list(own["class"].unique())
    if len(classes) < 2:
        raise ValueError(
            f"task {task} has {counted(len(classes), 'class')}, {', '.join(classes)}: not two"
        )
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


def without_problems(
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
            f"{len(lost)} of {counted(count, 'sample')} cannot be used, more than max_skipped = "
            f"{settings.max_skipped} allows: {'; '.join(shown)}"
            f"{'; ...' if len(lost) > _SHOWN else ''}; remove them, or raise max_skipped"
        )
    return rows[rows["problem"] == ""].drop(columns="problem"), skipped


def tell_left_out(rows: pd.DataFrame, where: str, *, listed: str | Path) -> None:
    """Tell once what is not read, and where the list of it is."""
    if rows.empty:
        return
    line = (
        f"{where}: {len(rows)} left out ({_reasons(rows)}), such as {rows['source'].iloc[0]}; "
        f"{listed} lists them"
    )
    logger.warning("%s", line, extra={"result": line})


def _reasons(skipped: pd.DataFrame) -> str:
    """Say in short why samples and files are left out, and how many for each reason."""
    kinds = Counter(reason.partition(":")[0] for reason in skipped["reason"])
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())
