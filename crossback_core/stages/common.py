"""What several stages share: how they load, identify and measure a network."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from crossback_core.checkpoint import CHECKPOINT_FORMAT
from crossback_core.checkpoint.network_file import load_checkpoint
from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import split_accuracy, warn_of_seen
from crossback_core.learning.training import Row
from crossback_core.model.network import Network
from crossback_core.storage.files import sha256
from crossback_core.version import NUMERICS

StrPath = str | Path

IDS = ("target", "candidate")  # columns of ids, which may look like numbers


def network_of(path: StrPath) -> Network:
    """Load a checkpoint's network."""
    return load_checkpoint(path).network


def training_key(
    *files: StrPath, settings: object, seed: int, device: torch.device
) -> tuple[object, ...]:
    """Return everything that determines a training and its state, down to what rounds otherwise."""
    rounding = (device.type, torch.get_num_threads(), torch.__version__)
    return (*map(sha256, files), settings, seed, *rounding, NUMERICS, CHECKPOINT_FORMAT)


def seconds_of(rows: Sequence[Row]) -> float:
    """Return the duration of a training, also of one that was interrupted and resumed."""
    return round(sum(row["seconds"] for row in rows), 3)


def forget(resume: StrPath) -> None:
    """Remove the state of a training whose artifacts are written."""
    shutil.rmtree(resume, ignore_errors=True)


def accuracies_of(network: Network, data: TaskData) -> dict[str, Any]:
    """Return the accuracy on what decides and on what is only reported."""
    warn_of_seen(network, data)
    model = network.settled(data.task)
    return {
        "validation_accuracy": split_accuracy(model, data.validation),
        "test_accuracy": split_accuracy(model, data.test),
    }


def circumstances(data: TaskData, *, seed: int, device: torch.device) -> dict[str, Any]:
    """Return what a `TrainingRecord` says of numbers of samples, the seed and the machine."""
    return {
        "train_samples": len(data.train),
        "validation_samples": len(data.validation),
        "test_samples": len(data.test),
        "seed": seed,
        "device": device.type,
        "threads": torch.get_num_threads(),
    }
