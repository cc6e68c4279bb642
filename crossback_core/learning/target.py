"""Train a target on its backbone: pick from the earlier weights, fill the free ones, grow.

Source: CPG, "Compacting, Picking and Growing for Unforgetting Continual Learning" (Hung et al.,
NeurIPS 2019); the pick masks are Piggyback's (Mallya et al., ECCV 2018).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from crossback_core.data.task_file import TaskData
from crossback_core.learning.growth import widths
from crossback_core.learning.resuming import Optimisation, Resume, Row
from crossback_core.learning.settings import TargetSettings, TrainingSettings
from crossback_core.learning.training import (
    StepDecay,
    fit,
    step_count,
    weight_optimisation,
)
from crossback_core.model.network import Network

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """A target's network as it came out at one width."""

    network: Network
    width: float
    rows: list[Row]

    @property
    def validation_accuracy(self) -> float:
        """Accuracy after the last epoch."""
        return float(self.rows[-1]["validation_accuracy"])


@dataclass(frozen=True)
class Outcome:
    """The trainings of a target: the one that is kept, and all tried, narrowest first."""

    kept: Attempt
    tried: tuple[Attempt, ...]


def pick_and_grow(
    initial: Callable[[], Network],
    data: TaskData,
    *,
    goal: float,
    target: TargetSettings,
    training: TrainingSettings,
    seed: int,
    resume: Callable[[float], Resume],
) -> Outcome:
    """Train a target, widening its network until its validation accuracy reaches the goal.

    Every width starts from the initial network. If none reaches the goal, the one with the best
    validation accuracy is kept, the narrowest among equals.

    Args:
        initial: Makes the network with the target added (see `kv_swap`).
        data: The target.
        goal: Validation accuracy to reach: that of the target's own baseline.
        target: How to pick and grow.
        training: Everything else of the training.
        seed: Source of randomness.
        resume: Where to keep an interrupted training of a given width.
    """
    tried: list[Attempt] = []
    for width in widths(initial().width, step=target.width_step, maximum=target.max_width):
        attempt = train_at(initial(), width, data, target, training, seed, resume(width))
        logger.info(
            "width %g: validation %.4f, goal %.4f", width, attempt.validation_accuracy, goal
        )
        tried.append(attempt)
        if attempt.validation_accuracy >= goal:
            break
    kept = max(tried, key=lambda attempt: attempt.validation_accuracy)  # the first among equals
    return Outcome(kept, tuple(tried))


def train_at(
    network: Network,
    width: float,
    data: TaskData,
    target: TargetSettings,
    training: TrainingSettings,
    seed: int,
    resume: Resume,
) -> Attempt:
    """Train the newest task of a network, grown to a width; see `pick_and_grow`."""
    torch.manual_seed(seed)
    if width > network.width:
        network.grow(width)
    settings = replace(training, learning_rate=target.learning_rate)
    steps = step_count(data, settings)
    weights = weight_optimisation(network.trainable_parameters(), settings, steps)
    scores = network.ownership.weights.start_picking(
        initial=target.pick_initial, threshold=target.pick_threshold
    )
    picks = _pick_optimisation(scores, target, steps)
    label = f"target {data.called} at width {width:g}"
    rows = fit(network, data, settings, [weights, picks], seed=seed, label=label, resume=resume)
    network.ownership.weights.stop_picking()
    return Attempt(network, width, rows)


def _pick_optimisation(scores: nn.Parameter, target: TargetSettings, steps: int) -> Optimisation:
    """Make Adam for the pick scores: slower after the milestone, at rest after the stop."""
    optimizer = torch.optim.Adam([scores], target.pick_learning_rate)
    decay = StepDecay(
        [target.pick_milestone * steps], target.pick_gamma, stop=target.pick_stop * steps
    )
    return Optimisation(optimizer, LambdaLR(optimizer, decay))
