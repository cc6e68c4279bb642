"""What a target sees of one candidate: all that a score is computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.nn.functional import one_hot

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class View:
    """A candidate as a target sees it; tensors are float64 and on the CPU, labels int64.

    Features are what a network's head is given. The candidate reads the target's input as the swap
    will have it. Nothing here is of the test split.

    Attributes:
        features: The candidate's features of the target's training samples (n, dim).
        labels: Classes of these samples (n,).
        own_features: The target's own baseline's features of the same samples (n, any).
        probabilities: The candidate's own classes' probabilities for these samples (n, classes).
        held_out: The candidate's features of the target's validation samples (m, dim).
        held_out_labels: Classes of these samples (m,).
        drawn: Outputs (2p, classes) of the target's and the candidate's network on p pairs of
            probes as drawn; rows i and i + p are a pair.
        mutated: The same on the mutated probes.
        accuracy: Validation accuracy of the candidate on its own task.
        blocks: What each block of the candidate's body leaves of the training samples, averaged
            over its latents (n, any).
        shuffled: Views of the same candidate whose body's weights are shuffled, several times;
            the target, the input and the head are the same.
        seed: Of scores that draw at random; the same for all candidates of a target.
    """

    features: Tensor
    labels: Tensor
    own_features: Tensor
    probabilities: Tensor
    held_out: Tensor
    held_out_labels: Tensor
    drawn: tuple[Tensor, Tensor]
    mutated: tuple[Tensor, Tensor]
    accuracy: float
    blocks: tuple[Tensor, ...]
    shuffled: tuple[View, ...]
    seed: int
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no score is defined for."""
        for values, labels in (
            (self.features, self.labels),
            (self.own_features, self.labels),
            (self.probabilities, self.labels),
            (self.held_out, self.held_out_labels),
            *((block, self.labels) for block in self.blocks),
        ):
            if values.ndim != 2 or len(values) != len(labels):
                raise ValueError(
                    f"{len(labels)} labels want ({len(labels)}, any) values, not "
                    f"{tuple(values.shape)}"
                )
            if not bool(values.isfinite().all()):
                raise ValueError(
                    "a network's features hold NaN or infinity: it cannot be scored; train it "
                    "again, for instance with a lower learning rate"
                )
        if len(self.classes) < 2:
            raise ValueError(
                "all training samples of the target are of one class: no candidate can be scored; "
                "give it samples of two classes or more"
            )

    @cached_property
    def classes(self) -> Tensor:
        """The classes that occur in the training samples, ascending (k,)."""
        return torch.bincount(self.labels).nonzero().flatten()

    @cached_property
    def positions(self) -> Tensor:
        """Position of each training sample's class in `classes` (n,)."""
        return torch.searchsorted(self.classes, self.labels)

    @cached_property
    def memberships(self) -> Tensor:
        """One where a training sample is of a class (n, k), else zero."""
        return one_hot(self.positions, len(self.classes)).to(self.features.dtype)

    @cached_property
    def counts(self) -> Tensor:
        """Training samples of each class (k,)."""
        return self.memberships.sum(dim=0)

    @cached_property
    def at_blocks(self) -> tuple[View, ...]:
        """The same candidate with the features of each of its blocks in turn.

        They are for scores of the training samples' features alone.
        """
        return tuple(replace(self, features=block, blocks=(), shuffled=()) for block in self.blocks)

    def once(self, name: str, compute: Callable[[View], _T]) -> _T:
        """Return what is computed of this view, from memory if it was asked for before.

        Args:
            name: Of what is computed.
            compute: Computes it.
        """
        if name not in self._known:
            self._known[name] = compute(self)
        return cast(_T, self._known[name])
