"""Stages of rules/choice.smk: the candidates and the choice; short jobs, which load no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from crossback_core.records import SelectionRecord, origin, write_record
from crossback_core.selection.choice import choose_backbone
from crossback_core.selection.settings import Candidates
from crossback_core.stages.artifacts import StrPath, scores_of
from crossback_core.storage.files import sha256, write_csv


def list_candidates(
    *,
    task_files: Sequence[StrPath],
    baselines: Sequence[StrPath],
    candidates: StrPath,
    ids: Sequence[str],
) -> None:
    """List the candidates of a data set with the hashes of their files (rule list_candidates)."""
    rows = [
        {
            "candidate": id_,
            "task_file": str(task_file),
            "baseline": str(baseline),
            "contents": f"{sha256(task_file)} {sha256(baseline)}",
        }
        for id_, task_file, baseline in zip(ids, task_files, baselines, strict=True)
    ]
    write_csv(pd.DataFrame(rows), candidates)


def collect_similarity(*, similarities: Sequence[StrPath], matrix: StrPath) -> None:
    """Put the similarities of all targets into one table (rule collect_similarity)."""
    write_csv(pd.concat([scores_of(path) for path in similarities]), matrix)


def select_backbone(
    *,
    similarity: StrPath,
    selection: StrPath,
    target: str,
    candidates: Candidates,
    score: str,
    minimum: float | None,
) -> None:
    """Choose the candidate of the highest score as a target's backbone (rule select_backbone)."""
    scores = scores_of(similarity)
    if score not in scores:
        raise ValueError(
            f"{similarity} has no scores {score!r}: it has {', '.join(map(str, scores))}"
        )
    if not pd.api.types.is_numeric_dtype(scores[score]):
        raise ValueError(f"{similarity}: the scores {score!r} are not all numbers: remove it")
    choice = choose_backbone(
        scores.assign(similarity=scores[score]),
        target=target,
        candidates=candidates,
        score=score,
        minimum=minimum,
    )
    settings = {"candidates": candidates, "score": score, "minimum": minimum}
    made_of = origin(settings=settings, parents={"similarity": similarity})
    write_record(SelectionRecord(**vars(choice), **made_of), selection)
