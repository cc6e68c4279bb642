"""What several stages share: how they load, identify and measure a network."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from crossback_core.checkpoint import CHECKPOINT_FORMAT, load_checkpoint
from crossback_core.data.task_file import TaskData
from crossback_core.files import sha256
from crossback_core.learning.evaluation import split_accuracy
from crossback_core.learning.training import Row
from crossback_core.model.network import Network

StrPath = str | Path


def network_of(path: StrPath) -> Network:
    """Load a checkpoint's network."""
    return load_checkpoint(path).network


def training_key(
    *files: StrPath, settings: object, seed: int, device: torch.device, version: int
) -> tuple[object, ...]:
    """Everything that determines a training and its state, down to what rounds differently."""
    rounding = (device.type, torch.get_num_threads(), torch.__version__)
    return (*map(sha256, files), settings, seed, *rounding, version, CHECKPOINT_FORMAT)


def seconds_of(rows: Sequence[Row]) -> float:
    """Duration of a training, also of one that was interrupted and resumed."""
    return round(sum(row["seconds"] for row in rows), 3)


def forget(resume: StrPath) -> None:
    """Remove the state of a training whose artifacts are written."""
    shutil.rmtree(resume, ignore_errors=True)


def accuracies_of(network: Network, data: TaskData) -> dict[str, float]:
    """Accuracy on what decides and on what is only reported."""
    model = network.settled(data.task)
    return {
        "validation_accuracy": split_accuracy(model, data.validation),
        "test_accuracy": split_accuracy(model, data.test),
    }


def sizes_of(data: TaskData) -> dict[str, int]:
    """Numbers of samples."""
    return {
        "train_samples": len(data.train),
        "validation_samples": len(data.validation),
        "test_samples": len(data.test),
    }
