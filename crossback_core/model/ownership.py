"""The contract of continual learning: who owns a weight, and which task computes with it.

Every masked weight of a body has an owner. Owner 0 means free; owner p means the p-th task that
the network learned. A task computes with the weights it owns plus those weights of earlier tasks
that its pick mask lets through (PackNet: Mallya and Lazebnik, CVPR 2018; Piggyback: Mallya et al.,
ECCV 2018; CPG: Hung et al., NeurIPS 2019). Of the parameters that no mask covers, each task has a
copy, or they are fixed.

Only the newest task is ever trained. What it owns lives in the parameter `own`; what all earlier
tasks own lives in the buffer `frozen`, out of every optimiser's reach. So neither momentum nor
weight decay can move an earlier task's weight: it is not in the parameter.

No other file looks at a network's owners, frozen values or picks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from crossback_core.model.body import Body, Kind, classified, named_tensors
from crossback_core.model.effective import Effective
from crossback_core.model.flat import (
    Layout,
    Values,
    block,
    check_fit,
    copy_all,
    detached,
    freeze_all_but_last,
    has_block,
    replacing,
    with_block,
)
from crossback_core.model.packing import pack_owners, pack_picks, unpack_owners, unpack_picks

FREE = 0
MAX_TASKS = 255  # owners are stored as one byte


class Shares(NamedTuple):
    """How the masked weights are shared out, in fractions of all of them."""

    owned: float
    picked: float
    free: float


class Ownership(nn.Module):
    """The weights of a body, owned by tasks.

    Args:
        body: What all tasks share; its values are those that the first task starts with.

    Raises:
        ValueError: The body does not classify all it has (see `Body.kinds`).
    """

    own: nn.Parameter
    frozen: Tensor
    owner: Tensor
    _pickable: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._kinds: Mapping[str, Kind] = classified(body)
        # Structure alone, one for each task; values are swapped in. In a list, so that it is no
        # submodule: its tensors are no state.
        self._bodies = [_structure(body)]
        self._layout = self._layout_of(body)
        self._initial = {n: with_block(t, t) for n, t in self._of_kind(body, "per_task").items()}
        own = self._layout.flat(self._of_kind(body, "masked"))
        self.own = nn.Parameter(own)
        self.register_buffer("frozen", torch.zeros_like(own))
        self.register_buffer("owner", torch.zeros_like(own, dtype=torch.uint8))
        self.scores: nn.Parameter | None = None  # of the weights at `_pickable`
        self.register_buffer("_pickable", torch.zeros(0, dtype=torch.int64))
        self.threshold = 0.0
        self.fixed = Values({n: t.detach() for n, t in self._of_kind(body, "fixed").items()})
        self.copies = nn.ModuleList()

    @property
    def body(self) -> Body:
        """The body as the newest task has it: structure without values."""
        return self._bodies[-1]

    @property
    def newest(self) -> int:
        """Position of the task that may be trained (0: none yet)."""
        return len(self.copies)

    def train(self, mode: bool = True) -> Ownership:
        """Set the mode of the body as well."""
        self.body.train(mode)
        return super().train(mode)

    def add_task(self, like: int | None = None) -> None:
        """Freeze what the newest task owns and give every free weight to a new task.

        The first task starts from the body's values; a later one starts its weights at zero, so
        that it begins exactly as the weights it picks.

        Args:
            like: Position of the task whose copies the new task starts from; the newest if None.
                What a narrower one lacks is the newest's.
        """
        if self.newest == MAX_TASKS:
            raise ValueError(f"a network holds at most {MAX_TASKS} tasks; it has {self.newest}")
        self._refuse_while_picking()
        copies, self._initial = self._initial, {}
        if self.newest:
            like = self.newest if like is None else like
            self._check(like)
            copies, given = self._copies(self.newest), self._copies(like)
            copies = {name: with_block(copies[name], given[name]) for name in copies}
            self.frozen = self._merged()
            self.own.data.zero_()
            self._bodies.append(deepcopy(self.body))
        self.copies.append(Values(copies).to(self.own.device))
        self.owner.masked_fill_(self.owner == FREE, self.newest)
        if self.newest > 1:
            self.register_buffer(_pick(self.newest), self._earlier(self.newest))
        self.own.grad = None
        freeze_all_but_last(self.copies)

    def start_from(self, other: Ownership) -> None:
        """Start what the newest task owns, and its copies, from another network's newest task.

        Args:
            other: Of the same body and width.
        """
        values = other._values(other.newest)
        flat = self._layout.flat(values).to(self.own.device)
        self.own.data.copy_(torch.where(self.owner == self.newest, flat, 0.0))
        copy_all(self._copies(self.newest), values)

    def trained(self) -> Iterator[nn.Parameter]:
        """Yield what the newest task trains, pick scores aside."""
        yield self.own
        yield from self.copied()

    def copied(self) -> Iterator[nn.Parameter]:
        """Yield the newest task's copies of the parameters that no mask covers."""
        self._check(self.newest)
        yield from self.copies[-1].parameters()

    def forward(self, read: Any) -> Tensor:
        """Compute the newest task's features, to train it; `settled` is for all else.

        The body is lent the effective weights, so one thread at a time may be in here.

        Args:
            read: What the task's input made, as `Body.forward` takes it.

        Returns:
            (batch, features)

        Raises:
            ValueError: Training changed what is fixed for all tasks, which are now damaged.
        """
        self._check(self.newest)
        own, fixed = self._copies(self.newest), self.fixed.named()
        versions = {name: tensor._version for name, tensor in fixed.items()}
        values = self._effective() | own | fixed
        features: Tensor = functional_call(self.body, values, (read,), strict=True)
        for name, tensor in own.items():
            if values[name] is not tensor:  # a buffer that the body replaced
                tensor.copy_(values[name])
        for name, tensor in fixed.items():
            if values[name] is not tensor or tensor._version != versions[name]:
                raise ValueError(
                    f"{name} of body {self.body.name} is fixed, but training changed it for all"
                    " tasks: its kind must be per_task; load the network again"
                )
        return features

    def settled(self, position: int) -> Body:
        """Return a task's body as a plain module with values of its own, in evaluation mode.

        Any number of threads may settle tasks, but not while another one trains.

        Args:
            position: 1 for the first task learned, and so on.
        """
        structure, values = self._body(position), self._values(position)
        return deepcopy(structure, replacing(structure, values)).eval().requires_grad_(False)

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
            sparsity: Fraction of a parameter's weights, of those no earlier task owns, to be free.

        Raises:
            ValueError: It is no fraction, or weights of the task are not finite, so that none is
                the smallest.
        """
        self._check(self.newest)
        if not 0 <= sparsity <= 1:
            raise ValueError(f"sparsity {sparsity} is not from 0 to 1")
        if not self.own.data[self.owner == self.newest].isfinite().all():
            raise ValueError("the task's weights are not finite: lower the learning rate")
        parts = zip(*map(self._layout.split, (self.own.data, self.owner)), strict=True)
        for weight, owner in parts:
            mine = (owner == self.newest).flatten()
            own, free = int(mine.sum()), int((owner == FREE).sum())
            excess = max(0, round(sparsity * (own + free)) - free)
            magnitude = weight.abs().flatten().masked_fill(~mine, math.inf)
            smallest = torch.topk(magnitude, excess, largest=False).indices
            owner.view(-1)[smallest] = FREE
            weight.view(-1)[smallest] = 0.0

    def sparsity(self) -> float:
        """Return the fraction of the masked weights, of those no earlier task owns, now free."""
        free = self._count(FREE)
        return free / max(1, free + self._count(self.newest))

    def grow(self, width: float) -> None:
        """Widen the body for the newest task; earlier tasks keep their top-left block.

        Args:
            width: As of `Body.grown`.
        """
        self._check(self.newest)
        self._refuse_while_picking()
        before = self.settled(self.newest)
        grown = before.grown(width).to(self.own.device)
        self._check_growth(before, grown)
        layout, own = self._layout_of(grown), self._of_kind(grown, "masked")
        # `grown` holds what the task computes with, earlier tasks' weights included
        for name, old in self._layout.named(self.own.data).items():
            own[name] = with_block(own[name], old)
        flags: dict[str, float] = {"frozen": 0.0, "owner": self.newest}
        flags |= {_pick(position): False for position in range(2, self.newest + 1)}
        for name, value in flags.items():
            setattr(self, name, self._layout.widened(self.get_buffer(name), layout, value))
        self.own = nn.Parameter(layout.flat(own))
        self.copies[-1] = Values(self._of_kind(grown, "per_task"))
        self._layout, self._bodies[-1] = layout, _structure(grown).train(self.training)

    def shares(self, position: int) -> Shares:
        """Return which part of the masked weights a task owns and picks, and which is free."""
        self._check(position)
        picked = int((self._picked(position) & self._earlier(position)).sum())
        total = self.owner.numel()
        return Shares(self._count(position) / total, picked / total, self._count(FREE) / total)

    def stored(self) -> int:
        """Return the number of weights that any task owns, plus that of all that no mask covers."""
        owned, others = self.owner.numel() - self._count(FREE), (self.copies, self.fixed)
        return owned + sum(tensor.numel() for each in others for _, tensor in named_tensors(each))

    def room(self) -> dict[str, float]:
        """Return how many weights for each output the newest task owns, by parameter."""
        owners = self._layout.named(self.owner).items()
        return {name: int((owner == self.newest).sum()) / len(owner) for name, owner in owners}

    def change_earlier(self, change: Callable[[Tensor], Tensor]) -> None:
        """Replace what earlier tasks own: for controls, since those tasks are then broken.

        Args:
            change: Turns the values (n,) that they own of one parameter into as many others.
        """
        held = self._earlier(self.newest)
        for values, where in zip(*map(self._layout.split, (self.frozen, held)), strict=True):
            values[where] = change(values[where])

    def draw_own(self) -> None:
        """Start what the newest task owns at random, as layers of as many inputs as it owns."""
        own = self._layout.named(self.own.data)
        for name, inputs in self.room().items():
            if not inputs:
                raise ValueError(f"the newest task owns no weight of {name}")
            own[name].uniform_(-(inputs**-0.5), inputs**-0.5)

    def packed(self) -> dict[str, Any]:
        """Return all values as tensors and plain values, as `unpack` takes them."""
        if self.scores is not None:
            raise ValueError("picks are still being learned: call stop_picking before saving")
        values = detached(self._layout.named(self._merged()))
        masked = {}
        for name, owner in self._layout.named(self.owner.cpu()).items():
            owners, picks = owner.numpy(), [mask.cpu().numpy() for mask in self._picks_of(name)]
            packed = {"owner": pack_owners(owners), "picks": pack_picks(picks, owners)}
            masked[name] = {"value": values[name], **packed}
        copies = [detached(self._copies(position + 1)) for position in range(self.newest)]
        return {"masked": masked, "copies": copies, "fixed": detached(self.fixed.named())}

    def check_packed(self, packed: Mapping[str, Any]) -> None:
        """Refuse values that do not fit the body and its tasks.

        Raises:
            ValueError: What does not fit, by name.
        """
        masked, copies = packed["masked"], packed["copies"]
        values = {name: part["value"] for name, part in masked.items()}
        check_fit(self._layout.named(self.own.data), values)
        check_fit(self.fixed.named(), packed["fixed"], path="fixed.")
        if len(copies) != self.newest:
            raise ValueError(f"copies of {len(copies)} tasks, the network has {self.newest}")
        for position, given in enumerate(copies, start=1):
            check_fit(self._copies(position), given, path=f"copies.{position}.")

    def unpack(self, packed: Mapping[str, Any]) -> None:
        """Take over the values of a network of the same body and as many tasks of the same widths.

        Args:
            packed: What `packed` returned.

        Raises:
            ValueError: As of `check_packed`; owners or picks do not fit.
        """
        self.check_packed(packed)
        masked, tasks = packed["masked"], self.newest
        flat = self._layout.flat({name: part["value"] for name, part in masked.items()})
        for name, owner in self._layout.named(self.owner).items():
            owners = unpack_owners(masked[name]["owner"], owner.shape, tasks=tasks)
            owner.copy_(torch.from_numpy(owners))
            picks = unpack_picks(masked[name]["picks"], owners, tasks=tasks)
            for mask, picked in zip(self._picks_of(name), picks, strict=True):
                mask.copy_(torch.from_numpy(picked))
        self.own.data.copy_(torch.where(self.owner == tasks, flat, 0.0))
        self.frozen.copy_(torch.where(self._earlier(tasks), flat, 0.0))
        copy_all(self.fixed.named(), packed["fixed"])
        for position, copies in enumerate(packed["copies"], start=1):
            copy_all(self._copies(position), copies)

    def _effective(self) -> dict[str, Tensor]:
        """Weights that the newest task trains with, by parameter."""
        places = self._pickable
        if self.scores is None:
            places = (self._picked(self.newest) & self._earlier(self.newest)).nonzero().flatten()
        frozen, mine = self.frozen.index_select(0, places), self.owner == self.newest
        parts = Effective.apply(  # type: ignore[no-untyped-call]
            self.own, mine, frozen, places, self.scores, self.threshold, self._layout
        )
        return dict(zip(self._layout.shapes, parts, strict=True))

    def _values(self, position: int) -> dict[str, Tensor]:
        """Every value of a task's body, at the task's own width."""
        held = self.own.data if position == self.newest else self.frozen
        picked = self._picked(position) & self._earlier(position)
        flat = torch.where(self.owner == position, held, torch.where(picked, self.frozen, 0.0))
        whole = self._layout.named(flat)
        shapes = self._layout_of(self._body(position)).shapes
        masked = {name: block(whole[name], shape) for name, shape in shapes.items()}
        return masked | self._copies(position) | self.fixed.named()

    def _picked(self, position: int) -> Tensor:
        """Pick mask of a task at the present width; the first task picks nothing."""
        mask = torch.zeros_like(self.owner, dtype=torch.bool)
        if position == 1:
            return mask
        if position == self.newest and self.scores is not None:
            return mask.index_copy_(0, self._pickable, self.scores.detach() > self.threshold)
        return self.get_buffer(_pick(position))

    def _picks_of(self, name: str) -> list[Tensor]:
        """Pick masks of one parameter, of all tasks but the first."""
        masks = (self.get_buffer(_pick(position)) for position in range(2, self.newest + 1))
        return [self._layout.named(mask)[name] for mask in masks]

    def _merged(self) -> Tensor:
        """Weights of all tasks in one vector; free ones are zero."""
        own = torch.where(self.owner == self.newest, self.own.data, self.frozen)
        return torch.where(self.owner == FREE, 0.0, own)

    def _earlier(self, position: int) -> Tensor:
        """Where a task before that at `position` is the owner."""
        return (self.owner != FREE) & (self.owner < position)

    def _count(self, owner: int) -> int:
        return int((self.owner == owner).sum())

    def _copies(self, position: int) -> dict[str, Tensor]:
        return cast(Values, self.copies[position - 1]).named()

    def _body(self, position: int) -> Body:
        self._check(position)
        return self._bodies[position - 1]

    def _of_kind(self, body: Body, kind: Kind) -> dict[str, Tensor]:
        tensors = dict(named_tensors(body))
        return {name: tensors[name] for name, own in self._kinds.items() if own == kind}

    def _layout_of(self, body: Body) -> Layout:
        masked = self._of_kind(body, "masked").items()
        return Layout({name: tuple(tensor.shape) for name, tensor in masked})

    def _check_growth(self, before: Body, grown: Body) -> None:
        """Refuse a grown body that does not hold what the body held."""
        old, new = dict(named_tensors(before)), dict(named_tensors(grown))
        for name in sorted(old.keys() | new.keys()):
            kept = name in old and name in new and has_block(new[name], old[name])
            if not kept or (self._kinds[name] == "fixed" and new[name].shape != old[name].shape):
                raise ValueError(
                    f"{self.body.name}.grown does not keep {name}: each value must be the top-left"
                    " block of the new one, and what is fixed must stay"
                )

    def _check(self, position: int) -> None:
        if not self.newest:
            raise ValueError("the network has no task yet: call add_task")
        if not 1 <= position <= self.newest:
            raise ValueError(f"no task at position {position}; the network has {self.newest}")

    def _refuse_while_picking(self) -> None:
        if self.scores is not None:
            raise ValueError("picks are still being learned: call stop_picking first")


def _pick(position: int) -> str:
    return f"pick_{position}"


def _structure(body: Body) -> Body:
    """A copy of a body that holds no values and takes no memory."""
    return deepcopy(body).to("meta")
