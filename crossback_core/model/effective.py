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

    Masks are factors and places, not conditions: a choice by a random mask takes 20 times as long.
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
            mine: 1 where the task in training is the owner, else 0 (n,).
            frozen: Earlier tasks' values that may take part (m,).
            places: Where they lie (m,).
            scores: Their pick scores (m,); None where all of them take part.
            threshold: A frozen value takes part while its score is above this.
            layout: Names and shapes of the parameters.
        """
        ctx.save_for_backward(mine, frozen, places)
        flat = own * mine
        picked = frozen if scores is None else frozen * (scores > threshold).to(frozen.dtype)
        flat.index_copy_(0, places, picked)
        # Copies, not views: the last digits of a product depend on how its factors are aligned.
        return tuple(part.clone() for part in layout.split(flat))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of own values and scores."""
        mine, frozen, places = ctx.saved_tensors
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        wanted = ctx.needs_input_grad[4]
        scores = flat.index_select(0, places) * frozen if wanted else None
        return flat * mine, None, None, None, scores, None, None
