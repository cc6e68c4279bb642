"""Logits and accuracy of a task; nothing of the network changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from crossback_core.data.task_file import Split
from crossback_core.model.adapters import InputProjection
from crossback_core.model.network import Network

BATCH = 256
VALUES = 2**22  # input values a batch: large pictures are evaluated a few at a time


@contextmanager
def evaluating(network: Network) -> Iterator[None]:
    """Switch dropout and gradients off, and put the mode back afterwards."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(was_training)


def predict_logits(
    network: Network, task: int, values: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Compute a task's logits in batches, in float32.

    Args:
        network: Holds the task.
        task: Id of the task.
        values: Images or embedded texts, as `Network.forward` takes them.
        mask: (samples, tokens) bool for texts.

    Returns:
        (samples, classes) on the CPU.

    Raises:
        ValueError: The network has no such task, or the inputs do not fit it.
    """
    return _in_batches(network, partial(network, task), values, mask)


def _in_batches(
    network: Network, read: Callable[..., Tensor], values: Tensor, mask: Tensor | None
) -> Tensor:
    """Read inputs in batches of a size that fits the memory; returns what was read, on the CPU."""
    if mask is not None and len(mask) != len(values):
        raise ValueError(f"{len(values)} inputs, but the mask is of {len(mask)}")
    device = next(network.parameters()).device
    batch = min(BATCH, max(1, VALUES // values[0].numel()))
    parts = torch.split(values, batch)
    masks = [None] * len(parts) if mask is None else torch.split(mask, batch)
    with evaluating(network):
        outputs = [
            read(part.to(device), None if real is None else real.to(device)).cpu()
            for part, real in zip(parts, masks, strict=True)
        ]
    return torch.cat(outputs)


def split_features(
    network: Network, split: Split, *, projection: InputProjection | None = None
) -> Tensor:
    """Compute what the head of the newest task is given (samples, latent_dim) on a split.

    Args:
        network: Its newest task reads.
        split: Of any task that the projection reads.
        projection: Input projection to read through; the newest task's own if None.
    """
    read = partial(network.features, network.newest.task, projection=projection)
    return _in_batches(network, read, *split.inputs())


def split_logits(network: Network, task: int, split: Split) -> Tensor:
    """Compute the logits (samples, classes) of all samples of a split."""
    return predict_logits(network, task, *split.inputs())


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the fraction of rows (samples, classes) whose largest logit is at the label."""
    return float((logits.argmax(dim=1) == labels).double().mean())


def split_accuracy(network: Network, task: int, split: Split) -> float:
    """Return the accuracy of a task on a split."""
    return accuracy(split_logits(network, task, split), split.labels)
