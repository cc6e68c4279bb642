"""Stages of rules/similarity.smk: the candidates' scores, and the choice among them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from crossback_core.checkpoint.network_file import load_checkpoint
from crossback_core.data.task_file import load_task
from crossback_core.records import (
    BaselineRecord,
    SelectionRecord,
    from_values,
    origin,
    write_record,
)
from crossback_core.selection.choice import choose_backbone
from crossback_core.selection.comparison import Target, Trained
from crossback_core.selection.settings import Candidates, ProbeSettings
from crossback_core.stages.common import StrPath
from crossback_core.storage.files import read_csv, write_csv

logger = logging.getLogger(__name__)


def measure_similarity(
    *,
    target_data: StrPath,
    target_baseline: StrPath,
    candidate_data: Sequence[StrPath],
    candidate_baselines: Sequence[StrPath],
    similarity: StrPath,
    probing: ProbeSettings,
    seed: int,
) -> None:
    """Score every candidate for a target by every score (rule measure_similarity)."""
    target = Target(_trained(target_baseline, target_data), probing, seed=seed)
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


def _trained(baseline: StrPath, task_file: StrPath) -> Trained:
    """Load a baseline with its task and the validation accuracy that it recorded."""
    checkpoint = load_checkpoint(baseline)
    record = from_values(BaselineRecord, checkpoint.record, baseline)
    network = checkpoint.network
    settled = network.settled(network.newest.task)
    return Trained(settled, load_task(task_file), record.validation_accuracy)


def collect_similarity(*, similarities: Sequence[StrPath], matrix: StrPath) -> None:
    """Put the similarities of all targets into one table (rule collect_similarity)."""
    write_csv(pd.concat([read_csv(path) for path in similarities]), matrix)


def select_backbone(
    *, similarity: StrPath, selection: StrPath, target: int, candidates: Candidates, score: str
) -> None:
    """Choose the candidate of the highest score as a target's backbone (rule select_backbone)."""
    scores = read_csv(similarity)
    if score not in scores:
        raise ValueError(
            f"{similarity} has no scores {score!r}: it has {', '.join(map(str, scores))}"
        )
    choice = choose_backbone(
        scores.assign(similarity=scores[score]), target=target, candidates=candidates, score=score
    )
    settings = {"candidates": candidates, "score": score}
    made_of = origin(settings=settings, parents={"similarity": similarity})
    write_record(SelectionRecord(**vars(choice), **made_of), selection)
