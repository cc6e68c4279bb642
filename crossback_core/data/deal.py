"""Deal groups of samples to splits, so that each class comes as near to its fractions as it can."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_HOT = 0.5  # temperatures, in mean squared sizes of a group
_COLD = 0.005
_STEPS_PER_GROUP = 2000
_MOST_STEPS = 250_000

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
NOWHERE = -1  # the place of a group that has no split yet


def deal(counts: Floats, places: Places, fractions: Floats, random: np.random.Generator) -> Places:
    """Give each group that has no split yet one.

    Classes with fewer groups than there are splits come last: nothing that they hold changes how
    the groups of other classes are dealt.

    Args:
        counts: Samples of each class in each group (groups, classes), each group with some.
        places: The split of each group that has one, a position in `fractions`, else `NOWHERE`.
        fractions: The wanted part of each split (splits,).
        random: Decides ties and which of several like groups goes where.

    Returns:
        The split of each group (groups,).
    """
    places = places.copy()
    small = (counts > 0).sum(axis=0) < len(fractions)
    for classes in (~small, small):
        groups = np.flatnonzero(counts[:, classes].any(axis=1))
        if len(groups):
            part = _Deal(counts[groups][:, classes], places[groups], fractions)
            part.run(random)
            places[groups] = part.places
    return places


class _Deal:
    """Groups dealt to splits, and how far each class is from its fractions.

    Args:
        counts: Samples of each class in each group (groups, classes).
        places: The split of each group that keeps its own, else `NOWHERE`.
        fractions: The wanted part of each split (splits,).
    """

    def __init__(self, counts: Floats, places: Places, fractions: Floats) -> None:
        # What part of each class each group holds (groups, classes). The layout in memory is fixed,
        # since sums are rounded in its order.
        self.shares: Floats = np.ascontiguousarray(counts / counts.sum(axis=0))
        self.fractions = fractions
        self.kept = places != NOWHERE
        self.places: Places = np.full(len(counts), NOWHERE)
        self.excess: Floats = np.tile(-fractions[:, None], counts.shape[1])  # (splits, classes)
        for split in range(len(fractions)):
            self._put(np.flatnonzero(places == split), split)

    def run(self, random: np.random.Generator) -> None:
        """Deal out all groups that keep no split."""
        if not self.kept.any():
            self._deal_alike(random)
        rest = np.flatnonzero(self.places == NOWHERE)
        single = (self.shares[rest] > 0).sum(axis=1) == 1
        self._deal_nearest(rest[~single], random)
        self._anneal(rest[~single], random)
        # Last, since a group of one class makes up for what the others left uneven in it.
        self._deal_nearest(rest[single], random)
        self._fill_empty()

    def _deal_nearest(self, groups: Places, random: np.random.Generator) -> None:
        """Put each group, the largest first, where it brings the fractions nearest."""
        groups = random.permutation(groups)
        # The stable sort keeps the random order of groups of one size.
        groups = groups[np.argsort(-self.shares[groups].sum(axis=1).round(9), kind="stable")]
        for group in groups:
            # Rounded, so that ties are ties on every processor.
            self._put(group, int(np.argmin((self.excess @ self.shares[group]).round(9))))

    def _put(self, groups: int | Places, split: int) -> None:
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

    def _anneal(self, groups: Places, random: np.random.Generator) -> None:
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

    def _fill_empty(self) -> None:
        """Move groups so that each class has one in every split, however small its share.

        A class stays without a split if none of its groups can go there: because they keep theirs,
        or another class would be left short.
        """
        present = self.shares > 0
        held = np.stack(
            [present[self.places == place].sum(axis=0) for place in range(len(self.fractions))]
        )
        for split, column in np.argwhere(held == 0):
            if held[split, column] > 0:
                continue  # filled meanwhile, by a group that went there for another class
            group = self._spare_group(column, split, held)
            if group is not None:
                held[self.places[group]] -= present[group]
                held[split] += present[group]
                self._move(group, None, split, np.inf)

    def _spare_group(self, column: int, split: int, held: Places) -> int | None:
        """Return the group of a class that costs least to move to a split, if any can go.

        Args:
            column: The class.
            split: Where it has no group.
            held: How many groups of each class each split has (splits, classes).
        """
        groups = np.flatnonzero((self.shares[:, column] > 0) & ~self.kept)
        # Every class that such a group has must stay in the split that the group leaves.
        stays = [(held[self.places[g], self.shares[g] > 0] > 1).all() for g in groups]
        groups = groups[np.array(stays, dtype=bool)]
        if len(groups) == 0:
            return None
        pull = self.excess[split] - self.excess[self.places[groups]]  # (groups, classes)
        costs = (self.shares[groups] * (pull + self.shares[groups])).sum(axis=1)
        return int(groups[np.argmin(costs.round(9))])
