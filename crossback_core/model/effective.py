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
    """

    @staticmethod
    def forward(
        ctx: Any,
        own: Tensor,
        scores: Tensor | None,
        frozen: Tensor,
        mine: Tensor,
        picked: Tensor,
        layout: Layout,
    ) -> tuple[Tensor, ...]:
        """Return the weights of each parameter of the layout.

        Args:
            ctx: What `backward` is given.
            own: Values of the task in training (n,).
            scores: Pick scores (n,), None where picks are final.
            frozen: Values of earlier tasks (n,), zero elsewhere.
            mine: Where the task in training is the owner (n,).
            picked: Where a frozen value takes part (n,).
            layout: Names and shapes of the parameters.
        """
        ctx.save_for_backward(mine, frozen)
        flat = torch.where(mine, own, torch.where(picked, frozen, 0.0))
        # Copies, not views: the last digits of a product depend on how its factors are aligned.
        return tuple(part.clone() for part in layout.split(flat))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of own values and scores."""
        mine, frozen = ctx.saved_tensors
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        scores = flat * frozen if ctx.needs_input_grad[1] else None
        return torch.where(mine, flat, 0.0), scores, None, None, None, None
