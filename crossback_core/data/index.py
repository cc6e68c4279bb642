"""The index: one row per sample of a data set, with the split that its group belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from crossback_core.data.deal import NOWHERE, Places, deal
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.settings import SPLITS
from crossback_core.section import unknown
from crossback_core.storage.files import read_csv, write_csv
from crossback_core.wording import counted

COLUMNS = ["id", "task", "class", "modality", "split", "group", "source"]
FRACTIONS = (0.6, 0.2, 0.2)


def add_splits(
    samples: pd.DataFrame,
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int,
    kept: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Make the index of a data set from its samples.

    Args:
        samples: The columns of an index but for `split`, and perhaps `part`: the split of each
            sample; or "test" for some, then the others are split into training and validation,
            and validation keeps its share of all samples.
        fractions: Shares of training, validation and test, positive and summing to 1.
        seed: Decides which of the equally good splits is taken.
        kept: The split of each group that has had one, see `split_by_group`; `part` goes before it.

    Returns:
        The index: `COLUMNS`, rows in the order given; `check_index` says whether it is sound.

    Raises:
        ValueError: If the samples are not sound.
    """
    check_samples(samples)
    if "part" in samples:
        split = _split_rest(samples, fractions[1], seed, kept or {})
    else:
        split = split_by_group(samples, fractions=fractions, seed=seed, kept=kept)
    return samples.assign(split=split)[COLUMNS]


def _split_rest(
    samples: pd.DataFrame, validation: float, seed: int, kept: Mapping[str, str]
) -> pd.Series[str]:
    """Keep the parts as they are, and split the other samples into training and validation."""
    if samples["part"].isin(SPLITS).all():
        return samples["part"]
    rest = samples[samples["part"] != "test"]
    share = validation * len(samples) / max(len(rest), 1)
    # A group that was in the test and no longer is has no split to keep.
    kept = {group: split for group, split in kept.items() if split != "test"}
    split = split_by_group(rest, fractions=(1 - share, share), seed=seed, kept=kept)
    return split.reindex(samples.index, fill_value="test")


def save_index(index: pd.DataFrame, path: str | Path) -> None:
    """Write an index as CSV, atomically."""
    write_csv(index[COLUMNS], path)


def load_index(path: str | Path) -> pd.DataFrame:
    """Read an index file and check it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not an index or not a sound one.
    """
    index = read_csv(path, as_text=True)  # a class may be called "null"
    try:
        check_index(index)
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is not a sound index ({error}): remove it and run again"
        ) from error
    return index[COLUMNS]


def check_samples(samples: pd.DataFrame) -> None:
    """Refuse missing columns and blank or repeated values."""
    missing = [name for name in COLUMNS if name not in samples.columns and name != "split"]
    if missing or samples.empty:
        raise ValueError(
            f"{counted(len(samples), 'sample')}, missing columns: {', '.join(missing) or 'none'}"
        )
    for name in ("id", "class", "group", "source"):
        blank = samples[name].isna() | (samples[name] == "")
        if blank.any():
            raise ValueError(f"row {int(blank.argmax())} has no {name}")
    repeated = samples["id"].duplicated()
    if repeated.any():
        raise ValueError(f"sample {samples['id'][repeated].iloc[0]} is listed more than once")
    for name in samples["modality"].unique():
        if name not in MODALITIES.names():
            raise ValueError(unknown("modality", name, MODALITIES.names()))
    _check_unique(samples, "task", "modality")


def check_index(index: pd.DataFrame) -> None:
    """Refuse a group in more than one split and a class without a sample in one of them."""
    check_samples(index)
    others = index[~index["split"].isin(SPLITS)]
    if len(others):
        raise ValueError(f"split {others['split'].iloc[0]!r} is not one of {', '.join(SPLITS)}")
    check_groups(index)
    splits = index.groupby(["task", "class"])["split"].nunique()
    if splits.min() < len(SPLITS):
        task, name = splits.index[int(splits.argmin())]
        rows = index[(index["task"] == task) & (index["class"] == name)]
        raise ValueError(f"class {name} of task {task} has {_missing_split(rows)}")


def check_groups(index: pd.DataFrame) -> None:
    """Refuse a group in more than one split."""
    _check_unique(index, "group", "split")


def _missing_split(rows: pd.DataFrame) -> str:
    """Say why the rows of a class are not in all splits."""
    groups = rows["group"].nunique()
    if groups < len(SPLITS):
        return (
            f"{counted(groups, 'group')} of samples, {len(SPLITS)} splits need at least"
            f" {len(SPLITS)}: leave the class out or give it more samples"
        )
    missing = next(split for split in SPLITS if split not in set(rows["split"]))
    return (
        f"no sample in split {missing}: add samples of it, in groups of their own, or leave the "
        "class out (the groups that it has got their splits earlier, have them from the data set, "
        "or are shared with other classes)"
    )


def _check_unique(frame: pd.DataFrame, of: str, name: str) -> None:
    """Refuse a group or task with two values in one column."""
    values = frame.groupby(of)[name].nunique()
    if values.max() > 1:
        raise ValueError(f"{of} {values.idxmax()} has more than one {name}")


def family_of(samples: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return the samples of all tasks that share groups with a task, directly or through others.

    Args:
        samples: Columns `task` and `group`.
        task: One of the tasks.

    Returns:
        The rows of these tasks, in the order given.

    Raises:
        ValueError: If there is no such task.
    """
    tasks = samples["task"]
    rows = tasks == task
    if not rows.any():
        raise ValueError(unknown("task", task, tasks.unique()))
    count = 0
    while rows.sum() > count:
        count = rows.sum()
        sharing = samples["group"].isin(samples["group"][rows])
        rows = tasks.isin(tasks[sharing])
    return samples[rows]


def split_by_group(
    frame: pd.DataFrame,
    *,
    fractions: tuple[float, ...] = FRACTIONS,
    seed: int,
    kept: Mapping[str, str] | None = None,
) -> pd.Series[str]:
    """Put every group in one split, so that each class comes as near to the fractions as it can.

    Groups that keep a split stay there. If there are none, groups with the same share of the same
    classes are dealt out in proportion. The remainders, groups unlike any other, and all that join
    kept ones follow one by one, the largest first. Each goes where it brings the fractions nearest.
    Simulated annealing then improves on where groups of several classes went.

    A class with fewer groups than splits has no influence on the others. Its groups get a split
    each, and `check_index` refuses it.

    Args:
        frame: Columns `task`, `class` and `group`; the order of the rows does not matter.
        fractions: Shares of training, validation and, if wanted, test: positive, summing to 1.
        seed: Decides ties and which of several like groups goes where.
        kept: The split of each group that has had one; groups that are not in the frame may be
            among them.

    Returns:
        The split of each row, under the frame's own index.

    Raises:
        ValueError: If the fractions are no shares or a group keeps a split that there is not.
    """
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions {fractions} are not positive shares that sum to 1")
    classes, names = _codes(frame["class"] + " of task " + frame["task"].astype(str))
    groups, group_names = _codes(frame["group"])
    counts = np.zeros((len(group_names), len(names)))
    np.add.at(counts, (groups, classes), 1)
    places = _kept_places(group_names, kept or {}, SPLITS[: len(fractions)])
    places = deal(counts, places, np.array(fractions), np.random.default_rng(seed))
    return pd.Series(np.array(SPLITS)[places[groups]], index=frame.index, name="split")


def _codes(values: pd.Series[str]) -> tuple[Places, list[str]]:
    """Give distinct values numbers in sorted order: the order of rows does not matter."""
    names, codes = np.unique(values.to_numpy(dtype=str), return_inverse=True)
    return codes.astype(np.int64), [str(name) for name in names]


def _kept_places(groups: list[str], kept: Mapping[str, str], splits: Sequence[str]) -> Places:
    """Return the position of each group's split among `splits`, or `NOWHERE`."""
    places = np.full(len(groups), NOWHERE)
    for position, group in enumerate(groups):
        if group in kept:
            if kept[group] not in splits:
                raise ValueError(
                    f"group {group} cannot keep split {kept[group]!r}: the splits are "
                    f"{', '.join(splits)}"
                )
            places[position] = splits.index(kept[group])
    return places
