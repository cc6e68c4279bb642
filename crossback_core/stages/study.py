"""Stages of rules/study.smk: trainings from candidates and controls, collected and judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import split_accuracy
from crossback_core.learning.settings import TargetSettings, TrainingSettings
from crossback_core.learning.target import Outcome, pick_and_grow
from crossback_core.model.network import Network
from crossback_core.records import BaselineRecord, PairRecord, origin, write_record
from crossback_core.runtime.device import resolve_device
from crossback_core.stages.artifacts import IDS, StrPath, record_of, scores_of
from crossback_core.stages.common import (
    accuracies_of,
    circumstances,
    forget,
    network_of,
    run_of,
    seconds_of,
    task_of,
    training_key,
)
from crossback_core.storage.files import read_csv, write_csv
from crossback_core.storage.resume import ResumeFile
from crossback_core.study.analysis import (
    gains_by_candidate,
    gains_by_group,
    with_gains,
)
from crossback_core.study.figures import draw_all
from crossback_core.study.judging import judge_scores, scored_trainings
from crossback_core.study.settings import Start, as_candidate
from crossback_core.study.signs import judge_signs
from crossback_core.study.starts import begin, stream_of
from crossback_core.study.verdicts import judge_verdicts

PLACE = re.compile(r"size_(all|\d+)/seed_(\d+)/target_([^/]+)")


def train_pair(
    *,
    task_file: StrPath,
    backbone: StrPath,
    baseline: StrPath,
    metrics: StrPath,
    start: Start,
    target: TargetSettings,
    training: TrainingSettings,
    device: str,
    seed: int,
    resume: StrPath,
) -> None:
    """Train a target from one candidate, or from a control of it (rule train_pair).

    One that continues its baseline has the baseline's steps behind it, as the longer baseline of a
    study has.
    """
    data = task_of(task_file)
    where = resolve_device(device)
    network = network_of(backbone)
    source = network.newest
    sparsity = network.ownership.weights.sparsity()
    own = network_of(baseline, data)
    apart = own.stored_values() + network.stored_values()
    torch.manual_seed(stream_of(seed=seed, target=data.task, start=start, candidate=source.task))
    made = begin(network, own, start=start, swapping=target.swapping)
    target = target.training.at_rate_for(continued=made.continued)
    files = {"task_file": task_file, "backbone": backbone, "baseline": baseline}
    key = training_key(*files.values(), settings=(start, target, training), seed=seed, device=where)
    outcome = pick_and_grow(
        lambda: deepcopy(network).to(where),
        data,
        goal=split_accuracy(own.settled(data.task), data.validation),
        target=target,
        training=training,
        seed=seed,
        resume=lambda width: ResumeFile(Path(resume) / f"width_{width:g}.pt", (*key, width)),
    )
    record = PairRecord(
        target=data.task,
        target_modality=data.modality,
        start=start,
        candidate=source.task,
        modality=source.modality,
        classes=len(source.classes),
        sparsity=sparsity,
        **vars(made),
        **_reached(outcome, own, data),
        weights=outcome.kept.network.stored_values() / apart,
        **circumstances(data, seed=seed, device=where),
        **origin(settings={"target": target, "training": training}, parents=files),
    )
    write_record(record, metrics)
    forget(resume)


def _reached(outcome: Outcome, own: Network, data: TaskData) -> dict[str, Any]:
    """Return what a training came to, and sample by sample beside the target's baseline."""
    trained = outcome.kept
    run = run_of(trained.network.cpu(), own, data)
    return {
        "width": trained.width,
        **accuracies_of(trained.network, data),
        "validation_outcomes": run.validation,
        "test_outcomes": run.test,
        **_on_the_way([float(row["validation_accuracy"]) for row in trained.rows]),
        "seconds": seconds_of([row for attempt in outcome.tried for row in attempt.rows]),
    }


def _on_the_way(accuracies: Sequence[float]) -> dict[str, Any]:
    """Return the validation accuracy after a quarter and after half of the epochs."""
    points = {"quarter": len(accuracies) // 4, "half": len(accuracies) // 2}
    return {
        f"{name}_validation_accuracy": accuracies[max(0, epochs - 1)]
        for name, epochs in points.items()
    }


def collect_study(
    *,
    baselines: Sequence[StrPath],
    histories: Sequence[StrPath],
    longer: Sequence[StrPath],
    longer_histories: Sequence[StrPath],
    pairs: Sequence[StrPath],
    scores: Sequence[StrPath],
    trainings: StrPath,
    score_table: StrPath,
) -> None:
    """Put all trainings of a study into one table, all scores into another (rule collect_study)."""
    rows = [
        *(_baseline_row(*each, "baseline") for each in zip(baselines, histories, strict=True)),
        *(_baseline_row(*each, "longer") for each in zip(longer, longer_histories, strict=True)),
        *(_pair_row(path) for path in pairs),
    ]
    table = pd.DataFrame(rows)[list(TRAINING_COLUMNS)]
    table = table.astype({"classes": "Int64"})
    pairs_alone = table[table["candidate"].notna()]
    names = map(as_candidate, pairs_alone["start"], pairs_alone["candidate"])
    sparsities = pairs_alone.groupby(list(names))["sparsity"].first()
    scored = pd.concat([scores_of(path).assign(**_place(path)) for path in scores])
    write_csv(table, trainings)
    write_csv(scored.assign(sparsity=scored["candidate"].map(sparsities)), score_table)


OUTCOMES = ("validation_outcomes", "test_outcomes")  # texts, which may look like numbers
TRAINING_COLUMNS = (
    *("size", "seed", "target", "target_modality", "start", "candidate", "modality", "classes"),
    *("sparsity", "validation_accuracy", "test_accuracy", "quarter_validation_accuracy"),
    *("half_validation_accuracy", "weights", "test_samples", "seconds"),
    *OUTCOMES,
)


def _place(path: StrPath) -> dict[str, int | str]:
    """Read training samples per class, seed and target off the path of an artifact."""
    found = PLACE.search(Path(path).as_posix())
    if found is None:
        raise ValueError(f"{path} is not the path of an artifact of a study")
    size, seed, target = found.groups()
    return {"size": size, "seed": int(seed), "target": target}


def _pair_row(metrics: StrPath) -> dict[str, Any]:
    place = _place(metrics)
    record = record_of(PairRecord, metrics)
    _check_cell(metrics, training=f"{record.start}_{record.candidate}", said=Path(metrics).stem)
    _check_cell(metrics, training=f"seed {record.seed}", said=f"seed {place['seed']}")
    return place | asdict(record)


def _check_cell(path: StrPath, *, training: str, said: str) -> None:
    """Refuse a record of another training of a study than its path says."""
    if training != said:
        raise ValueError(
            f"{path} holds {training}, but its path says {said}: remove it and run again"
        )


def _baseline_row(metrics: StrPath, history: StrPath, start: str) -> dict[str, Any]:
    place = _place(metrics)
    record = record_of(BaselineRecord, metrics)
    _check_cell(metrics, training=f"seed {record.seed}", said=f"seed {place['seed']}")
    return {
        **asdict(record),
        **place,
        **_on_the_way(read_csv(history)["validation_accuracy"].tolist()),
        "start": start,
        "target_modality": record.modality,
        "modality": None,
        "candidate": None,
        "classes": None,
        "sparsity": None,
        "weights": None,
        **dict.fromkeys(OUTCOMES),
    }


def summarize_study(
    *,
    trainings: StrPath,
    score_table: StrPath,
    summary: StrPath,
    gains: StrPath,
    candidates: StrPath,
    signs: StrPath,
    verdicts: StrPath,
    figures: Sequence[StrPath],
    joint: Sequence[str],
) -> None:
    """Judge the scores and the controls of a study, and draw them (rule summarize_study)."""
    # without "all" among them, sizes are read as numbers
    tables = [read_csv(path, names=(*IDS, *OUTCOMES)) for path in (trainings, score_table)]
    rows, scores = (table.astype({"size": str}) for table in tables)
    table = with_gains(rows, joint=joint)
    judged = judge_scores(table, scores, joint=joint)
    grouped = gains_by_group(table)
    write_csv(judged, summary)
    write_csv(grouped, gains)
    write_csv(gains_by_candidate(table), candidates)
    write_csv(judge_signs(table, scores), signs)
    write_csv(judge_verdicts(table), verdicts)
    draw_all(scored_trainings(table, scores), judged, grouped, figures)
