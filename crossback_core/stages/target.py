"""Stages of rules/target.smk: a backbone that reads the target, and the target trained on it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from crossback_core.checkpoint.network_file import dense_bytes, save_checkpoint
from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import (
    accuracy,
    balanced_accuracy,
    confusion,
    majority_accuracy,
    split_logits,
)
from crossback_core.learning.kv_swap import reconstruct
from crossback_core.learning.settings import SwapSettings, TargetSettings, TrainingSettings
from crossback_core.learning.target import Outcome, pick_and_grow
from crossback_core.learning.verdict import NO_CANDIDATE, Comparison, Run, compare
from crossback_core.model.network import Network
from crossback_core.records import (
    BaselineRecord,
    EarlierTask,
    ProductRecord,
    SelectionRecord,
    StartRecord,
    TargetRecord,
    Tried,
    from_values,
    origin,
    to_values,
    write_record,
)
from crossback_core.report.outcome import outcome_line
from crossback_core.runtime.device import resolve_device
from crossback_core.stages.artifacts import StrPath, record_of
from crossback_core.stages.common import (
    accuracies_of,
    checkpoint_of,
    circumstances,
    forget,
    network_of,
    run_of,
    runs_of,
    seconds_of,
    task_of,
    training_key,
)
from crossback_core.storage.files import copy_file, write_csv
from crossback_core.storage.resume import ResumeFile

logger = logging.getLogger(__name__)


def swap_kv(
    *,
    selection: StrPath,
    backbone: StrPath,
    baseline: StrPath,
    checkpoint: StrPath,
    swapping: SwapSettings,
    seed: int,
) -> None:
    """Let a backbone read its target's modality (rule swap_kv)."""
    choice = record_of(SelectionRecord, selection)
    network = network_of(backbone)
    source = network.newest.task
    _check_backbone(source, backbone, choice, selection)
    torch.manual_seed(seed)
    made = reconstruct(network, network_of(baseline), swapping)
    record = StartRecord(backbone=source, target=choice.target, **vars(made))
    save_checkpoint(network, checkpoint, to_values(record))


@dataclass(frozen=True)
class _Job:
    """What a target is trained with, and what it is compared with."""

    data: TaskData
    choice: SelectionRecord
    alone: BaselineRecord
    baseline: Network
    target: TargetSettings
    training: TrainingSettings
    seed: int
    device: torch.device
    resume: Path


@dataclass(frozen=True)
class _OnBackbone:
    """A target as it came out on its backbone."""

    outcome: Outcome
    tried: Tried
    comparison: Comparison


def train_target(
    *,
    task_file: StrPath,
    initial: Sequence[StrPath],
    backbone: Sequence[StrPath],
    backbone_data: Sequence[StrPath],
    baseline: StrPath,
    baseline_metrics: StrPath,
    selection: StrPath,
    trials: Sequence[StrPath],
    checkpoint: StrPath,
    metrics: StrPath,
    history: StrPath,
    target: TargetSettings,
    training: TrainingSettings,
    device: str,
    seed: int,
    resume: StrPath,
) -> None:
    """Train a target on its backbone and compare it with its baseline (rule train_target).

    `initial`, `backbone` and `backbone_data` are one file each, or none where no candidate was
    chosen: the product is the baseline then. `trials` are further trainings for the verdict.
    """
    data = task_of(task_file)
    choice = record_of(SelectionRecord, selection)
    own = record_of(BaselineRecord, baseline_metrics)
    where = resolve_device(device)
    folder = Path(resume)
    compared = network_of(baseline, data)
    job = _Job(data, choice, own, compared, target, training, seed, where, folder)
    made_of = {"task_file": task_file, "selection": selection, "baseline": baseline}
    reached = None
    if choice.backbone is not None:
        made_of |= {"backbone": backbone[0], "initial": initial[0]}
        runs = runs_of(trials, candidate=choice.backbone, seed=seed, tested=len(data.test))
        reached = _train(job, task_file, initial[0], runs, selection=selection)
    made_of |= {f"trial_{number}": path for number, path in enumerate(trials, start=1)}
    product, result = _result(job, reached)
    on_backbone = product is not job.baseline
    record = ProductRecord(
        **result,
        sparsity=network_of(backbone[0]).ownership.weights.sparsity() if on_backbone else None,
        **_weights(product, data.task),
        **circumstances(data, seed=seed, device=where),
        **origin(settings={"target": target, "training": training}, parents=made_of),
    )
    earlier = list(zip(backbone, backbone_data, strict=True)) if on_backbone else []
    whole = _write_product(product, record, checkpoint, earlier, unchecked=folder / "product.pt")
    write_csv(_history(reached), history)
    write_record(whole, metrics)
    forget(resume)
    _tell(outcome_line(whole, dataset=Path(metrics).parent.name))


def _train(
    job: _Job, task_file: StrPath, initial: StrPath, others: Sequence[Run], *, selection: StrPath
) -> _OnBackbone:
    """Train the target from what `swap_kv` made, and compare it with its baseline."""
    start = checkpoint_of(initial, job.data)
    made = from_values(StartRecord, start.record, initial)
    _check_backbone(made.backbone, initial, job.choice, selection)
    settings = job.target.training.at_rate_for(continued=made.continued)
    key = training_key(
        task_file, initial, settings=(settings, job.training), seed=job.seed, device=job.device
    )
    outcome = pick_and_grow(
        lambda: deepcopy(start.network).to(job.device),
        job.data,
        goal=job.alone.validation_accuracy,
        target=settings,
        training=job.training,
        seed=job.seed,
        resume=lambda width: ResumeFile(job.resume / f"width_{width:g}.pt", (*key, width)),
    )
    run = run_of(outcome.kept.network.cpu(), job.baseline, job.data)
    return _OnBackbone(
        outcome,
        _tried(outcome, job, made),
        compare(run, others, judged_by=job.target.judged_by),
    )


def _result(job: _Job, reached: _OnBackbone | None) -> tuple[Network, dict[str, Any]]:
    """Return the product, and what it reaches beside its baseline."""
    verdict = reached.comparison.gain.verdict if reached else NO_CANDIDATE
    keeps = reached is None or (job.target.keep_better and verdict == "hurts")
    product = job.baseline if reached is None or keeps else reached.outcome.kept.network
    attempts = reached.outcome.tried if reached else ()
    chosen = job.alone if reached is None or keeps else reached.tried
    own_logits = split_logits(job.baseline.settled(job.data.task), job.data.test)
    return product, {
        **_backbone_of(None if keeps else job.choice),
        "target": job.data.task,
        "modality": job.data.modality,
        "score": job.choice.score,
        "verdict": verdict,
        "comparison": reached and reached.comparison,
        "tried": reached and reached.tried,
        "validation_accuracy": chosen.validation_accuracy,
        "test_accuracy": chosen.test_accuracy,
        **_by_class(product, job.data),
        "baseline_validation_accuracy": job.alone.validation_accuracy,
        "baseline_test_accuracy": job.alone.test_accuracy,
        "baseline_test_balanced_accuracy": balanced_accuracy(
            confusion(own_logits, job.data.test.labels)
        ),
        "seconds": seconds_of([row for attempt in attempts for row in attempt.rows]),
    }


def _backbone_of(choice: SelectionRecord | None) -> dict[str, Any]:
    names = ("backbone", "backbone_modality", "similarity")
    return {name: getattr(choice, name, None) for name in names}


def _by_class(network: Network, data: TaskData) -> dict[str, Any]:
    """Return what a product makes of each class of the test split, and a guess without one."""
    counts = confusion(split_logits(network.settled(data.task), data.test), data.test.labels)
    taken = {
        name: {other: count for other, count in zip(data.classes, row, strict=True) if count}
        for name, row in zip(data.classes, counts.tolist(), strict=True)
    }
    return {
        "test_balanced_accuracy": balanced_accuracy(counts),
        "test_confusion": taken,
        "majority_test_accuracy": majority_accuracy(data),
    }


def _history(reached: _OnBackbone | None) -> pd.DataFrame:
    """Return the rows of the training that was kept; a table without any where there was none."""
    if reached is None:
        return pd.DataFrame(columns=["epoch"])
    kept = reached.outcome.kept
    return pd.DataFrame(kept.rows).assign(width=kept.width)


def _write_product(
    product: Network,
    record: ProductRecord,
    checkpoint: StrPath,
    earlier: Sequence[tuple[StrPath, StrPath]],
    *,
    unchecked: Path,
) -> TargetRecord:
    """Write a product, once its file is found to compute its earlier tasks as before.

    Args:
        product: The network.
        record: What is known of it.
        checkpoint: Where it is written to.
        earlier: The network and the data of each task that it knew before.
        unchecked: Where it is until then.

    Returns:
        The record with what its file was found to be.
    """
    save_checkpoint(product, unchecked, to_values(record))
    measured = tuple(_earlier_task(network, unchecked, data) for network, data in earlier)
    copy_file(unchecked, checkpoint)
    size = Path(checkpoint).stat().st_size
    return TargetRecord(**vars(record), checkpoint_bytes=size, earlier_tasks=measured)


def _tell(line: str) -> None:
    """Write a line into the log, and onto the screen."""
    logger.info(line, extra={"result": line})


def _tried(outcome: Outcome, job: _Job, made: StartRecord) -> Tried:
    return Tried(
        backbone=made.backbone,
        similarity=job.choice.similarity,
        swapped=made.swapped,
        continued=made.continued,
        width=outcome.kept.width,
        **accuracies_of(outcome.kept.network, job.data),
        validation_accuracy_by_width={
            f"{attempt.width:g}": attempt.validation_accuracy for attempt in outcome.tried
        },
    )


def _weights(network: Network, task: str) -> dict[str, Any]:
    """Return tasks, width, sizes, and how the masked weights are shared out among the tasks."""
    shares = network.ownership.weights.shares(network.position(task))
    return {
        "classes": {spec.task: spec.classes for spec in network.specs},
        "width": network.tasks[task].width,
        "owned_fraction": shares.owned,
        "picked_fraction": shares.picked,
        "free_fraction": shares.free,
        "dense_bytes": dense_bytes(network, task),
    }


def _check_backbone(found: str, path: StrPath, choice: SelectionRecord, selection: StrPath) -> None:
    """Refuse a file that was made of another backbone than was chosen."""
    if found != choice.backbone:
        raise ValueError(
            f"{path} is of task {found}, but {selection} chose {choice.backbone}: remove both and"
            " run again"
        )


def _earlier_task(backbone: StrPath, product: StrPath, backbone_data: StrPath) -> EarlierTask:
    """Measure the backbone's task before and after, each from the file on disk.

    Raises:
        ValueError: It does not compute as it did.
    """
    data = task_of(backbone_data)
    before, after = (
        split_logits(network_of(path, data).settled(data.task), data.test)
        for path in (backbone, product)
    )
    if not torch.equal(before, after):
        raise ValueError(
            f"task {data.task} of {backbone} computes other logits in the product, which therefore"
            f" was not written (it is {product}): this is a fault of the software or the machine;"
            " run again, and report it if it stays"
        )
    return EarlierTask(
        task=data.task,
        test_accuracy_before=accuracy(before, data.test.labels),
        test_accuracy_after=accuracy(after, data.test.labels),
        logits_identical=True,
    )
