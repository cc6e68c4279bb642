"""The masked weights of a body as flat vectors: values, owners, and which weights a task picks.

Owner 0 means free; owner p means the p-th task that the network learned. What the newest task owns
lives in the parameter `own`. What all earlier tasks own lives in the buffer `frozen`, out of every
optimiser's reach: neither momentum nor weight decay can move what is not in the parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from crossback_core.model.effective import Effective
from crossback_core.model.flat import Layout, detached, with_block
from crossback_core.model.packing import pack_owners, pack_picks, unpack_owners, unpack_picks

FREE = 0


class Shares(NamedTuple):
    """How the masked weights are shared out, in fractions of all of them."""

    owned: float
    picked: float
    free: float


class Counts(NamedTuple):
    """How many weights of a parameter a task owns and picks, how many are free, and of how many."""

    owned: int
    picked: int
    free: int
    total: int


class MaskedWeights(nn.Module):
    """Weights that tasks own, one by one, and pick from earlier tasks.

    Args:
        values: By parameter; those that the first task starts with.

    Attributes:
        newest: Position of the task that may be trained (0: none yet).
    """

    own: nn.Parameter
    frozen: Tensor
    owner: Tensor
    _pickable: Tensor

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._layout = Layout.of(values)
        own = self._layout.flat(values)
        self.newest = 0
        self.own = nn.Parameter(own)
        self.register_buffer("frozen", torch.zeros_like(own))
        self.register_buffer("owner", torch.zeros_like(own, dtype=torch.uint8))
        self.scores: nn.Parameter | None = None  # of the weights at `_pickable`
        self.register_buffer("_pickable", torch.zeros(0, dtype=torch.int64))
        self.threshold = 0.0

    def start_picking(self, *, initial: float, threshold: float) -> nn.Parameter:
        """Make the newest task's pick mask learnable, with every earlier weight picked at first.

        Args:
            initial: First value of each score; above the threshold.
            threshold: A weight is picked while its score is above this.

        Returns:
            The scores to be trained, one for each weight that an earlier task owns.
        """
        if self.newest < 2:
            raise ValueError("the first task has no earlier weights to pick from")
        if initial <= threshold:
            raise ValueError(f"pick scores start at {initial}, not above threshold {threshold}")
        self._pickable = self._earlier(self.newest).nonzero().flatten()
        self.scores = nn.Parameter(self.frozen.new_full((len(self._pickable),), initial))
        self.threshold = threshold
        return self.scores

    def stop_picking(self) -> None:
        """Make the learned pick mask final."""
        if self.scores is None:
            raise ValueError("picks are not being learned: call start_picking first")
        self.get_buffer(_pick(self.newest)).copy_(self._picked(self.newest))
        self.scores = None

    def prune_to(self, sparsity: float) -> None:
        """Free the newest task's smallest weights until each parameter has the given sparsity.

        Args:
            sparsity: Fraction to be free of a parameter's weights that no earlier task owns.

        Raises:
            ValueError: It is no fraction; or weights of the task are not finite, so that none is
                the smallest.
        """
        self.check(self.newest)
        if not 0 <= sparsity <= 1:
            raise ValueError(f"sparsity {sparsity} is not from 0 to 1")
        if not self.own.data[self.owner == self.newest].isfinite().all():
            raise ValueError("the task's weights are not finite: lower the learning rate")
        parts = zip(*map(self._layout.split, (self.own.data, self.owner)), strict=True)
        for weight, owner in parts:
            mine = (owner == self.newest).flatten()
            own = int(mine.sum())
            free = int((owner == FREE).sum())
            excess = max(0, round(sparsity * (own + free)) - free)
            magnitude = weight.abs().flatten().masked_fill(~mine, math.inf)
            smallest = torch.topk(magnitude, excess, largest=False).indices
            owner.view(-1)[smallest] = FREE
            weight.view(-1)[smallest] = 0.0

    def sparsity(self) -> float:
        """Return which fraction is free of the masked weights that no earlier task owns."""
        free = self._count(FREE)
        return free / max(1, free + self._count(self.newest))

    def counts(self, position: int) -> dict[str, Counts]:
        """Return how a task has the weights of each parameter; others are an earlier task's."""
        self.check(position)
        picked = self._layout.named(self._picked(position) & self._earlier(position))
        return {
            name: Counts(
                int((owner == position).sum()),
                int(picked[name].sum()),
                int((owner == FREE).sum()),
                owner.numel(),
            )
            for name, owner in self._layout.named(self.owner).items()
        }

    def shares(self, position: int) -> Shares:
        """Return which fractions of the masked weights a task owns and picks, and which is free."""
        owned, picked, free, total = map(sum, zip(*self.counts(position).values(), strict=True))
        return Shares(owned / total, picked / total, free / total)

    def room(self) -> dict[str, float]:
        """Return how many weights per output the newest task owns, by parameter."""
        owners = self._layout.named(self.owner).items()
        return {name: int((owner == self.newest).sum()) / len(owner) for name, owner in owners}

    def change_earlier(self, change: Callable[[Tensor], Tensor]) -> None:
        """Replace what earlier tasks own, which breaks those tasks: for control experiments.

        Args:
            change: Turns the values (n,) that they own of one parameter into as many others.
        """
        held = self._earlier(self.newest)
        for values, where in zip(*map(self._layout.split, (self.frozen, held)), strict=True):
            values[where] = change(values[where])

    def draw_own(self) -> None:
        """Start what the newest task owns at random, as in layers with as many inputs."""
        own = self._layout.named(self.own.data)
        for name, inputs in self.room().items():
            if not inputs:
                raise ValueError(f"the newest task owns no weight of {name}")
            own[name].uniform_(-(inputs**-0.5), inputs**-0.5)

    def add_owner(self) -> None:
        """Freeze what the newest task owns and let a new task own every free weight."""
        if self.newest:
            self.frozen = self._merged()
            self.own.data.zero_()
        self.newest += 1
        self.owner.masked_fill_(self.owner == FREE, self.newest)
        if self.newest > 1:
            self.register_buffer(_pick(self.newest), self._earlier(self.newest))
        self.own.grad = None

    def start_own(self, values: Mapping[str, Tensor]) -> None:
        """Start what the newest task owns from other values, by parameter."""
        flat = self._layout.flat(values).to(self.own.device)
        self.own.data.copy_(torch.where(self.owner == self.newest, flat, 0.0))

    def widen(self, values: Mapping[str, Tensor]) -> None:
        """Let the newest task own what is new in wider parameters.

        Args:
            values: What the task computes with at the new width, earlier tasks' weights included.
        """
        own = dict(values)
        for name, old in self._layout.named(self.own.data).items():
            own[name] = with_block(own[name], old)
        layout = Layout.of(own)
        flags: dict[str, float] = {"frozen": 0.0, "owner": self.newest}
        flags |= {_pick(position): False for position in range(2, self.newest + 1)}
        for name, value in flags.items():
            setattr(self, name, self._layout.widened(self.get_buffer(name), layout, value))
        self.own = nn.Parameter(layout.flat(own))
        self._layout = layout

    def packed(self) -> dict[str, dict[str, Any]]:
        """Return values, owners and picks by parameter, as `unpack` takes them."""
        if self.scores is not None:
            raise ValueError("picks are still being learned: call stop_picking before saving")
        values = detached(self._layout.named(self._merged()))
        masked = {}
        for name, owner in self._layout.named(self.owner.cpu()).items():
            owners = owner.numpy()
            picks = [mask.cpu().numpy() for mask in self._picks_of(name)]
            packed = {"owner": pack_owners(owners), "picks": pack_picks(picks, owners)}
            masked[name] = {"value": values[name], **packed}
        return masked

    def unpack(self, masked: Mapping[str, Mapping[str, Any]]) -> None:
        """Take over what `packed` returned."""
        flat = self._layout.flat({name: part["value"] for name, part in masked.items()})
        for name, owner in self._layout.named(self.owner).items():
            owners = unpack_owners(masked[name]["owner"], owner.shape, tasks=self.newest)
            owner.copy_(torch.from_numpy(owners))
            picks = unpack_picks(masked[name]["picks"], owners, tasks=self.newest)
            for mask, picked in zip(self._picks_of(name), picks, strict=True):
                mask.copy_(torch.from_numpy(picked))
        self.own.data.copy_(torch.where(self.owner == self.newest, flat, 0.0))
        self.frozen.copy_(torch.where(self._earlier(self.newest), flat, 0.0))

    def effective(self) -> dict[str, Tensor]:
        """Return the weights that the newest task trains with, by parameter."""
        places = self._pickable
        if self.scores is None:
            places = (self._picked(self.newest) & self._earlier(self.newest)).nonzero().flatten()
        frozen = self.frozen.index_select(0, places)
        mine = self.owner == self.newest
        parts = Effective.apply(  # type: ignore[no-untyped-call]
            self.own, mine, frozen, places, self.scores, self.threshold, self._layout
        )
        return dict(zip(self._layout.shapes, parts, strict=True))

    def values_of(self, position: int) -> dict[str, Tensor]:
        """Return the weights that a task computes with, by parameter, at the present width."""
        held = self.own.data if position == self.newest else self.frozen
        picked = self._picked(position) & self._earlier(position)
        flat = torch.where(self.owner == position, held, torch.where(picked, self.frozen, 0.0))
        return self._layout.named(flat)

    def named(self) -> dict[str, Tensor]:
        """Return what the newest task may train, by parameter, at the present width."""
        return self._layout.named(self.own.data)

    def stored(self) -> int:
        """Return the number of weights that have an owner."""
        return int(self.owner.count_nonzero())

    def check(self, position: int) -> None:
        """Refuse a position at which there is no task."""
        if not self.newest:
            raise ValueError("the network has no task yet: call add_task")
        if not 1 <= position <= self.newest:
            raise ValueError(f"no task at position {position}; the network has {self.newest}")

    def refuse_while_picking(self) -> None:
        """Refuse what a learnable pick mask does not survive."""
        if self.scores is not None:
            raise ValueError("picks are still being learned: call stop_picking first")

    def _picked(self, position: int) -> Tensor:
        """Return a task's pick mask at the present width; the first task picks nothing."""
        mask = torch.zeros_like(self.owner, dtype=torch.bool)
        if position == 1:
            return mask
        if position == self.newest and self.scores is not None:
            return mask.index_copy_(0, self._pickable, self.scores.detach() > self.threshold)
        return self.get_buffer(_pick(position))

    def _picks_of(self, name: str) -> list[Tensor]:
        """Return the pick masks of one parameter, of all tasks but the first."""
        masks = (self.get_buffer(_pick(position)) for position in range(2, self.newest + 1))
        return [self._layout.named(mask)[name] for mask in masks]

    def _merged(self) -> Tensor:
        """Return the weights of all tasks in one vector; free ones are zero."""
        own = torch.where(self.owner == self.newest, self.own.data, self.frozen)
        return torch.where(self.owner == FREE, 0.0, own)

    def _earlier(self, position: int) -> Tensor:
        """Return where a task before that at `position` is the owner."""
        return (self.owner != FREE) & (self.owner < position)

    def _count(self, owner: int) -> int:
        return int((self.owner == owner).sum())


def _pick(position: int) -> str:
    return f"pick_{position}"
