"""Do several candidates together know more than one? Their features stacked, greedily.

The networks whose concatenated features have the least leave-one-out ridge error are taken one by
one while the error falls. The best of many pairs looks better than one network by luck alone, so
the same search is done where luck is all there is: what the first network tells of the classes is
kept, and what it leaves is permuted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossback_core.lazy import Lazy
from crossback_core.section import Text

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from crossback_core.selection import moments, ridge
else:  # planning a workflow reads records, and one of them is a stack
    torch = Lazy("torch")
    moments, ridge = (Lazy(f"crossback_core.selection.{name}") for name in ("moments", "ridge"))

NETWORKS = 3  # stacked at most
TRIED = 8  # best single candidates that are tried beside the first
SAMPLES = 500  # that are used, at most
PERMUTATIONS = 40

_SMALLEST = 1e-6  # a gain below this is rounding: a candidate beside its own copy adds none


@dataclass(frozen=True)
class Stack:
    """The candidates that together tell the classes best.

    Attributes:
        order: Candidates in the order in which they were taken; a second one only if it adds.
        r2: The leave-one-out R2 of the first, of the first two, and so on.
        second: The candidate that adds most to the first; None if there is no other.
        gain: What it adds to the R2, which may be negative; None likewise.
        p_value: How often the second of a search adds as much by luck; None likewise.
    """

    order: tuple[Text, ...]
    r2: tuple[float, ...]
    second: Text | None
    gain: float | None
    p_value: float | None


def stack(features: Mapping[str, Tensor], labels: Tensor, *, seed: int) -> Stack:
    """Take candidates greedily while the leave-one-out error of their stacked features falls.

    Each candidate's features are centred and scaled to a total variance of one. The p-value is
    that of the whole search for two. A permutation keeps the first candidate's leave-one-out
    predictions of the classes and permutes their residuals, so that a copy of the first adds as
    little as it does here; then the best single candidate is found, and the best one to add among
    its `TRIED` best. (Labels permuted as a whole leave no candidate anything to tell, and then no
    second one adds as much by luck as beside one that does.) Work is bounded: at most `SAMPLES`
    samples, drawn at random, and `NETWORKS` networks, so at most 2 candidates + `TRIED`
    (`PERMUTATIONS` + 2) decompositions.

    Source of the permutation: Freedman and Lane, "A nonstochastic interpretation of reported
    significance levels" (Journal of Business and Economic Statistics, 1983).

    Args:
        features: Of each candidate, of the same samples (n, any).
        labels: Classes of these samples (n,).
        seed: Of the samples drawn and the permutations; 32 bits.

    Raises:
        ValueError: There is no candidate.
    """
    if not features:
        raise ValueError("there is no candidate to stack: give at least one")
    search = _Search(features, labels, seed)
    first, second, gain = search.pair(0)
    if second is None:
        return Stack((first,), (search.r2((first,), 0),), None, None, None)
    null = [search.pair(draw)[2] for draw in range(1, PERMUTATIONS + 1)]
    reached = sum(each >= gain for each in null)
    order = search.order(first)
    return Stack(
        order=order,
        r2=tuple(search.r2(order[:count], 0) for count in range(1, len(order) + 1)),
        second=second,
        gain=gain,
        p_value=(1 + reached) / (1 + PERMUTATIONS),
    )


class _Search:
    """What is known of stacks of candidates, for the labels (draw 0) and for each draw of luck."""

    def __init__(self, features: Mapping[str, Tensor], labels: Tensor, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(labels), generator=random)[:SAMPLES].sort().values
        self._features = {name: _standardised(each[rows]) for name, each in features.items()}
        classes = torch.unique(labels[rows], return_inverse=True)[1]
        target = torch.nn.functional.one_hot(classes).double()
        self._known: dict[frozenset[str], list[float]] = {}
        self._targets = target[None]
        first = self._features[self._ranked(0)[0]]
        told = ridge.left_out(first, target)
        orders = ridge.permutations(len(rows), PERMUTATIONS, seed)
        self._targets = told + (target - told)[orders]
        self._known = {}

    def r2(self, names: tuple[str, ...], draw: int) -> float:
        """Return the leave-one-out R2 of a stack; all draws share a decomposition."""
        key = frozenset(names)
        if key not in self._known:
            stacked = torch.cat([self._features[name] for name in sorted(key)], dim=1)
            self._known[key] = ridge.leave_one_out(stacked, self._targets).tolist()
        return self._known[key][draw]

    def pair(self, draw: int) -> tuple[str, str | None, float]:
        """Return the best candidate, the best to add to it if any, and what that adds."""
        first, *others = self._ranked(draw)
        if not others:
            return first, None, 0.0
        second = max(others, key=lambda name: self.r2((first, name), draw))
        return first, second, self.r2((first, second), draw) - self.r2((first,), draw)

    def order(self, first: str) -> tuple[str, ...]:
        """Return the stack that starts with a candidate and grows while the R2 of the labels does.

        Of equally good candidates the one that came first is taken.
        """
        order: tuple[str, ...] = (first,)
        while len(order) < NETWORKS:
            others = [name for name in self._ranked(0) if name not in order]
            best = max(others, key=lambda name: self.r2((*order, name), 0), default=None)
            if best is None or self.r2((*order, best), 0) < self.r2(order, 0) + _SMALLEST:
                break
            order = (*order, best)
        return order

    def _ranked(self, draw: int) -> list[str]:
        """Return the best single candidates, the best first."""
        singles = sorted(self._features, key=lambda name: -self.r2((name,), draw))
        return singles[:TRIED]


def _standardised(features: Tensor) -> Tensor:
    """Centre features and scale them to a total variance of one; constant ones become zero."""
    apart = moments.centred(features.double())
    size = torch.linalg.vector_norm(apart).clamp_min(torch.finfo(apart.dtype).tiny)
    scaled: Tensor = apart * (len(apart) ** 0.5 / size)
    return scaled
