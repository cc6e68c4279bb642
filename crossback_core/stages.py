"""One function a rule of the workflow: paths and settings in, files out.

Argument names are those of the rule's input, output and params. Every function can be called
without Snakemake. `version` is part of each signature that computes numbers: raising it in
`crossback_core.NUMERICS` makes Snakemake compute them again.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from crossback_core.checkpoint import dense_bytes, load_checkpoint, save_checkpoint
from crossback_core.data import load_index, load_task, make_index, make_task, save_index, save_task
from crossback_core.data.download import check_file, download
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import RemoteFile
from crossback_core.data.task_file import TaskData
from crossback_core.data.unpack import unpack
from crossback_core.files import (
    atomic_write,
    read_csv,
    read_json,
    write_csv,
    write_json,
    write_text,
)
from crossback_core.learning.evaluation import accuracy, split_logits
from crossback_core.learning.kv_swap import reconstruct
from crossback_core.learning.pruning import DENSE, climb, highest_sparsity
from crossback_core.learning.settings import (
    LadderSettings,
    SwapSettings,
    TargetSettings,
    TrainingSettings,
)
from crossback_core.learning.target import Outcome, pick_and_grow
from crossback_core.learning.training import fit, step_count, weight_optimisation
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.settings import ModelSettings
from crossback_core.provenance import origin, provenance, resolve_device
from crossback_core.report import (
    PruningCurve,
    ReportInputs,
    TrainingCurve,
    format_table,
    summary_table,
    write_report,
)
from crossback_core.resume import ResumeFile
from crossback_core.selection import comparison
from crossback_core.selection.choice import choose_backbone
from crossback_core.selection.settings import Candidates, ProbeSettings
from crossback_core.stage_parts import (
    StrPath,
    accuracies_of,
    forget,
    network_of,
    seconds_of,
    sizes_of,
    training_key,
)

logger = logging.getLogger(__name__)


def download_file(*, file: StrPath, source: RemoteFile) -> None:
    """Fetch one file of a published data set (rule download_file)."""
    download(source, file)


def unpack_data(
    *, files: Sequence[StrPath], listing: StrPath, sources: Sequence[RemoteFile]
) -> None:
    """Unpack the files of a data set, once they are what they should be (rule unpack_data)."""
    listing = Path(listing)
    pairs = list(zip(sources, map(Path, files), strict=True))
    checksums = [check_file(source, file) for source, file in pairs]
    lines = [f"{source.name} {sum_}\n" for source, sum_ in zip(sources, checksums, strict=True)]
    unpack(
        {source.name: file for source, file in pairs},
        listing.parent,
        notes={listing.name: "".join(lines)},
    )


def prepare_index(
    *,
    raw: StrPath,
    index: StrPath,
    skipped: StrPath,
    dataset: DatasetSettings,
    seed: int,
    version: int,
) -> None:
    """List the samples of a data set and their splits (rule prepare_index)."""
    samples, left_out = make_index(raw, settings=dataset, seed=seed)
    write_csv(left_out, skipped)
    save_index(samples, index)


def prepare_task(
    *,
    index: StrPath,
    raw: StrPath,
    task_file: StrPath,
    skipped: StrPath,
    task: int,
    members: Sequence[int],
    dataset: DatasetSettings,
    train_per_class: int | None,
    seed: int,
    version: int,
    threads: int = 1,
) -> None:
    """Make the tensors of one task or wide task (rule prepare_task).

    The number of threads, which decode pictures, has no influence on the result.
    """
    data, left_out = make_task(
        load_index(index),
        raw,
        settings=dataset,
        task=task,
        members=members,
        train_per_class=train_per_class,
        seed=seed,
        threads=threads,
    )
    write_csv(left_out, skipped)
    save_task(data, task_file)


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
    version: int,
) -> None:
    """Train one task from scratch (rule train_baseline)."""
    data, where = load_task(task_file), resolve_device(device)
    torch.manual_seed(seed)
    network = Network(Perceiver(model))
    network.add_task(TaskSpec(data.task, data.modality, data.classes, data.channels))
    network.to(where)
    weights = weight_optimisation(
        network.trainable_parameters(), training, step_count(data, training)
    )
    key = training_key(
        task_file, settings=(model, training), seed=seed, device=where, version=version
    )
    rows = fit(
        network,
        data,
        training,
        [weights],
        seed=seed,
        label=f"baseline of task {data.task}",
        resume=ResumeFile(Path(resume) / "training.pt", key),
    )
    record = {
        "task": data.task,
        "modality": data.modality,
        "classes": list(data.classes),
        **accuracies_of(network, data),
        **sizes_of(data),
        "seconds": seconds_of(rows),
        **provenance(
            seed=seed,
            device=where,
            settings={"model": model, "training": training},
            parents={"task_file": task_file},
        ),
    }
    save_checkpoint(network, checkpoint, record)
    write_csv(pd.DataFrame(rows), history)
    write_json(record, metrics)
    forget(resume)


def measure_similarity(
    *,
    target_data: StrPath,
    target_baseline: StrPath,
    candidate_data: Sequence[StrPath],
    candidate_baselines: Sequence[StrPath],
    similarity: StrPath,
    probing: ProbeSettings,
    seed: int,
    version: int,
) -> None:
    """Score every candidate for a target by every metric (rule measure_similarity)."""
    target = comparison.Target(_trained(target_baseline, target_data), probing, seed=seed)
    rows = []
    for baseline, task_file in zip(candidate_baselines, candidate_data, strict=True):
        candidate = _trained(baseline, task_file)
        rows.append(
            {
                "target": target.data.task,
                "target_modality": target.data.modality,
                "candidate": candidate.data.task,
                "modality": candidate.data.modality,
                **target.scores(candidate),
            }
        )
        logger.info("candidate %s: %s", rows[-1]["candidate"], rows[-1])
    write_csv(pd.DataFrame(rows), similarity)


def collect_similarity(*, similarities: Sequence[StrPath], matrix: StrPath) -> None:
    """Put the similarities of all targets into one table (rule collect_similarity)."""
    write_csv(pd.concat([read_csv(path) for path in similarities]), matrix)


def select_backbone(
    *, similarity: StrPath, selection: StrPath, target: int, candidates: Candidates, metric: str
) -> None:
    """Choose the candidate of the highest score as a target's backbone (rule select_backbone)."""
    scores = read_csv(similarity)
    if metric not in scores:
        raise ValueError(
            f"{similarity} has no scores {metric!r}: it has {', '.join(map(str, scores))}"
        )
    choice = choose_backbone(
        scores.assign(similarity=scores[metric]),
        target=target,
        candidates=candidates,
        metric=metric,
    )
    settings = {"candidates": candidates, "metric": metric}
    record = origin(settings=settings, parents={"similarity": similarity})
    write_json(choice.to_dict() | record, selection)


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
    version: int,
) -> None:
    """Prune a task's network along the ladder of sparsities (rule prune_backbone)."""
    data, where, resume = load_task(task_file), resolve_device(device), Path(resume)
    network = network_of(baseline).to(where)
    settings = (pruning, training)
    key = training_key(
        task_file, baseline, settings=settings, seed=seed, device=where, version=version
    )
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
        )
        row = {
            "sparsity": sparsity,
            "measured_sparsity": network.ownership.sparsity(),
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
    rungs, dense = read_csv(table), read_json(baseline_metrics)
    bar = dense["validation_accuracy"]
    accuracies = dict(zip(rungs["sparsity"], rungs["validation_accuracy"], strict=True))
    sparsity = highest_sparsity(accuracies, baseline=bar, allowed_loss=allowed_loss)
    files = dict(zip(rungs["sparsity"], levels, strict=True)) | {DENSE: baseline}
    if sparsity == DENSE:
        logger.warning("every level lost more than %g: the dense baseline is taken", allowed_loss)
    with atomic_write(checkpoint) as file, Path(files[sparsity]).open("rb") as source:
        shutil.copyfileobj(source, file)
    parents = {"baseline_metrics": baseline_metrics, "table": table, "level": files[sparsity]}
    record = {
        "task": dense["task"],
        "sparsity": sparsity,
        "validation_accuracy": accuracies.get(sparsity, bar),
        "baseline_validation_accuracy": bar,
        "allowed_loss": allowed_loss,
        **origin(settings={"allowed_loss": allowed_loss}, parents=parents),
    }
    write_json(record, choice)


def swap_kv(
    *,
    selection: StrPath,
    backbone: StrPath,
    baseline: StrPath,
    checkpoint: StrPath,
    swapping: SwapSettings,
    seed: int,
    version: int,
) -> None:
    """Let a backbone read its target's modality (rule swap_kv)."""
    choice, network = read_json(selection), network_of(backbone)
    if network.newest.task != choice["backbone"]:
        raise ValueError(
            f"{backbone} holds task {network.newest.task}, but {selection} chose"
            f" {choice['backbone']}: remove both and run again"
        )
    torch.manual_seed(seed)
    begun = reconstruct(network, network_of(baseline), swapping)
    record = {"backbone": choice["backbone"], "target": choice["target"], **asdict(begun)}
    save_checkpoint(network, checkpoint, record)


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
    version: int,
) -> None:
    """Train a target on its backbone and compare it with its baseline (rule train_target)."""
    data, where = load_task(task_file), resolve_device(device)
    bar, choice, folder = read_json(baseline_metrics), read_json(selection), Path(resume)
    start = load_checkpoint(initial)
    target = target.at_rate_for(continued=start.record["continued"])
    settings = (target, training)
    key = training_key(
        task_file, initial, settings=settings, seed=seed, device=where, version=version
    )
    outcome = pick_and_grow(
        lambda: deepcopy(start.network).to(where),
        data,
        bar=bar["validation_accuracy"],
        target=target,
        training=training,
        seed=seed,
        resume=lambda width: ResumeFile(folder / f"width_{width:g}.pt", (*key, width)),
    )
    tried = _tried(outcome, data, choice, start.record)
    verdict = _verdict(tried["validation_accuracy"], bar["validation_accuracy"])
    kept_baseline = target.keep_better and verdict == "hurts"
    product = network_of(baseline) if kept_baseline else outcome.kept.network.cpu()
    record = {
        **_selection_part(choice, kept_baseline),
        "verdict": verdict,
        **_accuracies_part(bar if kept_baseline else tried, bar),
        "tried": tried,
        **sizes_of(data),
        "sparsity": None if kept_baseline else network_of(backbone).ownership.sparsity(),
        **_weights_part(product, data.task),
        "seconds": seconds_of([row for trained in outcome.tried for row in trained.rows]),
        **provenance(
            seed=seed,
            device=where,
            settings={"target": target, "training": training},
            parents={
                "task_file": task_file,
                "selection": selection,
                "backbone": backbone,
                "initial": initial,
                "baseline": baseline,
            },
        ),
    }
    save_checkpoint(product, checkpoint, record)
    earlier = [] if kept_baseline else _earlier_tasks(backbone, checkpoint, backbone_data)
    size = {"checkpoint_bytes": Path(checkpoint).stat().st_size, "earlier_tasks": earlier}
    write_csv(pd.DataFrame(outcome.kept.rows).assign(width=outcome.kept.width), history)
    write_json(record | size, metrics)
    forget(resume)


def summarize(
    *,
    metrics: Sequence[StrPath],
    histories: Sequence[StrPath],
    matrix: StrPath,
    tables: Sequence[StrPath],
    choices: Sequence[StrPath],
    summary: StrPath,
    text: StrPath,
    report: StrPath,
    wide: Mapping[int, str],
) -> None:
    """Make the table of a data set's targets and the report (rule summarize)."""
    records = [read_json(path) for path in metrics]
    folder = Path(summary).parent
    frame = summary_table(records)
    write_csv(frame, summary)
    write_text(format_table(frame, folder=folder.as_posix(), wide=wide), text)
    inputs = ReportInputs(
        dataset=folder.name,
        metrics=records,
        summary=frame,
        wide=wide,
        matrix=_scored_matrix(read_csv(matrix), records),
        pruning=dict(map(_pruning_curve, tables, choices)),
        histories=dict(map(_training_curve, histories, records)),
    )
    write_report(inputs, report)


def _scored_matrix(matrix: pd.DataFrame, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Name the similarity that decided, and mark the candidate that it chose."""
    tried = {record["target"]: record["tried"]["backbone"] for record in records}
    return matrix.assign(
        similarity=matrix[records[0]["metric"]],
        selected=matrix["target"].map(tried) == matrix["candidate"],
    )


def _pruning_curve(table: StrPath, choice: StrPath) -> tuple[int, PruningCurve]:
    chosen = read_json(choice)
    curve = PruningCurve(
        levels=read_csv(table),
        baseline=chosen["baseline_validation_accuracy"],
        allowed_loss=chosen["allowed_loss"],
        chosen=chosen["sparsity"],
    )
    return chosen["task"], curve


def _training_curve(history: StrPath, record: dict[str, Any]) -> tuple[str, TrainingCurve]:
    bar = record["baseline_validation_accuracy"]
    return f"target {record['target']}", TrainingCurve(read_csv(history), bar)


def _trained(baseline: StrPath, task_file: StrPath) -> comparison.Trained:
    """Load a baseline with its task and the validation accuracy that it recorded."""
    checkpoint = load_checkpoint(baseline)
    if "validation_accuracy" not in checkpoint.record:
        raise ValueError(
            f"{baseline} does not record its validation_accuracy: it is no baseline; run the rule"
            " train_baseline that makes one"
        )
    accuracy = float(checkpoint.record["validation_accuracy"])
    network = checkpoint.network
    return comparison.Trained(network.settled(network.newest.task), load_task(task_file), accuracy)


def _verdict(accuracy: float, bar: float) -> str:
    """Say by validation what the backbone does for the target."""
    if accuracy == bar:
        return "equal"
    return "helps" if accuracy > bar else "hurts"


def _selection_part(choice: dict[str, Any], kept_baseline: bool) -> dict[str, Any]:
    """What a target's metrics say of its backbone: nothing where the baseline was kept."""
    return {
        "target": choice["target"],
        "modality": choice["modality"],
        "backbone": None if kept_baseline else choice["backbone"],
        "backbone_modality": None if kept_baseline else choice["backbone_modality"],
        "similarity": None if kept_baseline else choice["similarity"],
        "metric": choice["metric"],
    }


def _accuracies_part(product: dict[str, Any], bar: dict[str, Any]) -> dict[str, Any]:
    """What a product reaches, beside its baseline."""
    return {
        "validation_accuracy": product["validation_accuracy"],
        "test_accuracy": product["test_accuracy"],
        "baseline_validation_accuracy": bar["validation_accuracy"],
        "baseline_test_accuracy": bar["test_accuracy"],
    }


def _tried(
    outcome: Outcome, data: TaskData, choice: dict[str, Any], begun: dict[str, Any]
) -> dict[str, Any]:
    """What was measured on the backbone, also where the baseline was kept in the end."""
    return {
        "backbone": choice["backbone"],
        "similarity": choice["similarity"],
        "swapped": begun["swapped"],
        "continued": begun["continued"],
        "width": outcome.kept.width,
        **accuracies_of(outcome.kept.network, data),
        "validation_accuracy_by_width": {
            f"{trained.width:g}": trained.validation_accuracy for trained in outcome.tried
        },
    }


def _weights_part(network: Network, task: int) -> dict[str, Any]:
    """Width, sizes, and how the masked weights are shared out among a network's tasks."""
    shares = network.ownership.shares(network.position(task))
    return {
        "width": network.tasks[task].width,
        "owned_fraction": shares.owned,
        "picked_fraction": shares.picked,
        "free_fraction": shares.free,
        "dense_bytes": dense_bytes(network, task),
    }


def _earlier_tasks(
    backbone: StrPath, checkpoint: StrPath, backbone_data: StrPath
) -> list[dict[str, Any]]:
    """Measure the backbone's task before and after, each from the file on disk."""
    data = load_task(backbone_data)
    logits = [
        split_logits(network_of(path).settled(data.task), data.test)
        for path in (backbone, checkpoint)
    ]
    return [
        {
            "task": data.task,
            "test_accuracy_before": accuracy(logits[0], data.test.labels),
            "test_accuracy_after": accuracy(logits[1], data.test.labels),
            "logits_identical": torch.equal(*logits),
        }
    ]
