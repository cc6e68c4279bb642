"""Networks without their knowledge: the same values in other places."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from crossback_core.model.body import Body


def shuffled(values: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Return the same values in a random order, in the shape that they had.

    Args:
        values: Of one parameter.
        random: Draws the order; PyTorch's own stream if None.
    """
    order = torch.randperm(values.numel(), generator=random)
    return values.flatten()[order].view_as(values)


def shuffled_body(body: Body, random: torch.Generator) -> Body:
    """Return a copy of a body in which each trained parameter is shuffled within itself.

    Weights, biases, norms, latents and query alike: what training wrote into any of them is
    knowledge. Their distribution, and so the scale of what the body computes, stays.

    Args:
        body: The body of a settled task.
        random: Draws the orders.
    """
    copy = deepcopy(body)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.copy_(shuffled(parameter, random))
    return copy
