"""Logits and accuracy of a settled task."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from crossback_core.data.task_file import Split
from crossback_core.model.network import TaskModel

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
        ValueError: The inputs do not fit the task.
    """
    return _in_batches(model, values, mask, device=model.device)


def _in_batches(
    read: Callable[..., Tensor], values: Tensor, mask: Tensor | None, *, device: torch.device
) -> Tensor:
    """Read inputs in batches that fit the memory; return the result on the CPU."""
    if mask is not None and len(mask) != len(values):
        raise ValueError(f"{len(values)} inputs, but the mask is of {len(mask)}")
    batch = min(BATCH, max(1, VALUES // values[0].numel()))
    parts = torch.split(values, batch)
    masks = [None] * len(parts) if mask is None else torch.split(mask, batch)
    with torch.no_grad():
        outputs = [
            read(part.to(device), None if real is None else real.to(device)).cpu()
            for part, real in zip(parts, masks, strict=True)
        ]
    return torch.cat(outputs)


def split_features(model: TaskModel, split: Split) -> Tensor:
    """Compute what the head is given (samples, features) on a split of any task it can read."""
    return _in_batches(model.features, *split.inputs(), device=model.device)


def split_logits(model: TaskModel, split: Split) -> Tensor:
    """Compute the logits (samples, classes) of all samples of a split."""
    return predict_logits(model, *split.inputs())


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the fraction of rows (samples, classes) whose largest logit is at the label."""
    return float((logits.argmax(dim=1) == labels).double().mean())


def split_accuracy(model: TaskModel, split: Split) -> float:
    """Return the accuracy on a split."""
    return accuracy(split_logits(model, split), split.labels)
