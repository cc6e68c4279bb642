"""Stages of rules/backbone.smk: a network along its ladder of sparsities, and the level kept."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.learning.pruning import DENSE, climb, highest_sparsity
from crossback_core.learning.settings import LadderSettings, TrainingSettings
from crossback_core.records import (
    BaselineRecord,
    PruningRecord,
    origin,
    read_record,
    write_record,
)
from crossback_core.runtime.device import resolve_device
from crossback_core.stages.artifacts import StrPath, record_of
from crossback_core.stages.common import (
    accuracies_of,
    checkpoint_of,
    forget,
    level_chosen,
    network_of,
    seconds_of,
    task_of,
    training_key,
)
from crossback_core.storage.files import copy_file, read_csv, write_csv
from crossback_core.storage.resume import ResumeFile

logger = logging.getLogger(__name__)


def prune_backbone(
    *,
    task_file: StrPath,
    baseline: StrPath,
    levels: Sequence[StrPath],
    table: StrPath,
    pruning: LadderSettings,
    training: TrainingSettings,
    device: str,
    seed: int,
    resume: StrPath,
) -> None:
    """Prune a task's network along the ladder of sparsities (rule prune_backbone)."""
    data = task_of(task_file)
    where = resolve_device(device)
    resume = Path(resume)
    network = network_of(baseline, data).to(where)
    key = training_key(task_file, baseline, settings=(pruning, training), seed=seed, device=where)
    rows: list[dict[str, Any]] = []
    for sparsity, level in zip(pruning.sparsities, levels, strict=True):
        epochs = climb(
            network,
            data,
            sparsity,
            pruning=pruning,
            training=training,
            seed=seed,
            resume=ResumeFile(resume / f"sparsity_{sparsity:g}.pt", (*key, sparsity)),
            levels_left=len(levels) - len(rows) - 1,
        )
        row = {
            "sparsity": sparsity,
            "measured_sparsity": network.ownership.weights.sparsity(),
            **accuracies_of(network, data),
            "seconds": seconds_of(epochs),
        }
        save_checkpoint(network, level, {"task": data.task, **row})
        rows.append(row)
        logger.info("sparsity %g: validation %.4f", sparsity, row["validation_accuracy"])
    write_csv(pd.DataFrame(rows), table)
    forget(resume)


def choose_sparsity(
    *,
    baseline: StrPath,
    baseline_metrics: StrPath,
    table: StrPath,
    levels: Sequence[StrPath],
    checkpoint: StrPath,
    choice: StrPath,
    allowed_loss: float,
) -> None:
    """Choose the level of the ladder that becomes the backbone (rule choose_sparsity).

    The dense baseline is the answer where every level lost too much.
    """
    ladder = read_csv(table)
    dense = record_of(BaselineRecord, baseline_metrics)
    accuracies = dict(zip(ladder["sparsity"], ladder["validation_accuracy"], strict=True))
    files = dict(zip(ladder["sparsity"], levels, strict=True)) | {DENSE: baseline}
    sparsity = highest_sparsity(
        accuracies, baseline=dense.validation_accuracy, allowed_loss=allowed_loss
    )
    if sparsity == DENSE:
        logger.warning("every level lost more than %g: the dense baseline is taken", allowed_loss)
    rows: Sequence[Mapping[Any, Any]] = ladder[ladder["sparsity"] == sparsity].to_dict("records")
    _check_level(files[sparsity], {"task": dense.task, **dict(*rows)})
    copy_file(files[sparsity], checkpoint)
    parents = {"baseline_metrics": baseline_metrics, "table": table, "level": files[sparsity]}
    record = PruningRecord(
        task=dense.task,
        sparsity=sparsity,
        validation_accuracy=accuracies.get(sparsity, dense.validation_accuracy),
        baseline_validation_accuracy=dense.validation_accuracy,
        allowed_loss=allowed_loss,
        **origin(settings={"allowed_loss": allowed_loss}, parents=parents),
    )
    write_record(record, choice)


def _check_level(level: StrPath, said: Mapping[str, Any]) -> None:
    """Refuse a level that is of another task, or another one of the ladder, than its table says."""
    record = checkpoint_of(level).record
    found = {name: record.get(name) for name in said}
    if not all(_equal(found[name], value) for name, value in said.items()):
        raise ValueError(
            f"{level} holds {found}, but its ladder's table says {dict(said)}: remove the ladder's"
            " folder and run again"
        )


def _equal(one: object, other: object) -> bool:
    """Compare a value with what a table of digits says of it."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other)
    return one == other


def clean_ladders(*, ladders: Sequence[StrPath]) -> None:
    """Remove ladders that nothing needs (rule clean_ladders).

    Another `allowed_loss` needs one again, which then is pruned again.
    """
    for ladder in map(Path, ladders):
        chosen = read_record(PruningRecord, ladder.parent / "choice.json")
        if not level_chosen(ladder, chosen):
            logger.warning("kept %s: its level has not been chosen yet", ladder)
            continue
        size = sum(path.stat().st_size for path in ladder.glob("*.pt"))
        shutil.rmtree(ladder)
        logger.info("removed %s: %.1f MB", ladder, size / 1e6)
