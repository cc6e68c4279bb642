"""The training loop: seeded, resumable, one row per epoch."""

from __future__ import annotations

import logging
import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from crossback_core.data.task_file import Split, TaskData
from crossback_core.learning.evaluation import split_accuracy
from crossback_core.learning.progress import progress
from crossback_core.learning.resuming import (
    NoResume,
    Optimisation,
    Resume,
    Row,
    restore,
)
from crossback_core.learning.settings import TrainingSettings
from crossback_core.model.network import Network

logger = logging.getLogger(__name__)

SAVING = 0.05  # fraction of a training's time that keeping its state may take
EVERY = 10  # steps between two looks at the validation split: epochs of few samples are short


def fit(
    network: Network,
    data: TaskData,
    settings: TrainingSettings,
    optimisations: Sequence[Optimisation],
    *,
    seed: int,
    label: str,
    resume: Resume | None = None,
    after_step: Callable[[int], None] | None = None,
    later: int = 0,
) -> list[Row]:
    """Train the newest task of a network.

    All randomness of an epoch derives from the seed and the epoch's number, so a resumed training
    ends with the same bits as an undisturbed one.

    Args:
        network: Its newest task must be that of the data; trained in place. It remembers which
            samples those were.
        data: The task.
        settings: How to train.
        optimisations: What is stepped after each batch; see `weight_optimisation`.
        seed: Source of all randomness.
        label: What the screen and the log call this training.
        resume: Where to keep and find an interrupted training.
        after_step: Called after each step with the number of steps done.
        later: Epochs of this kind that follow this training; for the time left.

    Returns:
        One row per epoch: epoch, loss, learning_rate, train_accuracy, validation_accuracy, seconds.
        Where an epoch has fewer than `EVERY` steps, the validation accuracy is measured after the
        epochs in which their number passes a multiple of that, and after the first and the last
        one; the rows between repeat it.

    Raises:
        ValueError: The data is not the newest task's, or the loss is no longer finite.
    """
    if data.task != network.newest.task:
        raise ValueError(f"data of task {data.task}, but task {network.newest.task} is trained")
    network.remember(data.seen)
    resume = resume or NoResume()
    epochs = epoch_count(data, settings)
    per_epoch = steps_per_epoch(data, settings)
    rows = restore(resume, network, optimisations, epochs=epochs, per_epoch=per_epoch)
    saving = _Saving(resume)
    for epoch in range(len(rows), epochs):
        started = time.perf_counter()
        row = _train_epoch(
            network, data.train, settings, optimisations, seed, epoch, per_epoch, after_step
        )
        row["validation_accuracy"] = (
            split_accuracy(network.settled(data.task), data.validation)
            if _is_validated(epoch, epochs, per_epoch)
            else rows[-1]["validation_accuracy"]
        )
        row["seconds"] = round(time.perf_counter() - started, 3)
        rows.append(row)
        _report(label, rows, epochs, later)
        saving.save(network, optimisations, rows)
    return rows


def _is_validated(epoch: int, epochs: int, per_epoch: int) -> bool:
    """Say whether the validation accuracy is measured after an epoch, counted from 0."""
    looks = [(done * per_epoch) // EVERY for done in (epoch, epoch + 1)]
    return epoch in (0, epochs - 1) or looks[0] != looks[1]


def steps_per_epoch(data: TaskData, settings: TrainingSettings) -> int:
    """Return the number of batches of an epoch."""
    return math.ceil(len(data.train) / settings.batch_size)


def epoch_count(data: TaskData, settings: TrainingSettings) -> int:
    """Return the configured epochs, or as many as `min_steps` takes if that is more."""
    return max(settings.epochs, math.ceil(settings.min_steps / steps_per_epoch(data, settings)))


def step_count(data: TaskData, settings: TrainingSettings) -> int:
    """Return the number of steps of a whole training."""
    return epoch_count(data, settings) * steps_per_epoch(data, settings)


def weight_optimisation(
    parameters: Iterator[nn.Parameter], settings: TrainingSettings, steps: int
) -> Optimisation:
    """Make the optimiser of the weights.

    Args:
        parameters: What is trained.
        settings: Optimiser, rate and schedule.
        steps: Length of the training in steps.
    """
    if settings.optimizer == "adamw":
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            parameters, settings.learning_rate, weight_decay=settings.weight_decay
        )
    else:
        optimizer = torch.optim.SGD(
            parameters,
            settings.learning_rate,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
            weight_decay=settings.weight_decay,
        )
    return Optimisation(optimizer, _schedule(optimizer, settings, steps))


def _schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, steps: int
) -> LRScheduler:
    if settings.schedule == "one_cycle":
        return OneCycleLR(
            optimizer, settings.learning_rate, total_steps=steps, cycle_momentum=False
        )
    fractions = settings.milestones if settings.schedule == "steps" else ()
    milestones = [fraction * steps for fraction in fractions]
    return LambdaLR(optimizer, StepDecay(milestones, settings.gamma))


@dataclass(frozen=True)
class StepDecay:
    """Factor of the learning rate: gamma to the power of the milestones passed.

    Attributes:
        milestones: Steps after which the factor shrinks.
        gamma: By how much.
        stop: Step after which the factor is zero; None for never.
    """

    milestones: Sequence[float]
    gamma: float
    stop: float | None = None

    def __call__(self, step: int) -> float:
        """Return the factor at a step, counted from 0."""
        if self.stop is not None and step >= self.stop:
            return 0.0
        return self.gamma ** sum(step >= milestone for milestone in self.milestones)


def _train_epoch(
    network: Network,
    split: Split,
    settings: TrainingSettings,
    optimisations: Sequence[Optimisation],
    seed: int,
    epoch: int,
    per_epoch: int,
    after_step: Callable[[int], None] | None,
) -> Row:
    """Train one epoch; return its mean loss and accuracy and its last learning rate."""
    generator = _seed_epoch(seed, epoch)
    network.train()
    loss_sum = 0.0
    correct = 0
    order = torch.randperm(len(split), generator=generator)
    for number, batch in enumerate(torch.split(order, settings.batch_size), start=1):
        loss, hits = _train_step(network, split, batch, settings, optimisations, generator)
        loss_sum += loss * len(batch)
        correct += hits
        if after_step is not None:
            after_step(epoch * per_epoch + number)
    if not math.isfinite(loss_sum):
        raise ValueError(
            f"the loss became {loss_sum} in epoch {epoch + 1}: lower the learning rate"
            f" (now {settings.learning_rate})"
        )
    return {
        "epoch": epoch + 1,
        "loss": loss_sum / len(split),
        "learning_rate": float(optimisations[0].schedule.get_last_lr()[0]),
        "train_accuracy": correct / len(split),
    }


def _train_step(
    network: Network,
    split: Split,
    batch: Tensor,
    settings: TrainingSettings,
    optimisations: Sequence[Optimisation],
    generator: torch.Generator,
) -> tuple[float, int]:
    """Do one step; return the mean loss of the batch and the number of right answers."""
    device = network.device
    values, mask = split.modality.augment(*split.inputs(batch), settings, generator)
    labels = split.labels[batch].to(device)
    low = settings.precision == "bfloat16"
    with torch.autocast(device.type, torch.bfloat16, enabled=low):
        logits = network(values.to(device), None if mask is None else mask.to(device))
    loss = functional.cross_entropy(logits.float(), labels)
    for optimisation in optimisations:
        optimisation.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    for optimisation in optimisations:
        optimisation.optimizer.step()
        optimisation.schedule.step()
    return float(loss.detach()), int((logits.argmax(dim=1) == labels).sum())


def _seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Derive all randomness of an epoch; dropout draws from the global generator."""
    # torch reads the lowest 32 bits of a seed, and the others ask for more
    small = seed < 1 << 12 and epoch < 1 << 20
    stream = (seed << 20) + epoch if small else zlib.crc32(f"{seed} {epoch}".encode())
    generator = torch.Generator().manual_seed(stream)
    torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
    return generator


def _report(label: str, rows: Sequence[Row], epochs: int, later: int) -> None:
    row = rows[-1]
    told = progress(label, [row["seconds"] for row in rows], epochs, later=later)
    logger.info(
        "%s: epoch %d of %d, loss %.4f, train %.3f, validation %.3f",
        *(label, row["epoch"], epochs, row["loss"]),
        *(row["train_accuracy"], row["validation_accuracy"]),
        extra={"progress": told, "training": label, "row": row},
    )


class _Saving:
    """Keep a training's state after its epochs, but spend little of the time on it."""

    def __init__(self, resume: Resume) -> None:
        self.resume = resume
        self.due = -math.inf

    def save(
        self, network: Network, optimisations: Sequence[Optimisation], rows: list[Row]
    ) -> None:
        """Keep the state after an epoch, unless that is too early."""
        started = time.perf_counter()
        if started < self.due:
            return
        self.resume.save(
            {
                "network": network.state_dict(),
                "optimisations": [optimisation.state_dict() for optimisation in optimisations],
                "rows": rows,
            }
        )
        self.due = started + (time.perf_counter() - started) / SAVING
