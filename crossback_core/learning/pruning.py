"""Gradual magnitude pruning along a ladder of sparsities, and the choice of a level.

Source: Zhu and Gupta, "To prune, or not to prune" (arXiv 1710.01878); CPG (Hung et al., NeurIPS
2019) uses it to compact a task's weights. What is pruned becomes free for later tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from crossback_core.data.task_file import TaskData
from crossback_core.learning.resuming import Resume, Row
from crossback_core.learning.settings import LadderSettings, TrainingSettings
from crossback_core.learning.training import (
    fit,
    step_count,
    steps_per_epoch,
    weight_optimisation,
)
from crossback_core.model.network import Network

DENSE = 0.0


def cubic_sparsity(start: float, end: float, progress: float) -> float:
    """Return the sparsity at a point of the ramp (Zhu and Gupta, equation 1).

    Args:
        start: Sparsity at the beginning of the ramp.
        end: Sparsity at its end.
        progress: Position on the ramp; clipped to 0 to 1.
    """
    remaining = 1 - min(max(progress, 0.0), 1.0)
    return end + (start - end) * remaining**3


def climb(
    network: Network,
    data: TaskData,
    sparsity: float,
    *,
    pruning: LadderSettings,
    training: TrainingSettings,
    seed: int,
    resume: Resume | None = None,
    levels_left: int = 0,
) -> list[Row]:
    """Prune the newest task to the next sparsity of the ladder while training it further.

    Args:
        network: At the sparsity of the level before; changed in place.
        data: The newest task.
        sparsity: The level to reach.
        pruning: Length, learning rate and ramp of a level.
        training: Everything else of the training.
        seed: Source of randomness.
        resume: Where to keep an interrupted level.
        levels_left: How many follow; for the time left.

    Returns:
        One row per epoch, as of `fit`.
    """
    settings = replace(
        training,
        epochs=pruning.epochs,
        min_steps=0,
        learning_rate=pruning.learning_rate,
        schedule=pruning.schedule,
    )
    steps = step_count(data, settings)
    ramp = min(steps, pruning.ramp_epochs * steps_per_epoch(data, settings))
    start = network.ownership.weights.sparsity()

    def update_masks(step: int) -> None:
        if step <= ramp and (step % pruning.update_every == 0 or step == ramp):
            network.ownership.weights.prune_to(cubic_sparsity(start, sparsity, step / ramp))

    return fit(
        network,
        data,
        settings,
        [weight_optimisation(network.trainable_parameters(), settings, steps)],
        seed=seed,
        label=f"task {data.called} at sparsity {sparsity:g}",
        resume=resume,
        after_step=update_masks,
        later=levels_left * pruning.epochs,
    )


def highest_sparsity(
    accuracies: Mapping[float, float], *, baseline: float, allowed_loss: float
) -> float:
    """Choose the highest sparsity whose accuracy is within the allowed loss of the baseline.

    If no level is, the dense model is the answer: a backbone that lost what it knew is no backbone.
    A dense one leaves no free weights, so its targets must grow.

    Args:
        accuracies: Validation accuracy by sparsity.
        baseline: Validation accuracy of the dense baseline.
        allowed_loss: How much of it may be lost.
    """
    least = baseline - allowed_loss
    kept = (s for s, a in accuracies.items() if a > least or math.isclose(a, least))
    return max(kept, default=DENSE)
