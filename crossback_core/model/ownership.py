"""The contract of continual learning: who owns a weight, and which task computes with it.

Every masked weight of a body has an owner: a task, or none while it is free. A task computes with
the weights it owns plus those weights of earlier tasks that its pick mask lets through (PackNet:
Mallya and Lazebnik, CVPR 2018; Piggyback: Mallya et al., ECCV 2018; CPG: Hung et al., NeurIPS
2019). Of the parameters that no mask covers, each task has a copy, or they are fixed. Only the
newest task is ever trained.

No file but this one and `masked` looks at a network's owners, frozen values or picks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, cast

from torch import Tensor, nn
from torch.func import functional_call

from crossback_core.model.body import Body, Kind, classified, named_tensors
from crossback_core.model.flat import (
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
from crossback_core.model.masked import MaskedWeights
from crossback_core.wording import counted

MAX_TASKS = 255  # owners are stored as one byte


class Ownership(nn.Module):
    """The values of a body: masked weights, each task's copies, and what is fixed for all.

    Args:
        body: What all tasks share; the first task starts with its values.

    Attributes:
        weights: The masked ones.
        copies: Each task's own values of what no mask covers.
        fixed: What no task may change.

    Raises:
        ValueError: The body does not classify all it has (see `Body.kinds`).
    """

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._kinds: Mapping[str, Kind] = classified(body)
        self.weights = MaskedWeights(self._of_kind(body, "masked"))
        # Structure alone, one for each task; values are swapped in. In a list, so that it is no
        # submodule: its tensors are no state.
        self._bodies = [_structure(body)]
        self._initial = {n: with_block(t, t) for n, t in self._of_kind(body, "per_task").items()}
        self.fixed = Values({n: t.detach() for n, t in self._of_kind(body, "fixed").items()})
        self.copies = nn.ModuleList()

    @property
    def body(self) -> Body:
        """The body as the newest task has it: structure without values."""
        return self._bodies[-1]

    @property
    def newest(self) -> int:
        """Position of the task that may be trained (0: none yet)."""
        return self.weights.newest

    def train(self, mode: bool = True) -> Ownership:
        """Set the mode of the body as well."""
        self.body.train(mode)
        return super().train(mode)

    def add_task(self, like: int | None = None) -> None:
        """Freeze what the newest task owns and let a new task own every free weight.

        The first task starts from the body's values. A later one starts its weights at zero, so
        that it computes with exactly those that it picks.

        Args:
            like: Position of the task whose copies the new task starts from; the newest if None.
                What a narrower task lacks comes from the newest.
        """
        if self.newest == MAX_TASKS:
            raise ValueError(f"a network holds at most {MAX_TASKS} tasks; it has {self.newest}")
        self.weights.refuse_while_picking()
        copies = self._initial
        self._initial = {}
        if self.newest:
            like = self.newest if like is None else like
            self.weights.check(like)
            copies = self._copies(self.newest)
            given = self._copies(like)
            copies = {name: with_block(copies[name], given[name]) for name in copies}
            self._bodies.append(deepcopy(self.body))
        self.copies.append(Values(copies).to(self.weights.own.device))
        self.weights.add_owner()
        freeze_all_but_last(self.copies)

    def start_from(self, other: Ownership) -> None:
        """Start what the newest task owns, and its copies, from another network's newest task.

        Args:
            other: Of the same body and width.
        """
        values = other._values(other.newest)
        self.weights.start_own(values)
        copy_all(self._copies(self.newest), values)

    def trained(self) -> Iterator[nn.Parameter]:
        """Yield what the newest task trains, pick scores aside."""
        yield self.weights.own
        yield from self.copied()

    def copied(self) -> Iterator[nn.Parameter]:
        """Yield the newest task's copies of the parameters that no mask covers."""
        self.weights.check(self.newest)
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
        self.weights.check(self.newest)
        own = self._copies(self.newest)
        fixed = self.fixed.named()
        versions = {name: tensor._version for name, tensor in fixed.items()}
        values = self.weights.effective() | own | fixed
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
        structure = self._body(position)
        values = self._values(position)
        return deepcopy(structure, replacing(structure, values)).eval().requires_grad_(False)

    def grow(self, width: float) -> None:
        """Widen the body for the newest task; earlier tasks keep their top-left block.

        Args:
            width: As of `Body.grown`.
        """
        self.weights.check(self.newest)
        self.weights.refuse_while_picking()
        before = self.settled(self.newest)
        grown = before.grown(width).to(self.weights.own.device)
        self._check_growth(before, grown)
        self.weights.widen(self._of_kind(grown, "masked"))
        self.copies[-1] = Values(self._of_kind(grown, "per_task"))
        self._bodies[-1] = _structure(grown).train(self.training)

    def stored(self) -> int:
        """Return the number of owned weights, plus that of all values that no mask covers."""
        others = [*named_tensors(self.copies), *named_tensors(self.fixed)]
        return self.weights.stored() + sum(tensor.numel() for _, tensor in others)

    def packed(self) -> dict[str, Any]:
        """Return all values as tensors and plain values, as `unpack` takes them."""
        masked = self.weights.packed()
        copies = [detached(self._copies(position + 1)) for position in range(self.newest)]
        return {"masked": masked, "copies": copies, "fixed": detached(self.fixed.named())}

    def check_packed(self, packed: Mapping[str, Any]) -> None:
        """Refuse values that do not fit the body and its tasks.

        Raises:
            ValueError: What does not fit, by name.
        """
        masked = packed["masked"]
        copies = packed["copies"]
        values = {name: part["value"] for name, part in masked.items()}
        check_fit(self.weights.named(), values)
        check_fit(self.fixed.named(), packed["fixed"], path="fixed.")
        if len(copies) != self.newest:
            raise ValueError(
                f"copies of {counted(len(copies), 'task')}, the network has {self.newest}"
            )
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
        self.weights.unpack(packed["masked"])
        copy_all(self.fixed.named(), packed["fixed"])
        for position, copies in enumerate(packed["copies"], start=1):
            copy_all(self._copies(position), copies)

    def _values(self, position: int) -> dict[str, Tensor]:
        """Return every value of a task's body, at the task's own width."""
        whole = self.weights.values_of(position)
        own = self._of_kind(self._body(position), "masked")
        masked = {name: block(whole[name], tuple(like.shape)) for name, like in own.items()}
        return masked | self._copies(position) | self.fixed.named()

    def _copies(self, position: int) -> dict[str, Tensor]:
        return cast(Values, self.copies[position - 1]).named()

    def _body(self, position: int) -> Body:
        self.weights.check(position)
        return self._bodies[position - 1]

    def _of_kind(self, body: Body, kind: Kind) -> dict[str, Tensor]:
        tensors = dict(named_tensors(body))
        return {name: tensors[name] for name, own in self._kinds.items() if own == kind}

    def _check_growth(self, before: Body, grown: Body) -> None:
        """Refuse a grown body that does not hold what the body held."""
        old = dict(named_tensors(before))
        new = dict(named_tensors(grown))
        for name in sorted(old.keys() | new.keys()):
            kept = name in old and name in new and has_block(new[name], old[name])
            if not kept or (self._kinds[name] == "fixed" and new[name].shape != old[name].shape):
                raise ValueError(
                    f"{self.body.name}.grown does not keep {name}: each value must be the top-left"
                    " block of the new one, and what is fixed must stay"
                )


def _structure(body: Body) -> Body:
    """Return a copy of a body that holds no values and takes no memory."""
    return deepcopy(body).to("meta")
