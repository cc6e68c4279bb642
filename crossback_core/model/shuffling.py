"""Networks without their knowledge: the same values in other places."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)


def shuffled(values: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Return the same values in a random order, in the shape that they had.

    Args:
        values: Of one parameter.
        random: Draws the order; PyTorch's own stream if None.
    """
    order = torch.randperm(values.numel(), generator=random)
    return values.flatten()[order].view_as(values)


def shuffled_copy(trained: _Module, random: torch.Generator) -> _Module:
    """Return a copy of a body, or of a whole model, each parameter shuffled within itself.

    Weights, biases, norms, latents and query alike: what training wrote into any of them is
    knowledge. Their distribution, and so the scale of what is computed, stays.

    Args:
        trained: The body of a settled task, or its model.
        random: Draws the orders.
    """
    copy = deepcopy(trained)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.copy_(shuffled(parameter, random))
    return copy
