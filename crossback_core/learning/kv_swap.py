"""Reconstruct a backbone for a target: decide which key/value projection reads its input."""

from __future__ import annotations

from dataclasses import dataclass

from crossback_core.learning.settings import Swap, SwapSettings
from crossback_core.model.network import Network, TaskSpec


@dataclass(frozen=True)
class Reconstruction:
    """What a target starts with.

    Attributes:
        swapped: Its key/value projection is that of its own baseline, not the backbone's.
        continued: So is all else that it has of its own.
    """

    swapped: bool
    continued: bool


def reconstruct(backbone: Network, baseline: Network, swapping: SwapSettings) -> Reconstruction:
    """Add a target to its backbone, in place.

    Where both read the same kind of input, the target computes the features that the backbone
    does. It starts with copies of the key/value projection, norms, biases, latents and query of the
    backbone's newest task, with a fresh head, and with its free weights at zero.

    Where it is swapped, its projection is that of its own baseline. `swapping.swapped_start` says
    what else it starts with. By "backbone", that is the rest of the above. By "baseline", it
    continues its baseline: it copies norms, biases, latents, query and head, and the weights
    where the backbone left room. A baseline narrower than the backbone is grown first. A dense
    backbone leaves no room, so its target starts as by "backbone".

    Args:
        backbone: The pruned backbone; the target is added to it.
        baseline: The target's own network of one task.
        swapping: `swap` "auto" swaps where modalities differ; "always"; "never".

    Raises:
        ValueError: "never" where the backbone cannot read the target's modality; a baseline that
            cannot be continued in this backbone (see `Network.start_from`).
    """
    source = backbone.newest
    spec = baseline.newest
    swapped = _is_swapped(source, spec, swapping.swap)
    reading = (baseline if swapped else backbone).input((spec if swapped else source).task)
    backbone.add_task(spec, like=source.task, reading=reading, recipe=baseline.recipes[-1])
    if swapped:  # its projection has seen what the baseline has
        backbone.remember(baseline.seen[-1])
    continued = swapped and swapping.swapped_start == "baseline" and _has_room(backbone)
    if continued:
        backbone.start_from(baseline)
    return Reconstruction(swapped, continued)


def _has_room(network: Network) -> bool:
    """Say whether the newest task owns any weight of the body."""
    return any(network.ownership.weights.room().values())


def _is_swapped(source: TaskSpec, target: TaskSpec, swap: Swap) -> bool:
    same_input = source.reads_like(target)
    if swap == "never" and not same_input:
        raise ValueError(
            f"target.swap is never, but backbone task {source.task} reads {source.modality}s of"
            f" {source.channels} channels and target task {target.task} {target.modality}s of"
            f" {target.channels}: set target.swap to auto, or selection.candidates to same_modal"
        )
    return swap == "always" or not same_input
