"""The report: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from crossback_core.data.names import by_number
from crossback_core.records import StackingRecord, TargetRecord, to_values
from crossback_core.report.figures import (
    PruningCurve,
    TrainingCurve,
    draw_accuracies,
    draw_histories,
    draw_ladders,
    draw_matrix,
    svg,
)
from crossback_core.report.table import readable, stacks_sentence, tasks_sentence, verdict_sentence
from crossback_core.storage.files import write_text


@dataclass(frozen=True)
class ReportInputs:
    """What the report shows.

    Attributes:
        dataset: Its name.
        records: The targets' records.
        summary: What `summary_table` makes of them.
        joint: Names of the joint networks, by id.
        matrix: One row per pair: target, target_modality, candidate, modality (the candidate's),
            similarity, selected (bool).
        stacks: Whether two candidates know more than one, for each target.
        pruning: Ladder of each pruned backbone.
        histories: Training curves by title, such as "target 3".
    """

    dataset: str
    records: Sequence[TargetRecord]
    summary: pd.DataFrame
    joint: Mapping[str, str]
    matrix: pd.DataFrame
    stacks: Sequence[StackingRecord]
    pruning: Mapping[str, PruningCurve]
    histories: Mapping[str, TrainingCurve]


@dataclass(frozen=True)
class _Section:
    title: str
    alt: str
    caption: str
    svg: str


def write_report(inputs: ReportInputs, path: str | Path) -> None:
    """Write one HTML file that needs nothing else: tables, figures and style are inside it."""
    import jinja2  # the core's other users need no templates

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crossback_core.report"), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        dataset=inputs.dataset,
        sentences=[
            verdict_sentence(inputs.summary),
            tasks_sentence(inputs.summary, inputs.joint),
            stacks_sentence(inputs.stacks),
        ],
        table=readable(inputs.summary),
        sections=_sections(inputs),
        records=[
            to_values(record)
            for record in sorted(inputs.records, key=lambda each: by_number(each.target))
        ],
    )
    write_text(page, path)


def _sections(inputs: ReportInputs) -> list[_Section]:
    sections = [_accuracy_section(inputs.summary)]
    if len(inputs.matrix):
        sections.append(_similarity_section(inputs.matrix))
    if inputs.pruning:
        sections.append(_pruning_section(inputs.pruning))
    if inputs.histories:
        accuracy = "Validation accuracy by epoch; dashed line: that of the target's baseline."
        loss = "Mean training loss by epoch."
        sections += [
            _history_section(
                inputs.histories, "validation_accuracy", "Validation accuracy", accuracy
            ),
            _history_section(inputs.histories, "loss", "Training loss", loss),
        ]
    return sections


def _accuracy_section(summary: pd.DataFrame) -> _Section:
    return _Section(
        title="Does the backbone help?",
        alt="Bar chart: test accuracy of each target's baseline and of the target on its backbone.",
        caption="Test accuracy of each target and of its own baseline, which saw the same training "
        "samples, and the 95 % interval of their difference: the backbone makes one where that "
        "leaves out the baseline's bar. Dotted: the accuracy of always guessing the most frequent "
        "class.",
        svg=svg(lambda: draw_accuracies(summary), salt="accuracy"),
    )


def _similarity_section(matrix: pd.DataFrame) -> _Section:
    return _Section(
        title="How the candidates score",
        alt="Heat map: score of each candidate for each target, the selected one framed.",
        caption="Score of each candidate (column) for each target (row) by selection.score; the "
        "higher, the better. The selected candidate is framed. The colours span the values shown.",
        svg=svg(lambda: draw_matrix(matrix), salt="similarity"),
    )


def _pruning_section(curves: Mapping[str, PruningCurve]) -> _Section:
    return _Section(
        title="How far the backbones can be pruned",
        alt="Line charts: validation and test accuracy of each backbone against its sparsity.",
        caption="Accuracy of each backbone along its ladder of sparsities. Solid: validation, "
        "which decides; dotted: test. Dashed line: the dense baseline's validation accuracy; band: "
        "the allowed loss; marked: the sparsity chosen.",
        svg=svg(lambda: draw_ladders(curves), salt="pruning"),
    )


def _history_section(
    curves: Mapping[str, TrainingCurve], column: str, title: str, caption: str
) -> _Section:
    return _Section(
        title=title,
        alt=f"Line charts: {title.lower()} of each network by epoch.",
        caption=caption,
        svg=svg(lambda: draw_histories(curves, column), salt=column),
    )
