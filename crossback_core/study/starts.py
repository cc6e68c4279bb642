"""What a target may start from: its backbone, or a control that lacks one part of it.

A gain over the baseline may come from what the backbone knows, from the shape of its weights, or
from nothing but more training. Each control takes one explanation away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from crossback_core.learning.kv_swap import Reconstruction, reconstruct
from crossback_core.model.adapters import InputProjection
from crossback_core.model.network import Network
from crossback_core.settings import Start, SwapSettings


def begin(
    backbone: Network, baseline: Network, *, start: Start, swapping: SwapSettings
) -> Reconstruction:
    """Add a target to a backbone, in place, as the workflow does or as a control.

    Args:
        backbone: The pruned backbone.
        baseline: The target's own network of one task.
        start: "backbone" as the workflow does; "shuffled", "fresh" or "unpicked" as a control.
        swapping: As of `reconstruct`.

    Returns:
        As of `reconstruct`, also for the controls.
    """
    begun = reconstruct(backbone, baseline, swapping)
    if start != "backbone":
        _CONTROLS[start](backbone, begun)
    return begun


def _shuffle(network: Network, begun: Reconstruction) -> None:
    """Structure without knowledge: all that comes from the backbone, shuffled tensor by tensor."""
    with torch.no_grad():
        for layer in network.masked_layers().values():
            held = layer.frozen != 0
            layer.frozen[held] = _shuffled(layer.frozen[held])
        for parameter in _copied(network, begun):
            parameter.copy_(_shuffled(parameter))


def _forget_projection(network: Network, begun: Reconstruction) -> None:
    """No key/value projection that was trained, neither the backbone's nor the target's."""
    spec, settings = network.newest, network.settings
    fresh = InputProjection(settings, spec.modality, spec.channels)
    fresh.grow(spec.width, settings.cross_heads)
    network.input_projection(spec.task).load_state_dict(fresh.state_dict())


def _unpick(network: Network, begun: Reconstruction) -> None:
    """No weight of the backbone is picked: the target has the free ones alone.

    Where those are zero they start as those of a new layer with as many inputs as are left; a
    target that continues its baseline has values of its own there. What is copied from the
    backbone beside its weights stays.
    """
    with torch.no_grad():
        for name, layer in network.masked_layers().items():
            inputs = layer.count(layer.newest) / layer.owner.shape[0]
            if not inputs:
                raise ValueError(
                    f"backbone {network.specs[-2].task} has no free weights in {name}: without"
                    " picks nothing is left; take it out of study.sizes.*.controls.unpicked"
                )
            layer.frozen.zero_()
            if not begun.continued:
                layer.weight.uniform_(-(inputs**-0.5), inputs**-0.5)


_CONTROLS: dict[Start, Callable[[Network, Reconstruction], None]] = {
    "shuffled": _shuffle,
    "fresh": _forget_projection,
    "unpicked": _unpick,
}


def _copied(network: Network, begun: Reconstruction) -> Iterator[Tensor]:
    """The newest task's parameters that it starts with a copy of the backbone's of."""
    if begun.continued:
        return iter(())
    own = [*network.heads[-1].parameters()]
    own += [layer.weight for layer in network.masked_layers().values()]
    if begun.swapped:
        own += network.input_projection(network.newest.task).parameters()
    kept = {id(parameter) for parameter in own}
    return (each for each in network.trainable_parameters() if id(each) not in kept)


def _shuffled(values: Tensor) -> Tensor:
    order = torch.randperm(values.numel())
    return values.flatten()[order].view_as(values)
