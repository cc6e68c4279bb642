"""What several stages share: how they load, identify and measure a network."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from crossback_core.checkpoint import CHECKPOINT_FORMAT
from crossback_core.checkpoint.network_file import Checkpoint, load_checkpoint
from crossback_core.data.task_file import TaskData, load_task
from crossback_core.learning.evaluation import (
    check_learned,
    split_accuracy,
    split_logits,
    warn_of_seen,
)
from crossback_core.learning.resuming import Row
from crossback_core.learning.verdict import Run, outcomes
from crossback_core.model.network import Network
from crossback_core.records import PairRecord, PruningRecord
from crossback_core.stages.artifacts import StrPath, check_place, record_of
from crossback_core.storage.files import sha256
from crossback_core.version import NUMERICS
from crossback_core.wording import counted


def level_chosen(ladder: Path, choice: PruningRecord) -> bool:
    """Say whether a backbone's level was chosen from the ladder as it is now."""
    return choice.parents["table"].sha256 == sha256(ladder.parent / "pruning.csv")


def task_of(path: StrPath) -> TaskData:
    """Load a task file, of the task that its path says."""
    data = load_task(path)
    check_place(path, data.task)
    return data


def checkpoint_of(path: StrPath, data: TaskData | None = None) -> Checkpoint:
    """Load a checkpoint whose newest task is what its path says.

    Args:
        path: The checkpoint.
        data: A task that the network has to have learned, if any.
    """
    checkpoint = load_checkpoint(path)
    check_place(path, checkpoint.network.newest.task)
    if data is not None:
        try:
            check_learned(checkpoint.network, data)
        except ValueError as error:
            raise ValueError(f"{path}: {error}; remove it and run again") from error
    return checkpoint


def network_of(path: StrPath, data: TaskData | None = None) -> Network:
    """Load the network of a checkpoint, see `checkpoint_of`."""
    return checkpoint_of(path, data).network


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


def run_of(network: Network, baseline: Network, data: TaskData) -> Run:
    """Return what a target's network and its baseline make of the samples not trained on."""
    first, second = (each.settled(data.task) for each in (network, baseline))
    signs = (
        outcomes(split_logits(first, split), split_logits(second, split), split.labels)
        for split in (data.validation, data.test)
    )
    return Run(*signs)


def runs_of(trials: Sequence[StrPath], *, candidate: str, seed: int, tested: int) -> list[Run]:
    """Read what further trainings of a target answered: each one of its own.

    Args:
        trials: Their records.
        candidate: The backbone that they have to be from.
        seed: Of the target's own training: none of them may have it.
        tested: Number of test samples.
    """
    records = [record_of(PairRecord, path) for path in trials]
    seeds = [seed]
    for path, record in zip(trials, records, strict=True):
        problem = _problem(record, candidate, seeds, tested)
        if problem:
            raise ValueError(f"{path} {problem}: remove it and run again")
        seeds.append(record.seed)
    return [Run(record.validation_outcomes, record.test_outcomes) for record in records]


def _problem(trial: PairRecord, candidate: str, seeds: Sequence[int], tested: int) -> str:
    """Say why a training has no part in the verdict, or nothing."""
    if trial.candidate != candidate:
        return f"is a training from {trial.candidate}, but {candidate} was chosen"
    if trial.seed in seeds:
        return f"is a training of seed {trial.seed}, as another of them is"
    if len(trial.test_outcomes) != tested:
        return f"has answers to {counted(len(trial.test_outcomes), 'test sample')}, not {tested}"
    return ""


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
