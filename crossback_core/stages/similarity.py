"""Stages of rules/similarity.smk: how good a start each candidate is for a target."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from crossback_core.learning.evaluation import split_features
from crossback_core.records import (
    BaselineRecord,
    StackingRecord,
    from_values,
    origin,
    write_record,
)
from crossback_core.selection.comparison import Target, Trained, as_read_by, stream
from crossback_core.selection.scores import columns
from crossback_core.selection.settings import ProbeSettings
from crossback_core.selection.stacking import Stack, stack
from crossback_core.stages.artifacts import IDS, StrPath
from crossback_core.stages.common import checkpoint_of, task_of
from crossback_core.storage.files import read_csv, sha256, write_csv
from crossback_core.study.settings import as_candidate
from crossback_core.study.starts import shuffled_candidate
from crossback_core.version import NUMERICS

logger = logging.getLogger(__name__)


def measure_similarity(
    *,
    target_data: StrPath,
    target_baseline: StrPath,
    candidates: StrPath,
    similarity: StrPath,
    stacking: StrPath,
    probing: ProbeSettings,
    excluded: Sequence[str],
    seed: int,
    shuffled: Sequence[str] = (),
) -> None:
    """Score every candidate for a target by every score, and stack them (rule measure_similarity).

    Rows that are there already and were made from the same files and settings are kept. Those
    whose ids are in `shuffled` are candidates once more with their weights shuffled.
    """
    listed = _listed(candidates, excluded, shuffled)
    own = (
        *(sha256(target_data), sha256(target_baseline), probing, seed, columns()),
        *(NUMERICS, torch.__version__, torch.get_num_threads()),
    )
    made_of = zip(listed["candidate"], listed["contents"], strict=True)
    keys = [_short_hash(repr((*own, *each))) for each in made_of]
    kept = _kept_rows(similarity)
    trained = _trained(target_baseline, target_data)
    target = Target(trained, probing, seed=seed)
    rows = [
        kept[key] if key in kept else _row(target, candidate, made_from=key)
        for key, candidate in zip(keys, listed.to_dict("records"), strict=True)
    ]
    logger.info("%d candidates, %d of them scored earlier", len(rows), len(set(keys) & set(kept)))
    files = {"target": target_data, "baseline": target_baseline, "candidates": candidates}
    record = StackingRecord(
        **vars(_stacked(trained, listed, seed)),
        target=trained.data.task,
        samples=len(trained.data.train),
        **origin(settings={"seed": seed, "excluded": list(excluded)}, parents=files),
    )
    write_record(record, stacking)
    write_csv(pd.DataFrame(rows), similarity)


def _stacked(target: Trained, listed: pd.DataFrame, seed: int) -> Stack:
    """Stack what the candidates make of a target's training samples; its own network is none."""
    others = listed[(listed["start"] == "backbone") & (listed["candidate"] != target.data.task)]
    features = {row["candidate"]: _features(target, row) for row in others.to_dict("records")}
    found = stack(features, target.data.train.labels, seed=stream(f"{seed} {target.data.task}"))
    logger.info("target %s: %s", target.data.task, found)
    return found


def _features(target: Trained, listed: Mapping[Any, str]) -> torch.Tensor:
    """Compute a listed candidate's features of a target's training samples."""
    candidate = _trained(listed["baseline"], listed["task_file"])
    return split_features(as_read_by(target.model, candidate.model), target.data.train).double()


def _listed(
    candidates: StrPath, excluded: Sequence[str], shuffled: Sequence[str] = ()
) -> pd.DataFrame:
    """Read the list of candidates without those that are none for a target, each with its start."""
    listed = read_csv(candidates, as_text=True)
    listed = listed[~listed["candidate"].isin(excluded)].assign(start="backbone")
    again = listed[listed["candidate"].isin(shuffled)]
    names = [as_candidate("shuffled", candidate) for candidate in again["candidate"]]
    return pd.concat([listed, again.assign(start="shuffled", candidate=names)])


def _kept_rows(similarity: StrPath) -> dict[str, Mapping[Any, Any]]:
    """Return the rows of an earlier table, if there is one, by what they were made from."""
    if not Path(similarity).is_file():
        return {}
    try:
        rows = read_csv(similarity, names=(*IDS, "made_from"))
    except ValueError as error:
        logger.warning("all candidates are scored again: %s", error)
        return {}
    if "made_from" not in rows:
        return {}
    return {row["made_from"]: row for row in rows.to_dict("records")}


def _row(target: Target, listed: Mapping[Any, str], *, made_from: str) -> dict[str, Any]:
    candidate = _trained(listed["baseline"], listed["task_file"])
    if listed["start"] == "shuffled":
        candidate = shuffled_candidate(candidate, target=target.data.task, seed=target.seed)
    row = {
        "target": target.data.task,
        "target_modality": target.data.modality,
        "candidate": listed["candidate"],
        "modality": candidate.data.modality,
        **target.scores(candidate),
        "made_from": made_from,
    }
    logger.info("candidate %s: %s", row["candidate"], row)
    return row


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _trained(baseline: StrPath, task_file: StrPath) -> Trained:
    """Load a baseline with its task and the validation accuracy that it recorded."""
    data = task_of(task_file)
    checkpoint = checkpoint_of(baseline, data)
    record = from_values(BaselineRecord, checkpoint.record, baseline)
    return Trained(checkpoint.network.settled(data.task), data, record.validation_accuracy)
