"""The report: one self-contained HTML file, and its charts as files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossback_core.data.names import by_number
from crossback_core.records import TargetRecord, to_values
from crossback_core.report import charts, heatmap
from crossback_core.report.inputs import ReportInputs
from crossback_core.report.names import Named, names_of, shortened
from crossback_core.report.origin import glance, settings_of, times_of, versions_of, way, written
from crossback_core.report.story import accuracy_row, card, confusion, headline, stacks_sentence
from crossback_core.report.table import outcome_sentence, readable
from crossback_core.report.vega import CONFIG, as_file, drawn, script, template
from crossback_core.storage.files import write_text

FOLDED = 8  # more targets than that are folded at first
_WIDE = 720  # pixels of a chart that has a section's width, until the browser knows better
_NARROW = 300  # of one beside others


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes:
        name: Of its file, and on the page.
        title: Above it; nothing where the section's own says it.
        alt: What it shows, for those who cannot see it.
        spec: In Vega-Lite.
        svg: The same as a picture.
        least: Width in characters below which it scrolls.
    """

    name: str
    title: str
    alt: str
    spec: charts.Spec
    svg: str
    least: int


@dataclass(frozen=True)
class Charts:
    """The charts of the page by section."""

    accuracies: Chart
    scores: Sequence[Chart]
    ladders: Sequence[Chart]
    training: Sequence[Sequence[Chart]]
    weights: Sequence[Chart]

    def all(self) -> list[Chart]:
        """Return every chart."""
        training = [chart for of_target in self.training for chart in of_target]
        return [self.accuracies, *self.scores, *self.ladders, *training, *self.weights]


def write_report(inputs: ReportInputs, path: str | Path, figures: str | Path) -> None:
    """Write one HTML file that needs nothing else, and its charts as files.

    Args:
        inputs: What it shows.
        path: Of the HTML file.
        figures: The folder of the charts, each an SVG file.
    """
    drawings = draw_charts(inputs)
    drawn = {Path(figures) / f"{chart.name}.svg": chart for chart in drawings.all()}
    for file, chart in drawn.items():
        write_text(as_file(chart.svg), file)
    for file in set(Path(figures).glob("*.svg")) - drawn.keys():  # of targets that are none now
        file.unlink()
    write_text(render(inputs, drawings), path)


def render(inputs: ReportInputs, drawings: Charts) -> str:
    """Return the page."""
    import jinja2  # the core's other users need no templates

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crossback_core.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    code = script()
    return environment.get_template("report.html").render(
        **_told(inputs),
        charts=drawings,
        specs={"config": CONFIG, "charts": {each.name: each.spec for each in drawings.all()}},
        shade=heatmap.shade,
        shortened=shortened,
        script=code,
        allowed=_hash(code),  # no other script runs, and nothing is fetched
        style=template("colours.css") + template("page.css"),
    )


def _told(inputs: ReportInputs) -> dict[str, Any]:
    """Return what the page says in words and tables."""
    names = names_of(inputs)
    records = sorted(inputs.records, key=lambda each: by_number(each.target))
    rows = {row["target"]: row for row in inputs.summary.to_dict("records")}
    selections = {each.target: each for each in inputs.selections}
    return {
        "dataset": inputs.dataset,
        "folder": inputs.folder,
        "headline": headline(inputs.summary),
        "outcome": outcome_sentence(inputs.summary),
        "glance": glance(inputs),
        "stacks": stacks_sentence(inputs.stacks, names),
        "folded": len(records) > FOLDED,
        "names": names,
        "cards": [card(it, rows[it.target], selections[it.target], names) for it in records],
        "accuracies": [accuracy_row(it, rows[it.target], names) for it in records],
        "scores": heatmap.rows(inputs.matrix),
        "score": records[0].score,
        "trainings": int(inputs.summary["trainings"].max()),
        "opened": {it.target: inputs.opened[it.target] for it in records},
        "confusions": [confusion(it, names) for it in records],
        "ways": [
            (names[it.target], way(it, selections[it.target], inputs, names)) for it in records
        ],
        "settings": settings_of(inputs),
        "versions": versions_of(inputs),
        "times": times_of(inputs, names),
        "table": readable(inputs.summary),
        "records": {
            it.target: {key: written(value) for key, value in to_values(it).items()}
            for it in records
        },
    }


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def draw_charts(inputs: ReportInputs) -> Charts:
    """Draw what there is to draw."""
    names = names_of(inputs)
    records = sorted(inputs.records, key=lambda each: by_number(each.target))
    return Charts(
        accuracies=_chart(
            "accuracies",
            "",
            "Test accuracy of each target and of its baseline; the table has the numbers.",
            charts.accuracies(inputs.summary, names),
        ),
        scores=[] if inputs.matrix.empty else [_scores(inputs, names)],
        ladders=list(_ladders(inputs, names)),
        training=[list(_training(it, inputs, names)) for it in records],
        weights=[_weights(it, inputs, names) for it in records],
    )


def _scores(inputs: ReportInputs, names: Mapping[str, Named]) -> Chart:
    columns = inputs.matrix["candidate"].nunique()
    return _chart(
        "scores",
        "",
        "Heat map: score of each candidate for each target; the table below has the numbers.",
        heatmap.scores(inputs.matrix, names, inputs.records[0].score, inputs.zeros),
        least=12 + (9 if columns < 5 else 5) * columns,
    )


def _ladders(inputs: ReportInputs, names: Mapping[str, Named]) -> Iterator[Chart]:
    for task, ladder in sorted(inputs.pruning.items(), key=lambda each: by_number(each[0])):
        title = names[task].told if task in names else task
        chosen = f"{ladder.choice.sparsity:.0%} were pruned"
        yield _chart(
            f"ladder_{task}",
            title,
            f"Accuracy of backbone {title} against the weights pruned; {chosen}.",
            charts.ladder(ladder),
            width=_NARROW,
        )


def _training(
    record: TargetRecord, inputs: ReportInputs, names: Mapping[str, Named]
) -> Iterator[Chart]:
    curves = inputs.histories[record.target]
    for column, words in (
        ("validation_accuracy", "Validation accuracy"),
        ("loss", "Training loss"),
    ):
        title = names[record.target].told
        yield _chart(
            f"training_{record.target}_{column}",
            title,
            f"{words} of target {title} and of its baseline by epoch.",
            charts.training(curves, column),
            width=_NARROW,
        )


def _weights(record: TargetRecord, inputs: ReportInputs, names: Mapping[str, Named]) -> Chart:
    title = names[record.target].told
    told = (
        f"{record.owned_fraction:.0%} of the weights are its own, {record.picked_fraction:.0%}"
        f" picked, {record.free_fraction:.0%} free."
    )
    return _chart(
        f"weights_{record.target}",
        title,
        f"Weights of the product of target {title}, by parameter: {told}",
        charts.weights(inputs.opened[record.target]),
        width=_NARROW,
    )


def _chart(
    name: str, title: str, alt: str, spec: charts.Spec, *, width: int = _WIDE, least: int = 0
) -> Chart:
    return Chart(name, title, alt, spec, drawn(spec, width=width), least)
