"""Stage of rules/baseline.smk: a network trained on one task from scratch."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.data.task_file import TaskData
from crossback_core.learning.settings import TrainingSettings
from crossback_core.learning.training import fit, step_count, weight_optimisation
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.settings import ModelSettings
from crossback_core.records import BaselineRecord, origin, to_values, write_record
from crossback_core.runtime.device import resolve_device
from crossback_core.stages.artifacts import StrPath
from crossback_core.stages.common import (
    accuracies_of,
    circumstances,
    forget,
    seconds_of,
    task_of,
    training_key,
)
from crossback_core.storage.files import write_csv
from crossback_core.storage.resume import ResumeFile


def train_baseline(
    *,
    task_file: StrPath,
    checkpoint: StrPath,
    metrics: StrPath,
    history: StrPath,
    model: ModelSettings,
    training: TrainingSettings,
    device: str,
    seed: int,
    resume: StrPath,
) -> None:
    """Train one task from scratch (rule train_baseline)."""
    data = task_of(task_file)
    where = resolve_device(device)
    network = _new_network(data, model, seed).to(where)
    steps = step_count(data, training)
    key = training_key(task_file, settings=(model, training), seed=seed, device=where)
    rows = fit(
        network,
        data,
        training,
        [weight_optimisation(network.trainable_parameters(), training, steps)],
        seed=seed,
        label=f"baseline of task {data.called}",
        resume=ResumeFile(Path(resume) / "training.pt", key),
    )
    record = BaselineRecord(
        task=data.task,
        modality=data.modality,
        classes=data.classes,
        **accuracies_of(network, data),
        seconds=seconds_of(rows),
        **circumstances(data, seed=seed, device=where),
        **origin(settings={"model": model, "training": training}, parents={"task_file": task_file}),
    )
    save_checkpoint(network, checkpoint, to_values(record))
    write_csv(pd.DataFrame(rows), history)
    write_record(record, metrics)
    forget(resume)


def _new_network(data: TaskData, model: ModelSettings, seed: int) -> Network:
    torch.manual_seed(seed)
    network = Network(Perceiver(model))
    spec = TaskSpec(data.task, data.modality, data.classes, data.channels, name=data.name)
    network.add_task(spec, recipe=data.recipe)
    return network
