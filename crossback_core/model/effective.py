"""The weights that a task in training computes with, in one step of automatic differentiation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from crossback_core.model.flat import Layout


class Effective(torch.autograd.Function):
    """Own weights where the task owns, frozen ones where it picks, zero elsewhere.

    Gradients reach only what the task owns: momentum may move a value that pruning has freed, but
    it stays out of the computation. Those of the scores are straight through (Piggyback, section
    3): the gradient of the weight times the frozen weight, whether it is picked or not.

    Masks act on bits and places, because choosing by a scattered mask takes 20 times as long.
    """

    @staticmethod
    def forward(
        ctx: Any,
        own: Tensor,
        mine: Tensor,
        frozen: Tensor,
        places: Tensor,
        scores: Tensor | None,
        threshold: float,
        layout: Layout,
    ) -> tuple[Tensor, ...]:
        """Return the weights of each parameter of the layout.

        Args:
            ctx: What `backward` is given.
            own: Values of the task in training (n,).
            mine: Where the task in training is the owner (n,) bool.
            frozen: Earlier tasks' values that may take part (m,).
            places: Where they lie (m,).
            scores: Their pick scores (m,); None where all of them take part.
            threshold: A frozen value takes part while its score is above this.
            layout: Names and shapes of the parameters.
        """
        bits = -mine.to(_BITS[own.element_size()])  # all of them or none
        ctx.save_for_backward(bits, frozen, places)
        flat = _kept(own, bits)
        picked = frozen if scores is None else frozen * (scores > threshold).to(frozen.dtype)
        flat.index_copy_(0, places, picked)
        # Copies, not views: the last digits of a product depend on how its factors are aligned.
        return tuple(part.clone() for part in layout.split(flat))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of own values and scores."""
        bits, frozen, places = ctx.saved_tensors
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        wanted = ctx.needs_input_grad[4]
        scores = flat.index_select(0, places) * frozen if wanted else None
        return _kept(flat, bits), None, None, None, scores, None, None


_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # integers by the size of a number


def _kept(values: Tensor, bits: Tensor) -> Tensor:
    """Return values where all bits are set and zero elsewhere, also in the place of infinity."""
    return (values.view(bits.dtype) & bits).view(values.dtype)
