"""The memory of splits: a table per task of the split that each group of its samples was given.

A group that is in it keeps its split when samples are added, and when it was removed and comes
back: what was trained on it is never tested on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from crossback_core.data.settings import SPLITS
from crossback_core.storage.files import read_csv, write_csv

COLUMNS = ["group", "split", "drawn_by"]

_REMOVE = (
    "and run again (the splits are then drawn again, and what was built on them is trained again)"
)


def draw_name(*, fractions: Sequence[float], seed: int) -> str:
    """Say what drew a split: memories keep it as `drawn_by`.

    Args:
        fractions: Shares of training, validation and test.
        seed: Of the draw.
    """
    shares = [f"{part:.12g} {split}" for part, split in zip(fractions, SPLITS, strict=True)]
    return f"seed {seed}, {', '.join(shares)}"


def kept_splits(paths: Iterable[str | Path], drawn_by: str) -> dict[str, str]:
    """Read what splits groups have had.

    Args:
        paths: The memories of tasks that may share groups; those that do not exist are left out.
        drawn_by: What drew the splits, see `draw_name`; entries of other draws are left out.

    Returns:
        The split of each group.

    Raises:
        ValueError: If a file is damaged or two disagree about a group.
    """
    splits: dict[str, str] = {}
    origins: dict[str, str | Path] = {}
    for path in filter(_exists, paths):
        entries = _load(path)
        entries = entries[entries["drawn_by"] == drawn_by]
        for group, split in zip(entries["group"], entries["split"], strict=True):
            if splits.setdefault(group, split) != split:
                raise ValueError(
                    f"{origins[group]} has group {group} in split {splits[group]} and {path} in "
                    f"split {split} ({drawn_by}): remove one of the two files {_REMOVE}"
                )
            origins.setdefault(group, path)
    return splits


def with_joined(kept: Mapping[str, str], rows: pd.DataFrame) -> dict[str, str]:
    """Return what splits groups have had, one that was joined of others perhaps as one of them.

    Args:
        kept: From `kept_splits`.
        rows: From `DatasetKind.index`.
    """
    found = dict(kept)
    if "own_group" in rows:
        names = rows[["group", "own_group"]].drop_duplicates().sort_values("own_group")
        for group, own in names.itertuples(index=False):
            if own in kept:
                found.setdefault(group, kept[own])
    return found


def with_own_groups(
    index_rows: pd.DataFrame, rows: pd.DataFrame, kept: Mapping[str, str]
) -> pd.DataFrame:
    """Return the rows of an index, and those again by the names that groups have without links.

    A name that has, or had, a split is left to that.

    Args:
        index_rows: Rows of an index.
        rows: That it was made of.
        kept: From `kept_splits`.
    """
    if "own_group" not in rows:
        return index_rows
    names = index_rows["id"].map(rows.set_index("id")["own_group"])
    fresh = ~names.isin([*kept, *index_rows["group"]])
    return pd.concat([index_rows, index_rows.assign(group=names)[fresh]])


def remember(path: str | Path, index_rows: pd.DataFrame, drawn_by: str) -> None:
    """Add the splits of samples to a memory.

    What the file holds stays, also of groups that have no samples now and of other draws.

    Args:
        path: The memory, which need not exist.
        index_rows: Rows of an index, columns `group` and `split`.
        drawn_by: What drew the splits, see `draw_name`.

    Raises:
        ValueError: If the file is damaged or has one of the groups in another split.
    """
    entries = index_rows[["group", "split"]].assign(drawn_by=drawn_by)
    if _exists(path):
        entries = pd.concat([_load(path), entries])
    entries = entries.drop_duplicates().sort_values(["drawn_by", "group"])
    moved = entries.duplicated(["drawn_by", "group"])
    if moved.any():
        raise ValueError(
            f"group {entries['group'][moved].iloc[0]} is in another split than {path} remembers "
            f"({drawn_by}): remove {path} {_REMOVE}"
        )
    write_csv(entries[COLUMNS], path)


def _exists(path: str | Path) -> bool:
    return Path(path).exists()


def _load(path: str | Path) -> pd.DataFrame:
    """Read a memory and check it."""
    entries = read_csv(path, as_text=True)
    problem = _problem(entries)
    if problem:
        raise ValueError(f"{path} is not a sound memory of splits ({problem}): remove it {_REMOVE}")
    return entries


def _problem(entries: pd.DataFrame) -> str:
    """Say what is wrong with a memory, or nothing."""
    if list(entries.columns) != COLUMNS:
        return f"its columns are {', '.join(entries.columns)}, not {', '.join(COLUMNS)}"
    for name in COLUMNS:
        if (entries[name] == "").any():
            return f"row {int((entries[name] == '').argmax())} has no {name}"
    others = entries[~entries["split"].isin(SPLITS)]
    if len(others):
        return f"split {others['split'].iloc[0]!r} is not one of {', '.join(SPLITS)}"
    twice = entries.duplicated(["group", "drawn_by"])
    if twice.any():
        return f"group {entries['group'][twice].iloc[0]} is listed more than once"
    return ""
