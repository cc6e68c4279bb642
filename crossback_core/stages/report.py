"""Stage of rules/report.smk: the table of a data set's targets, and its report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import torch

from crossback_core.data.contents import content_hash
from crossback_core.data.index import load_index
from crossback_core.data.kind import file_and_number, task_names
from crossback_core.data.sample_table import TABLES, texts_of
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.task_file import Split, TaskData
from crossback_core.data.text import join_captions, read_caption
from crossback_core.learning.evaluation import split_logits
from crossback_core.model.network import Network
from crossback_core.records import (
    BaselineRecord,
    PruningRecord,
    SelectionRecord,
    StackingRecord,
    TargetRecord,
)
from crossback_core.report.examples import chosen, looked_at, png
from crossback_core.report.inputs import Example, Ladder, Opened, ReportInputs, TrainingCurves
from crossback_core.report.page import write_report
from crossback_core.report.table import as_text, format_table, summary_table
from crossback_core.selection.scores import SCORES
from crossback_core.stages.artifacts import IDS, StrPath, record_of
from crossback_core.stages.common import network_of, task_of
from crossback_core.storage.files import read_csv, sha256, write_csv, write_text


def summarize(
    *,
    metrics: Sequence[StrPath],
    histories: Sequence[StrPath],
    products: Sequence[StrPath],
    task_files: Sequence[StrPath],
    indexes: Sequence[StrPath],
    selections: Sequence[StrPath],
    networks: Sequence[StrPath],
    baseline_histories: Sequence[StrPath],
    matrix: StrPath,
    stacks: Sequence[StrPath],
    tables: Sequence[StrPath],
    choices: Sequence[StrPath],
    summary: StrPath,
    text: StrPath,
    report: StrPath,
    figures: StrPath,
    joint: Mapping[str, str],
    dataset: DatasetSettings,
) -> None:
    """Make the table of a data set's targets and the report (rule summarize)."""
    choices_made = [record_of(SelectionRecord, path) for path in selections]
    records = [
        _as_chosen(record_of(TargetRecord, path), choice)
        for path, choice in zip(metrics, choices_made, strict=True)
    ]
    folder = Path(summary).parent
    called = {**task_names(dataset), **joint}
    baselines = [record_of(BaselineRecord, path) for path in networks]
    frame = summary_table(records, baselines, choices_made)
    write_csv(as_text(frame), summary)
    write_text(format_table(frame, folder=folder.as_posix(), called=called), text)
    scored = _scored_matrix(read_csv(matrix, names=IDS), records)
    inputs = ReportInputs(
        dataset=folder.name,
        folder=folder.as_posix(),
        records=records,
        summary=frame,
        called=called,
        networks=baselines,
        selections=choices_made,
        stacks=[record_of(StackingRecord, path) for path in stacks],
        matrix=scored,
        zeros=_zeros(scored, records[0].score),
        pruning=dict(map(_ladder, tables, choices)),
        histories={
            record.target: _curves(history, alone, record)
            for history, alone, record in zip(histories, baseline_histories, records, strict=True)
        },
        opened={
            record.target: _opened(product, task_file, index, Path(dataset.raw))
            for record, product, task_file, index in zip(
                records, products, task_files, indexes, strict=True
            )
        },
    )
    write_report(inputs, report, figures)


def _as_chosen(record: TargetRecord, choice: SelectionRecord) -> TargetRecord:
    """Say of a target how its backbone is chosen now: where the choice stays, its record does."""
    similarity = None if record.similarity is None else choice.similarity
    tried = record.tried and replace(record.tried, similarity=choice.similarity)
    return replace(record, score=choice.score, similarity=similarity, tried=tried)


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


def _zeros(matrix: pd.DataFrame, score: str) -> dict[str, bool]:
    """Say of each score of a table whether it has a zero; the one that decided comes first."""
    has_zero = {name: each.has_zero for name, each in SCORES.items() if name in matrix}
    return {score: False} | has_zero


def _ladder(table: StrPath, choice: StrPath) -> tuple[str, Ladder]:
    chosen = record_of(PruningRecord, choice)
    if chosen.parents["table"].sha256 != sha256(table):
        raise ValueError(
            f"{table} is not the table that {choice} was made from: was it renamed, or put in"
            " another's place? Remove both and run again"
        )
    return chosen.task, Ladder(read_csv(table), chosen)


def _curves(history: StrPath, alone: StrPath, record: TargetRecord) -> TrainingCurves:
    """Read the trainings of a target and of its baseline."""
    baseline = _epochs(alone, record.baseline_validation_accuracy, record.target)
    if record.tried is None:
        return TrainingCurves(None, baseline)
    tried = record.tried.validation_accuracy
    return TrainingCurves(_epochs(history, tried, record.target), baseline)


def _epochs(history: StrPath, recorded: float, target: str) -> pd.DataFrame:
    """Read a training, which has to end with the accuracy that the target's record has."""
    rows = read_csv(history)
    reached = rows["validation_accuracy"].iloc[-1] if "validation_accuracy" in rows else math.nan
    if not math.isclose(reached, recorded):
        raise ValueError(
            f"{history} ends with a validation accuracy of {reached}, the record of target"
            f" {target} says {recorded}: was it renamed, or put in another's place? Remove it and"
            " run again"
        )
    return rows


def _opened(product: StrPath, task_file: StrPath, index: StrPath, raw: Path) -> Opened:
    """Ask a product about some of its test samples, and whose its weights are."""
    data = task_of(task_file)
    network = network_of(product, data)
    counts = network.ownership.weights.counts(network.position(data.task))
    weights = [{"parameter": name, **each._asdict()} for name, each in counts.items()]
    rows = load_index(index).set_index("id")["source"]
    count = len(looked_at(len(data.test)))
    return Opened(pd.DataFrame(weights), _examples(network, data, rows, raw), count)


def _examples(
    network: Network, data: TaskData, sources: pd.Series[str], raw: Path
) -> list[Example]:
    asked = torch.zeros(len(data.test), dtype=torch.bool)
    asked[torch.from_numpy(looked_at(len(data.test)))] = True
    split = data.test.part(asked)
    probabilities = split_logits(network.settled(data.task), split).double().softmax(dim=1)
    shown = chosen(probabilities.numpy(), split.labels.numpy())
    surest = probabilities.max(dim=1)
    return [
        Example(
            sample=split.ids[place],
            truth=data.classes[int(split.labels[place])],
            answer=data.classes[int(surest.indices[place])],
            confidence=float(surest.values[place]),
            picture=_picture(split, place),
            text=_text(split, place, raw, sources),
            source=str(sources.get(split.ids[place], split.ids[place])),
        )
        for place in shown
    ]


def _picture(split: Split, place: int) -> str | None:
    return png(split.values[place].numpy()) if split.modality.name == "image" else None


def _text(split: Split, place: int, raw: Path, sources: pd.Series[str]) -> str | None:
    """Read a text where it came from; None if it is not there, or no longer what was tested."""
    source = sources.get(split.ids[place])
    if split.modality.name != "text" or split.contents is None or source is None:
        return None
    try:
        shown, hashed = _raw_text(raw, source)
    except (OSError, ValueError, LookupError):  # raw data may be gone, or another's
        return None
    return shown if content_hash(hashed) == split.contents[place] else None


def _raw_text(raw: Path, source: str) -> tuple[str, str]:
    """Return a text as people read it, and as its content is told by."""
    if (raw / source).is_file():  # its name may have a "#"
        text = read_caption(raw / source)
        return text, text
    file = source.partition("#")[0]
    if file in TABLES:
        text = join_captions(_once(texts_of, raw / file)[source].splitlines())
        return text, text
    row = _once(_rows, raw / file).iloc[file_and_number(source)[1]]
    return row["text"], row["tokens"]


def _rows(path: Path) -> pd.DataFrame:
    return read_csv(path, as_text=True)


@cache
def _once(read: Callable[[Path], object], path: Path):  # type: ignore[no-untyped-def]
    """Read a table once for all texts."""
    return read(path)
