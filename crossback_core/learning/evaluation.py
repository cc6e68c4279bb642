"""Logits and accuracy of a settled task, and what of its data it has seen before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from crossback_core.data.task_file import Split, TaskData
from crossback_core.model.body import Body
from crossback_core.model.network import Network, TaskModel
from crossback_core.section import shown
from crossback_core.wording import counted

logger = logging.getLogger(__name__)

BATCH = 256
VALUES = 2**22  # input values per batch: large pictures are evaluated a few at a time


def predict_logits(model: TaskModel, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Compute a task's logits in batches, in float32.

    Args:
        model: The task.
        values: Images or embedded texts, as `TaskModel.forward` takes them.
        mask: (samples, tokens) bool for texts.

    Returns:
        (samples, classes) on the CPU.

    Raises:
        ValueError: The inputs do not fit the task, or logits of them are NaN or infinite: there is
            no largest one then.
    """
    logits = _in_batches(model, values, mask, device=model.device)
    broken = int((~logits.isfinite()).any(dim=1).sum())
    if broken:
        raise ValueError(
            f"task {model.spec.task} has logits that are NaN or infinite for {broken} of"
            f" {len(logits)} inputs: their values are too large, or the network is broken"
        )
    return logits


def _in_batches(
    read: Callable[..., Tensor], values: Tensor, mask: Tensor | None, *, device: torch.device
) -> Tensor:
    """Read inputs in batches that fit the memory; return the result on the CPU."""
    with torch.no_grad():
        return torch.cat([read(*batch).cpu() for batch in _batches(values, mask, device)])


def batch_size(values: int) -> int:
    """Return how many inputs of so many values are computed at a time."""
    return min(BATCH, max(1, VALUES // values))


def _batches(
    values: Tensor, mask: Tensor | None, device: torch.device
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Cut inputs into batches that fit the memory."""
    if mask is not None and len(mask) != len(values):
        raise ValueError(f"{counted(len(values), 'input')}, but the mask is of {len(mask)}")
    batch = batch_size(values[0].numel())
    parts = torch.split(values, batch)
    masks = [None] * len(parts) if mask is None else torch.split(mask, batch)
    for part, real in zip(parts, masks, strict=True):
        yield part.to(device), None if real is None else real.to(device)


def split_features(model: TaskModel, split: Split) -> Tensor:
    """Compute what the head is given (samples, features) on a split of any task it can read."""
    return _in_batches(model.features, *split.inputs(), device=model.device)


def split_observed(
    model: TaskModel, split: Split, *, others: Sequence[Body] = ()
) -> list[tuple[Tensor, ...]]:
    """Compute what several bodies make of a split through one input, which reads it once.

    Args:
        model: Its input reads for all; its body is the first.
        split: Of any task that the model can read.
        others: More bodies, of the same width, on the same device.

    Returns:
        For each body what `Body.observe` returns, for all samples, on the CPU.
    """
    bodies = [model.body, *others]
    parts: list[list[tuple[Tensor, ...]]] = [[] for _ in bodies]
    with torch.no_grad():
        for batch in _batches(*split.inputs(), model.device):
            read = model.input(*batch)
            for body, found in zip(bodies, parts, strict=True):
                found.append(tuple(each.cpu() for each in body.observe(read)))
    return [tuple(map(torch.cat, zip(*found, strict=True))) for found in parts]


def split_logits(model: TaskModel, split: Split) -> Tensor:
    """Compute the logits (samples, classes) of all samples of a split."""
    return predict_logits(model, *split.inputs())


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the fraction of rows (samples, classes) whose largest logit is at the label."""
    return float((logits.argmax(dim=1) == labels).double().mean())


def confusion(logits: Tensor, labels: Tensor) -> Tensor:
    """Count the samples of each class (row) that are taken for each class (column).

    Args:
        logits: (samples, classes).
        labels: The true classes (samples,).

    Returns:
        int64 (classes, classes).
    """
    classes = logits.shape[1]
    pairs = labels * classes + logits.argmax(dim=1)
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes)


def balanced_accuracy(counts: Tensor) -> float:
    """Return the mean over the classes of the part of each that is right.

    Args:
        counts: From `confusion`; a class without a sample does not count.
    """
    samples = counts.sum(dim=1).double()
    parts = counts.diagonal() / samples
    return float(parts[samples > 0].mean())


def majority_accuracy(data: TaskData) -> float:
    """Return the test accuracy of always guessing the class of the most training samples.

    Of several classes with as many it is the mean.
    """
    samples = torch.bincount(data.train.labels, minlength=len(data.classes))
    shares = torch.bincount(data.test.labels, minlength=len(data.classes)) / len(data.test)
    return float(shares[samples == samples.max()].double().mean())


def split_accuracy(model: TaskModel, split: Split) -> float:
    """Return the accuracy on a split."""
    return accuracy(split_logits(model, split), split.labels)


def check_learned(network: Network, data: TaskData) -> None:
    """Refuse data of a task that a network has not learned, or learned other classes of.

    Raises:
        ValueError: It says what the data and the network have.
    """
    learned = network.specs[network.position(data.task) - 1].classes
    if data.classes != learned:
        pairs = zip_longest(data.classes, learned)
        place, (own, other) = next(each for each in enumerate(pairs, 1) if each[1][0] != each[1][1])
        raise ValueError(
            f"the data of task {data.task} has classes {shown(data.classes)}, the network"
            f" {shown(learned)}: class {place} is {shown(own)} and {shown(other)}"
        )


def count_seen(network: Network, data: TaskData, split: Split) -> int | None:
    """Count the samples of a split that a network has seen, in training or validation.

    Seen by the task of the data or by one before it, whatever its name or classes: the task picks
    among the weights that the earlier ones left. A later task changes nothing of it.

    Args:
        network: It has the task of the data.
        data: The task.
        split: One of its splits.

    Returns:
        How many, at least that where some tasks do not say what they have seen. None if nothing is
        known: the split has no hashes, or no sample is found and some tasks do not say.
    """
    tasks = network.seen[: network.position(data.task)]
    known = [seen for seen in tasks if seen is not None]
    if split.contents is None:
        return None
    found = sum(any(content in seen for seen in known) for content in split.contents)
    return found if found or len(known) == len(tasks) else None


def warn_of_seen(network: Network, data: TaskData) -> None:
    """Log how many test samples a network has seen before, if it has: a leak inside the data."""
    seen = count_seen(network, data, data.test)
    if seen:
        logger.warning(
            "%d of %d test samples of task %s are copies of samples that the network was trained or"
            " validated on: its test accuracy is too high; give copies one group",
            *(seen, len(data.test), data.task),
        )
