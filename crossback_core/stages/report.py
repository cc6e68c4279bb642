"""Stage of rules/report.smk: the table of a data set's targets, and its report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from crossback_core.records import (
    PruningRecord,
    SelectionRecord,
    StackingRecord,
    TargetRecord,
    Tried,
)
from crossback_core.report.figures import PruningCurve, TrainingCurve
from crossback_core.report.page import ReportInputs, write_report
from crossback_core.report.table import as_text, format_table, summary_table
from crossback_core.stages.common import IDS, StrPath, record_of
from crossback_core.storage.files import read_csv, sha256, write_csv, write_text


def summarize(
    *,
    metrics: Sequence[StrPath],
    histories: Sequence[StrPath],
    selections: Sequence[StrPath],
    matrix: StrPath,
    stacks: Sequence[StrPath],
    tables: Sequence[StrPath],
    choices: Sequence[StrPath],
    summary: StrPath,
    text: StrPath,
    report: StrPath,
    joint: Mapping[str, str],
) -> None:
    """Make the table of a data set's targets and the report (rule summarize)."""
    choices_made = [record_of(SelectionRecord, path) for path in selections]
    records = [
        _as_chosen(record_of(TargetRecord, path), choice)
        for path, choice in zip(metrics, choices_made, strict=True)
    ]
    folder = Path(summary).parent
    frame = summary_table(records)
    write_csv(as_text(frame), summary)
    write_text(format_table(frame, folder=folder.as_posix(), joint=joint), text)
    inputs = ReportInputs(
        dataset=folder.name,
        records=records,
        summary=frame,
        joint=joint,
        stacks=[record_of(StackingRecord, path) for path in stacks],
        matrix=_scored_matrix(read_csv(matrix, names=IDS), records),
        pruning=dict(map(_pruning_curve, tables, choices)),
        histories={
            f"target {record.target}": _training_curve(history, record, record.tried)
            for history, record in zip(histories, records, strict=True)
            if record.tried
        },
    )
    write_report(inputs, report)


def _as_chosen(record: TargetRecord, choice: SelectionRecord) -> TargetRecord:
    """Say of a target how its backbone is chosen now: where the choice stays, its record does."""
    similarity = None if record.similarity is None else choice.similarity
    return replace(record, score=choice.score, similarity=similarity)


def _scored_matrix(matrix: pd.DataFrame, records: Sequence[TargetRecord]) -> pd.DataFrame:
    """Name the similarity that decided, and mark the candidate that it chose."""
    tried = {record.target: record.tried and record.tried.backbone for record in records}
    absent = tried.keys() - set(matrix["target"])
    if absent or records[0].score not in matrix:
        raise ValueError(
            f"the table of similarities lacks targets ({', '.join(sorted(absent)) or 'none'}) or"
            f" the score {records[0].score}: remove similarity.csv and run again"
        )
    return matrix.assign(
        similarity=matrix[records[0].score],
        selected=matrix["target"].map(tried) == matrix["candidate"],
    )


def _pruning_curve(table: StrPath, choice: StrPath) -> tuple[str, PruningCurve]:
    chosen = record_of(PruningRecord, choice)
    if chosen.parents["table"].sha256 != sha256(table):
        raise ValueError(
            f"{table} is not the table that {choice} was made from: was it renamed, or put in"
            " another's place? Remove both and run again"
        )
    curve = PruningCurve(
        levels=read_csv(table),
        baseline=chosen.baseline_validation_accuracy,
        allowed_loss=chosen.allowed_loss,
        chosen=chosen.sparsity,
    )
    return chosen.task, curve


def _training_curve(history: StrPath, record: TargetRecord, tried: Tried) -> TrainingCurve:
    rows = read_csv(history)
    reached = rows["validation_accuracy"].iloc[-1] if "validation_accuracy" in rows else math.nan
    if not math.isclose(reached, tried.validation_accuracy):
        raise ValueError(
            f"{history} ends with a validation accuracy of {reached}, the record of target"
            f" {record.target} says {tried.validation_accuracy}: was it renamed, or put in"
            " another's place? Remove it and run again"
        )
    return TrainingCurve(rows, record.baseline_validation_accuracy)
