"""The contract of continual learning: who owns a weight, and who may read it.

Every weight of a masked layer has an owner. Owner 0 means free; owner p means the p-th task that
the network learned. A task computes with the weights it owns plus those weights of earlier tasks
that its pick mask lets through (PackNet: Mallya and Lazebnik, CVPR 2018; Piggyback: Mallya et al.,
ECCV 2018; CPG: Hung et al., NeurIPS 2019).

Only the newest task is ever trained. What it owns lives in the parameter `weight`; what all earlier
tasks own lives in the buffer `frozen`, out of every optimiser's reach. So neither momentum nor
weight decay can move an earlier task's weight: it is not in the parameter.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

FREE = 0
MAX_TASKS = 255  # owners are stored as one byte


class MaskedLinear(nn.Module):
    """A linear layer whose weights are owned by tasks, with one bias for each task.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        bias: Whether each task has a bias.
    """

    weight: nn.Parameter
    frozen: Tensor
    owner: Tensor

    def __init__(self, in_features: int, out_features: int, *, bias: bool) -> None:
        super().__init__()
        shape = (out_features, in_features)
        self.weight = nn.Parameter(_random_rows(*shape))
        self.register_buffer("frozen", torch.zeros(shape))
        self.register_buffer("owner", torch.zeros(shape, dtype=torch.uint8))
        self.scores: nn.Parameter | None = None
        self.threshold = 0.0
        self.has_bias = bias
        self.biases = nn.ParameterList()
        self.shapes: list[tuple[int, int]] = []

    @property
    def newest(self) -> int:
        """Position of the task that may be trained (0: none yet)."""
        return len(self.shapes)

    def add_task(self, like: int | None = None) -> None:
        """Freeze what the newest task owns and give every free weight to a new task.

        The first task starts from the random weights of construction; a later one starts its
        weights at zero, so that it begins exactly as the weights it picks.

        Args:
            like: Position of the task whose bias the new task copies; zero bias if None.
        """
        if self.newest == MAX_TASKS:
            raise ValueError(f"a network holds at most {MAX_TASKS} tasks; it has {self.newest}")
        if self.newest:
            self._freeze_newest()
        self.shapes.append((self.owner.shape[0], self.owner.shape[1]))
        self.owner[self.owner == FREE] = self.newest
        if self.newest > 1:
            self.register_buffer(self._pick_name(self.newest), self._earlier())
        if self.has_bias:
            start = self.weight.new_zeros(self.shapes[-1][0])
            if like is not None:
                start = _padded_vector(self.biases[like - 1].detach(), self.shapes[-1][0])
            self.biases.append(nn.Parameter(start))

    def start_from(self, weight: Tensor, bias: Tensor | None) -> None:
        """Start what the newest task owns, and its bias, from those of another network's layer.

        Args:
            weight: (out, in) of this layer's width.
            bias: (out,), None where the layer has none.
        """
        with torch.no_grad():
            self.weight.copy_(torch.where(self.owner == self.newest, weight, 0.0))
            if bias is not None:
                self.biases[-1].copy_(bias)

    def forward(self, inputs: Tensor, position: int) -> Tensor:
        """Apply the layer as the task at `position` sees it.

        Args:
            inputs: (..., in) of the task's own width.
            position: 1 for the first task learned, and so on.

        Returns:
            (..., out) of the task's own width.
        """
        bias = self.biases[position - 1] if self.has_bias else None
        return functional.linear(inputs, self.effective_weight(position), bias)

    def effective_weight(self, position: int) -> Tensor:
        """Weights that the task computes with: its own plus the earlier ones it picks; else zero.

        Args:
            position: Position of the task, 1 to `newest`.

        Returns:
            (out, in) of the task's own width.
        """
        if not 1 <= position <= self.newest:
            raise ValueError(f"no task at position {position}; the layer has {self.newest}")
        if position < self.newest:
            return self._settled_weight(position)
        own = torch.where(self.owner == position, self.weight, 0.0)
        return own + self.frozen * self.pick(position) if position > 1 else own

    def pick(self, position: int) -> Tensor:
        """Pick mask of a task over the earlier tasks' weights, at the layer's full width.

        While picks are learned the mask is the binarised score, with the straight-through gradient
        of Piggyback (section 3).

        Args:
            position: Position of the task, 2 to `newest`.

        Returns:
            (out, in): float while learned, else bool.
        """
        if position == self.newest and self.scores is not None:
            hard = (self.scores > self.threshold).to(self.scores.dtype).detach()
            return hard + (self.scores - self.scores.detach())  # the bracket is exactly zero
        return self.get_buffer(self._pick_name(position))

    def start_picking(self, *, initial: float, threshold: float) -> None:
        """Make the newest task's pick mask learnable, with every earlier weight picked at first.

        Args:
            initial: First value of each score; above the threshold.
            threshold: A weight is picked while its score is above this.
        """
        if self.newest < 2:
            raise ValueError("the first task has no earlier weights to pick from")
        if initial <= threshold:
            raise ValueError(f"pick scores start at {initial}, not above threshold {threshold}")
        self.scores = nn.Parameter(torch.full_like(self.frozen, initial))
        self.threshold = threshold

    def stop_picking(self) -> None:
        """Make the learned pick mask final."""
        if self.scores is None:
            raise ValueError("picks are not being learned: call start_picking first")
        chosen = (self.scores.detach() > self.threshold) & self._earlier()
        self.get_buffer(self._pick_name(self.newest)).copy_(chosen)
        self.scores = None

    def release(self, count: int) -> None:
        """Free the `count` weights of smallest magnitude among those the newest task owns."""
        if not self.newest:
            raise ValueError("cannot free weights of a layer that has no task yet")
        own = (self.owner == self.newest).flatten()
        if not 0 <= count <= int(own.sum()):
            raise ValueError(f"cannot free {count} weights: the task owns {int(own.sum())}")
        magnitude = self.weight.detach().abs().flatten().masked_fill(~own, math.inf)
        smallest = torch.topk(magnitude, count, largest=False).indices
        self.owner.view(-1)[smallest] = FREE
        with torch.no_grad():
            self.weight.view(-1)[smallest] = 0.0

    def grow(self, in_features: int, out_features: int) -> None:
        """Widen the layer for the newest task; earlier tasks keep their top-left block.

        New rows start at random and new columns at zero, so that a pair of layers grown along the
        width between them computes what it computed before.

        Args:
            in_features: New input width, at least the present one.
            out_features: New output width, at least the present one.
        """
        if not self.newest:
            raise ValueError("cannot grow a layer that has no task yet: call add_task first")
        if self.scores is not None:
            raise ValueError("cannot grow while picks are being learned: call stop_picking first")
        rows, columns = self.owner.shape
        if in_features < columns or out_features < rows:
            raise ValueError(
                f"cannot shrink a layer from {rows} x {columns} to {out_features} x {in_features}"
            )
        fresh = self.weight.new_zeros(out_features, in_features)
        fresh[rows:, :] = _random_rows(out_features - rows, in_features)
        fresh[:rows, :columns] = self.weight.detach()
        self.weight = nn.Parameter(fresh)
        self.frozen = _padded(self.frozen, fresh.shape, 0.0)
        self.owner = _padded(self.owner, fresh.shape, self.newest)
        for position in range(2, self.newest + 1):
            name = self._pick_name(position)
            self.register_buffer(name, _padded(self.get_buffer(name), fresh.shape, False))
        self.shapes[-1] = (out_features, in_features)
        if self.has_bias:
            widened = _padded_vector(self.biases[-1].detach(), out_features)
            self.biases[-1] = nn.Parameter(widened)

    def merged_weight(self) -> Tensor:
        """Weights of all tasks in one tensor (out, in); free ones are zero."""
        own = torch.where(self.owner == self.newest, self.weight.detach(), self.frozen)
        return torch.where(self.owner == FREE, 0.0, own)

    def restore(self, merged: Tensor, owner: Tensor) -> None:
        """Set the weights from `merged_weight` and the owners (both (out, in))."""
        if merged.shape != self.owner.shape or owner.shape != self.owner.shape:
            raise ValueError(
                f"weights {tuple(merged.shape)} and owners {tuple(owner.shape)} do not fit a layer"
                f" of {tuple(self.owner.shape)}"
            )
        if int(owner.max()) > self.newest:
            raise ValueError(f"owner {int(owner.max())} but only {self.newest} tasks")
        newest = owner == self.newest
        with torch.no_grad():
            self.weight.copy_(torch.where(newest, merged, 0.0))
        self.frozen.copy_(torch.where(newest | (owner == FREE), 0.0, merged))
        self.owner.copy_(owner)

    def count(self, owner: int) -> int:
        """Number of weights with this owner."""
        return int((self.owner == owner).sum())

    def count_picked(self, position: int) -> int:
        """Number of earlier tasks' weights that the task at `position` computes with."""
        return int((self.pick(position).bool() & self._earlier(position)).sum())

    def _earlier(self, position: int | None = None) -> Tensor:
        """Where an earlier task is the owner; (out, in) bool."""
        return (self.owner != FREE) & (self.owner < (position or self.newest))

    def _settled_weight(self, position: int) -> Tensor:
        """Effective weight of a task that is no longer the newest."""
        rows, columns = self.shapes[position - 1]
        owner = self.owner[:rows, :columns]
        active = owner == position
        if position > 1:
            active = active | self.pick(position)[:rows, :columns]
        return torch.where(active, self.frozen[:rows, :columns], 0.0)

    def _freeze_newest(self) -> None:
        if self.scores is not None:
            raise ValueError("picks are still being learned: call stop_picking first")
        self.frozen = self.merged_weight()
        with torch.no_grad():
            self.weight.zero_()

    @staticmethod
    def _pick_name(position: int) -> str:
        return f"pick_{position}"


def _random_rows(rows: int, columns: int) -> Tensor:
    """Uniform in +-1/sqrt(columns), as torch.nn.Linear starts."""
    bound = 1 / math.sqrt(columns)
    return torch.empty(rows, columns).uniform_(-bound, bound)


def _padded(tensor: Tensor, shape: torch.Size, value: float) -> Tensor:
    """The tensor as the top-left block of a larger one."""
    larger = tensor.new_full(shape, value)
    larger[: tensor.shape[0], : tensor.shape[1]] = tensor
    return larger


def _padded_vector(vector: Tensor, size: int) -> Tensor:
    larger = vector.new_zeros(size)
    larger[: vector.shape[0]] = vector
    return larger
