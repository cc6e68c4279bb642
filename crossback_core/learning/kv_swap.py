"""Reconstruct a backbone for a target: whose key/value projection reads the target's input."""

from __future__ import annotations

from typing import Literal

from crossback_core.model.network import Network, TaskSpec

Swap = Literal["auto", "always", "never"]


def reconstruct(backbone: Network, baseline: Network, *, swap: Swap) -> bool:
    """Add a target to its backbone, in place.

    The target starts with copies of the norms, biases, latents and query of the backbone's newest
    task and with a fresh head. Its key/value projection is that of its own baseline where the
    modalities differ, else a copy of the backbone's.

    Args:
        backbone: The pruned backbone; the target is added to it.
        baseline: The target's own network of one task.
        swap: "auto" as above; "always" takes the baseline's projection, "never" the backbone's.

    Returns:
        Whether the baseline's projection was taken.

    Raises:
        ValueError: "never" where the backbone cannot read the target's modality.
    """
    source, spec = backbone.newest, baseline.newest
    swapped = _is_swapped(source, spec, swap)
    projection = (
        baseline.input_projection(spec.task) if swapped else backbone.input_projection(source.task)
    )
    backbone.add_task(spec, like=source.task, projection=projection)
    return swapped


def _is_swapped(source: TaskSpec, target: TaskSpec, swap: Swap) -> bool:
    same_input = source.reads_like(target)
    if swap == "never" and not same_input:
        raise ValueError(
            f"target.swap is never, but backbone task {source.task} reads {source.modality}s of"
            f" {source.channels} channels and target task {target.task} {target.modality}s of"
            f" {target.channels}: set target.swap to auto, or selection.candidates to same_modal"
        )
    return swap == "always" or not same_input
