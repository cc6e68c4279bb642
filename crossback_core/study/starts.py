"""What a target may start from: its backbone, or a control that lacks one part of it.

A gain over the baseline may come from what the backbone knows, from the shape of its weights, or
from nothing but more training. Each control takes one explanation away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from crossback_core.learning.evaluation import split_accuracy
from crossback_core.learning.kv_swap import Reconstruction, reconstruct
from crossback_core.learning.settings import SwapSettings
from crossback_core.model.network import Network
from crossback_core.model.shuffling import shuffled, shuffled_copy
from crossback_core.selection.comparison import Trained, stream
from crossback_core.study.settings import Start


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
    made = reconstruct(backbone, baseline, swapping)
    if start != "backbone":
        _CONTROLS[start](backbone, made)
    return made


def stream_of(*, seed: int, target: str, start: Start, candidate: str) -> int:
    """Return the seed of what a start draws for a target: one stream for each training.

    A control that comes out odd by chance must not do so for all targets.
    """
    return stream(f"{seed} {target} {start} {candidate}")


def shuffled_candidate(candidate: Trained, *, target: str, seed: int) -> Trained:
    """Return a candidate without its knowledge, to be scored as the one that it is.

    All that it has learned is shuffled tensor by tensor: what start "shuffled" does to all that a
    target takes of its backbone. The orders are others, as candidates are scored before they are
    pruned, and targets start from pruned ones.

    Args:
        candidate: Stays as it is.
        target: Whose candidate it is.
        seed: Of the study.

    Returns:
        It has the accuracy that the shuffled network has on its own task.
    """
    own = stream_of(seed=seed, target=target, start="shuffled", candidate=candidate.data.task)
    model = shuffled_copy(candidate.model, torch.Generator().manual_seed(own))
    return replace(
        candidate, model=model, accuracy=split_accuracy(model, candidate.data.validation)
    )


def _shuffle(network: Network, made: Reconstruction) -> None:
    """Keep structure without knowledge: shuffle each tensor that comes from the backbone."""
    network.ownership.weights.change_earlier(shuffled)
    with torch.no_grad():
        for parameter in _copied(network, made):
            parameter.copy_(shuffled(parameter))


def _forget_projection(network: Network, made: Reconstruction) -> None:
    """Take a fresh key/value projection: neither the backbone's nor the target's."""
    spec = network.newest
    body = network.ownership.body
    fresh = body.make_input(spec.modality, spec.channels)
    fresh.fit(body.input_shape)
    network.input(spec.task).load_state_dict(fresh.state_dict())


def _unpick(network: Network, made: Reconstruction) -> None:
    """Leave the target the free weights alone, none that is picked.

    Where those are zero they start as those of a new layer with as many inputs as are left; a
    target that continues its baseline has values of its own there. What is copied from the
    backbone beside its weights stays.
    """
    for name, inputs in network.ownership.weights.room().items():
        if not inputs:
            raise ValueError(
                f"backbone {network.specs[-2].task} has no free weights in {name}: without"
                " picks nothing is left; take it out of study.sizes.*.controls.unpicked"
            )
    network.ownership.weights.change_earlier(torch.zeros_like)
    if not made.continued:
        network.ownership.weights.draw_own()


_CONTROLS: dict[Start, Callable[[Network, Reconstruction], None]] = {
    "shuffled": _shuffle,
    "fresh": _forget_projection,
    "unpicked": _unpick,
}


def _copied(network: Network, made: Reconstruction) -> Iterator[Tensor]:
    """Yield the newest task's parameters that are copies of the backbone's."""
    if made.continued:
        return
    yield from network.ownership.copied()
    if not made.swapped:
        yield from network.inputs[-1].parameters()
