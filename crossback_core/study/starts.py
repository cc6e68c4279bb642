"""What a target may start from: its backbone, or a control that lacks one part of it.

A gain over the baseline may come from what the backbone knows, from the shape of its weights, or
from nothing but more training. Each control takes one explanation away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from crossback_core.learning.kv_swap import reconstruct
from crossback_core.model.network import Network
from crossback_core.settings import Start, SwapSettings


def begin(backbone: Network, baseline: Network, *, start: Start, swapping: SwapSettings) -> None:
    """Add a target to a backbone, in place, as the workflow does or as a control.

    Args:
        backbone: The pruned backbone.
        baseline: The target's own network of one task.
        start: "backbone" as the workflow does; "shuffled", "fresh" or "unpicked" as a control.
        swapping: As of `reconstruct`.
    """
    _BEGIN[start](backbone, baseline, swapping)


def _from_backbone(backbone: Network, baseline: Network, swapping: SwapSettings) -> None:
    reconstruct(backbone, baseline, swapping)


def _from_shuffled(backbone: Network, baseline: Network, swapping: SwapSettings) -> None:
    """Structure without knowledge: all that comes from the backbone, shuffled tensor by tensor."""
    swapped = reconstruct(backbone, baseline, swapping)
    with torch.no_grad():
        for layer in backbone.masked_layers().values():
            held = layer.frozen != 0
            layer.frozen[held] = _shuffled(layer.frozen[held])
        if swapped and swapping.swapped_start == "baseline":
            return  # all else is the target's own
        for parameter in _copied(backbone, swapped=swapped):
            parameter.copy_(_shuffled(parameter))


def _from_fresh(backbone: Network, baseline: Network, swapping: SwapSettings) -> None:
    """No key/value projection that was trained, neither the backbone's nor the target's."""
    backbone.add_task(baseline.newest, like=backbone.newest.task)


def _from_unpicked(backbone: Network, baseline: Network, swapping: SwapSettings) -> None:
    """No weight of the body is picked: the free ones alone.

    Where those are zero they start as those of a new layer with as many inputs as are left; a
    target that continues its baseline has values of its own there. What is copied from the
    backbone beside its weights stays.
    """
    reconstruct(backbone, baseline, swapping)
    position = len(backbone.specs)
    with torch.no_grad():
        for name, layer in backbone.masked_layers().items():
            inputs = layer.count(position) / layer.owner.shape[0]
            if not inputs:
                raise ValueError(
                    f"the backbone has no free weights in {name}: without picks nothing is left;"
                    " leave it out of study.controlled, or unpicked out of study.controls"
                )
            layer.frozen.zero_()
            if not layer.weight.any():
                layer.weight.uniform_(-(inputs**-0.5), inputs**-0.5)


_BEGIN: dict[Start, Callable[[Network, Network, SwapSettings], None]] = {
    "backbone": _from_backbone,
    "shuffled": _from_shuffled,
    "fresh": _from_fresh,
    "unpicked": _from_unpicked,
}


def _copied(network: Network, *, swapped: bool) -> Iterator[Tensor]:
    """The newest task's parameters that it starts with a copy of; a swapped projection is none."""
    task = network.newest.task
    fresh = [*network.heads[-1].parameters()]
    fresh += [layer.weight for layer in network.masked_layers().values()]
    if swapped:
        fresh += network.input_projection(task).parameters()
    kept = {id(parameter) for parameter in fresh}
    return (each for each in network.trainable_parameters() if id(each) not in kept)


def _shuffled(values: Tensor) -> Tensor:
    order = torch.randperm(values.numel())
    return values.flatten()[order].view_as(values)
