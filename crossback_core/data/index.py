"""The index: one row per sample of a data set, with the split that its group belongs to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from crossback_core.data.modalities import MODALITIES
from crossback_core.data.settings import SPLITS
from crossback_core.section import unknown
from crossback_core.storage.files import read_csv, write_csv

COLUMNS = ["id", "task", "class", "modality", "split", "group", "source"]
FRACTIONS = (0.6, 0.2, 0.2)

_HOT = 0.5  # temperatures, in mean squared sizes of a group
_COLD = 0.005
_STEPS_PER_GROUP = 2000
_MOST_STEPS = 250_000

_Floats = npt.NDArray[np.float64]
_Places = npt.NDArray[np.int64]


def add_splits(
    samples: pd.DataFrame, *, fractions: tuple[float, float, float] = FRACTIONS, seed: int
) -> pd.DataFrame:
    """Make the index of a data set from its samples.

    Args:
        samples: The columns of an index but for `split`, and perhaps `part`: the split of each
            sample; or "test" for some, then the others are split into training and validation,
            and validation keeps its share of all samples.
        fractions: Shares of training, validation and test, positive and summing to 1.
        seed: Decides which of the equally good splits is taken.

    Returns:
        The index: `COLUMNS`, rows in the order given.

    Raises:
        ValueError: If the samples are not sound or a class cannot be split.
    """
    check_samples(samples)
    if "part" in samples:
        split = _split_rest(samples, fractions[1], seed)
    else:
        split = split_by_group(samples, fractions=fractions, seed=seed)
    index = samples.assign(split=split)[COLUMNS]
    check_index(index)
    return index


def _split_rest(samples: pd.DataFrame, validation: float, seed: int) -> pd.Series[str]:
    """Keep the parts as they are, and split the other samples into training and validation."""
    if samples["part"].isin(SPLITS).all():
        return samples["part"]
    rest = samples[samples["part"] != "test"]
    share = validation * len(samples) / max(len(rest), 1)
    split = split_by_group(rest, fractions=(1 - share, share), seed=seed)
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
        index = index.astype({"task": int})
        check_index(index)
    except (ValueError, KeyError, OverflowError) as error:
        raise ValueError(
            f"{path} is not a sound index ({error}): remove it and run again"
        ) from error
    return index[COLUMNS]


def check_samples(samples: pd.DataFrame) -> None:
    """Refuse missing columns and blank or repeated values."""
    missing = [name for name in COLUMNS if name not in samples.columns and name != "split"]
    if missing or samples.empty:
        raise ValueError(f"{len(samples)} samples, missing columns: {', '.join(missing) or 'none'}")
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
    _check_unique(index, "group", "split")
    splits = index.groupby(["task", "class"])["split"].nunique()
    if splits.min() < len(SPLITS):
        task, name = splits.index[int(splits.argmin())]
        raise ValueError(f"class {name} of task {task} has no sample in one of the splits")


def _check_unique(frame: pd.DataFrame, of: str, name: str) -> None:
    """Refuse a group or task with two values in one column."""
    values = frame.groupby(of)[name].nunique()
    if values.max() > 1:
        raise ValueError(f"{of} {values.idxmax()} has more than one {name}")


def split_by_group(
    frame: pd.DataFrame, *, fractions: tuple[float, ...] = FRACTIONS, seed: int
) -> pd.Series[str]:
    """Put every group in one split, so that each class comes as near to the fractions as it can.

    Groups with the same share of the same classes are dealt out in proportion. The remainders, and
    groups unlike any other, follow one by one, the largest first. Each goes where it brings the
    fractions nearest. Simulated annealing then improves on that.

    Args:
        frame: Columns `task`, `class` and `group`; the order of the rows does not matter.
        fractions: Shares of training, validation and, if wanted, test: positive, summing to 1.
        seed: Decides ties and which of several like groups goes where.

    Returns:
        The split of each row, under the frame's own index.

    Raises:
        ValueError: If a class has too few groups for the splits, or the fractions are no shares.
    """
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions {fractions} are not positive shares that sum to 1")
    classes, names = _codes(frame["class"] + " of task " + frame["task"].astype(str))
    groups, _ = _codes(frame["group"])
    counts = np.zeros((groups.max() + 1, len(names)))
    np.add.at(counts, (groups, classes), 1)
    _check_groups(counts, names, len(fractions))
    deal = _Deal(counts / counts.sum(axis=0), np.array(fractions))
    deal.run(np.random.default_rng(seed))
    deal.fill_empty(names)
    return pd.Series(np.array(SPLITS)[deal.places[groups]], index=frame.index, name="split")


def _codes(values: pd.Series[str]) -> tuple[_Places, list[str]]:
    """Give distinct values numbers in sorted order: the order of rows does not matter."""
    names, codes = np.unique(values.to_numpy(dtype=str), return_inverse=True)
    return codes.astype(np.int64), [str(name) for name in names]


def _check_groups(counts: _Floats, names: list[str], splits: int) -> None:
    for name, groups in zip(names, (counts > 0).sum(axis=0), strict=True):
        if groups < splits:
            raise ValueError(
                f"class {name} has {groups} group(s) of samples, {splits} splits need at least "
                f"{splits}: leave the class out or give it more samples"
            )


class _Deal:
    """Groups dealt to splits, and how far each class is from its fractions.

    Args:
        shares: What part of each class each group holds (groups, classes).
        fractions: The wanted part of each split (splits,), the first ones of SPLITS.
    """

    def __init__(self, shares: _Floats, fractions: _Floats) -> None:
        self.shares = shares
        self.fractions = fractions
        self.places: _Places = np.full(len(shares), -1)  # the split of each group, -1 = none yet
        self.excess: _Floats = np.tile(-fractions[:, None], shares.shape[1])  # (splits, classes)

    def run(self, random: np.random.Generator) -> None:
        """Deal all groups out."""
        self._deal_alike(random)
        rest = np.flatnonzero(self.places < 0)
        single = (self.shares[rest] > 0).sum(axis=1) == 1
        self._deal_nearest(rest[~single], random)
        self._anneal(rest[~single], random)
        # Last, since a group of one class makes up for what the others left uneven in it.
        self._deal_nearest(rest[single], random)

    def _deal_nearest(self, groups: _Places, random: np.random.Generator) -> None:
        """Put each group, the largest first, where it brings the fractions nearest."""
        groups = random.permutation(groups)
        # The stable sort keeps the random order of groups of one size.
        groups = groups[np.argsort(-self.shares[groups].sum(axis=1).round(9), kind="stable")]
        for group in groups:
            # Rounded, so that ties are ties on every processor.
            self._put(group, int(np.argmin((self.excess @ self.shares[group]).round(9))))

    def _put(self, groups: int | _Places, split: int) -> None:
        """Put groups that have no split yet into one."""
        self.places[groups] = split
        self.excess[split] += np.atleast_2d(self.shares[groups]).sum(axis=0)

    def _deal_alike(self, random: np.random.Generator) -> None:
        """Deal groups of one profile out in proportion; leave the remainder."""
        profiles = np.unique(self.shares, axis=0, return_inverse=True)[1].reshape(-1)
        order = random.permutation(len(profiles))
        order = order[np.argsort(profiles[order], kind="stable")]
        for alike in np.split(order, np.flatnonzero(np.diff(profiles[order])) + 1):
            ends = np.cumsum(np.floor(self.fractions * len(alike) + 1e-9).astype(int))
            for split, part in enumerate(np.split(alike, ends)[: len(self.fractions)]):
                self._put(part, split)

    def _anneal(self, groups: _Places, random: np.random.Generator) -> None:
        """Lower the sum of squared excesses by simulated annealing: moves and swaps of groups.

        Temperatures and numbers of steps are those that served the icon sets best in a second.
        """
        if len(groups) == 0:
            return
        steps = min(_MOST_STEPS, _STEPS_PER_GROUP * len(groups))
        unit = (self.shares[groups] ** 2).sum(axis=1).mean()
        # To accept what costs more with probability exp(-cost / temperature) is to draw this bound.
        bounds = np.geomspace(_HOT * unit, _COLD * unit, steps) * random.exponential(size=steps)
        pairs = random.choice(groups, size=(steps, 2)).tolist()
        turns = random.integers(0, 2 * len(self.fractions), size=steps).tolist()
        for (group, other), turn, bound in zip(pairs, turns, bounds.tolist(), strict=True):
            if turn < len(self.fractions):
                self._move(group, None, turn, bound)
            else:
                self._move(group, other, self.places[other], bound)

    def _move(self, group: int, other: int | None, split: int, bound: float) -> None:
        """Move a group to a split, perhaps in exchange for another, if the cost stays in bounds."""
        start = self.places[group]
        if start == split:
            return
        step = self.shares[group] - (0 if other is None else self.shares[other])
        if 2 * step @ (self.excess[split] - self.excess[start] + step) < bound:
            self.excess[start] -= step
            self.excess[split] += step
            self.places[group] = split
            if other is not None:
                self.places[other] = start

    def fill_empty(self, names: list[str]) -> None:
        """Move groups so that each class has one in every split, however small its share.

        Args:
            names: The classes' names, for the message.

        Raises:
            ValueError: If no group of a class can go without leaving another class short.
        """
        present = self.shares > 0
        held = np.stack(
            [present[self.places == place].sum(axis=0) for place in range(len(self.fractions))]
        )
        for split, column in np.argwhere(held == 0):
            if held[split, column] > 0:
                continue  # filled meanwhile, by a group that went there for another class
            group = self._spare_group(column, split, held)
            if group is None:
                raise ValueError(
                    f"class {names[column]} shares its groups with other classes in such a way "
                    f"that split {SPLITS[split]} cannot have a sample of it: leave the class out"
                )
            held[self.places[group]] -= present[group]
            held[split] += present[group]
            self._move(group, None, split, np.inf)

    def _spare_group(self, column: int, split: int, held: _Places) -> int | None:
        """Return the group of a class that costs least to move to a split, if any can go.

        Args:
            column: The class.
            split: Where it has no group.
            held: How many groups of each class each split has (splits, classes).
        """
        groups = np.flatnonzero(self.shares[:, column])
        # Every class that such a group has must stay in the split that the group leaves.
        stays = [(held[self.places[g], self.shares[g] > 0] > 1).all() for g in groups]
        groups = groups[np.array(stays)]
        if len(groups) == 0:
            return None
        pull = self.excess[split] - self.excess[self.places[groups]]  # (groups, classes)
        costs = (self.shares[groups] * (pull + self.shares[groups])).sum(axis=1)
        return int(groups[np.argmin(costs.round(9))])
