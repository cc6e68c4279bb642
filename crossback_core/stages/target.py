"""Stages of rules/target.smk: a backbone that reads the target, and the target trained on it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from crossback_core.checkpoint.network_file import dense_bytes, save_checkpoint
from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import accuracy, split_logits
from crossback_core.learning.kv_swap import reconstruct
from crossback_core.learning.settings import SwapSettings, TargetSettings, TrainingSettings
from crossback_core.learning.target import Outcome, pick_and_grow
from crossback_core.model.network import Network
from crossback_core.records import (
    BaselineRecord,
    EarlierTask,
    ProductRecord,
    SelectionRecord,
    StartRecord,
    TargetRecord,
    Tried,
    Verdict,
    from_values,
    origin,
    to_values,
    write_record,
)
from crossback_core.report.outcome import outcome_line
from crossback_core.runtime.device import resolve_device
from crossback_core.stages.common import (
    StrPath,
    accuracies_of,
    checkpoint_of,
    circumstances,
    forget,
    network_of,
    record_of,
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
    _check_backbone(network.newest.task, backbone, choice, selection)
    torch.manual_seed(seed)
    made = reconstruct(network, network_of(baseline), swapping)
    record = StartRecord(backbone=choice.backbone, target=choice.target, **vars(made))
    save_checkpoint(network, checkpoint, to_values(record))


def train_target(
    *,
    task_file: StrPath,
    initial: StrPath,
    backbone: StrPath,
    backbone_data: StrPath,
    baseline: StrPath,
    baseline_metrics: StrPath,
    selection: StrPath,
    checkpoint: StrPath,
    metrics: StrPath,
    history: StrPath,
    target: TargetSettings,
    training: TrainingSettings,
    device: str,
    seed: int,
    resume: StrPath,
) -> None:
    """Train a target on its backbone and compare it with its baseline (rule train_target)."""
    data = task_of(task_file)
    where = resolve_device(device)
    folder = Path(resume)
    own = record_of(BaselineRecord, baseline_metrics)
    choice = record_of(SelectionRecord, selection)
    start = checkpoint_of(initial, data)
    made = from_values(StartRecord, start.record, initial)
    _check_backbone(made.backbone, initial, choice, selection)
    target = target.at_rate_for(continued=made.continued)
    key = training_key(task_file, initial, settings=(target, training), seed=seed, device=where)
    made_of = {"task_file": task_file, "selection": selection, "backbone": backbone}
    made_of |= {"initial": initial, "baseline": baseline}
    outcome = pick_and_grow(
        lambda: deepcopy(start.network).to(where),
        data,
        goal=own.validation_accuracy,
        target=target,
        training=training,
        seed=seed,
        resume=lambda width: ResumeFile(folder / f"width_{width:g}.pt", (*key, width)),
    )
    tried = _tried(outcome, data, choice, made)
    verdict = _verdict(tried, own)
    kept_baseline = target.keep_better and verdict == "hurts"
    product = network_of(baseline, data) if kept_baseline else outcome.kept.network.cpu()
    record = ProductRecord(
        **_comparison(choice, tried, own, kept_baseline=kept_baseline),
        verdict=verdict,
        sparsity=None if kept_baseline else network_of(backbone).ownership.weights.sparsity(),
        **_weights(product, data.task),
        seconds=seconds_of([row for attempt in outcome.tried for row in attempt.rows]),
        **circumstances(data, seed=seed, device=where),
        **origin(settings={"target": target, "training": training}, parents=made_of),
    )
    measured = () if kept_baseline else ((backbone, backbone_data),)
    whole = _write_product(product, record, checkpoint, measured, unchecked=folder / "product.pt")
    write_csv(pd.DataFrame(outcome.kept.rows).assign(width=outcome.kept.width), history)
    write_record(whole, metrics)
    forget(resume)
    _tell(outcome_line(whole, dataset=Path(metrics).parent.name))


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


def _tried(outcome: Outcome, data: TaskData, choice: SelectionRecord, made: StartRecord) -> Tried:
    return Tried(
        backbone=choice.backbone,
        similarity=choice.similarity,
        swapped=made.swapped,
        continued=made.continued,
        width=outcome.kept.width,
        **accuracies_of(outcome.kept.network, data),
        validation_accuracy_by_width={
            f"{attempt.width:g}": attempt.validation_accuracy for attempt in outcome.tried
        },
    )


def _verdict(tried: Tried, own: BaselineRecord) -> Verdict:
    """Say by validation what the backbone does for the target."""
    if tried.validation_accuracy == own.validation_accuracy:
        return "equal"
    return "helps" if tried.validation_accuracy > own.validation_accuracy else "hurts"


def _comparison(
    choice: SelectionRecord, tried: Tried, own: BaselineRecord, *, kept_baseline: bool
) -> dict[str, Any]:
    """Return what a product reaches beside its baseline, and its backbone unless that is it."""
    product = own if kept_baseline else tried
    return {
        "target": choice.target,
        "modality": choice.modality,
        "backbone": None if kept_baseline else choice.backbone,
        "backbone_modality": None if kept_baseline else choice.backbone_modality,
        "similarity": None if kept_baseline else choice.similarity,
        "score": choice.score,
        "validation_accuracy": product.validation_accuracy,
        "test_accuracy": product.test_accuracy,
        "baseline_validation_accuracy": own.validation_accuracy,
        "baseline_test_accuracy": own.test_accuracy,
        "tried": tried,
    }


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
