"""The results of a run: a table for the terminal and a self-contained HTML report."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crossback_core.drawing import STYLE, Array, panels, percent, write_cells
from crossback_core.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_TEXT_WIDTH = 120

_KEYS = (
    "target",
    "modality",
    "backbone",
    "backbone_modality",
    "similarity",
    "verdict",
    "test_accuracy",
    "baseline_test_accuracy",
    "test_samples",
    "sparsity",
    "width",
    "checkpoint_bytes",
    "seconds",
    "earlier_tasks",
)

# Colours stand for roles: the page's style sheet gives each a light and a dark value.
_INK, _GRID, _QUIET, _ACCENT, _MARK = "#010201", "#010202", "#010203", "#010204", "#010205"
_ROLES = {
    _INK: "currentColor",
    _GRID: "var(--grid)",
    _QUIET: "var(--quiet)",
    _ACCENT: "var(--accent)",
    _MARK: "var(--mark)",
}
_STYLE: dict[Any, Any] = {
    **STYLE,
    "axes.edgecolor": _GRID,
    "axes.grid.axis": "y",
    "axes.labelcolor": _INK,
    "grid.color": _GRID,
    "legend.labelcolor": _INK,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _GRID,
    "xtick.labelcolor": _INK,
    "ytick.color": _GRID,
    "ytick.labelcolor": _INK,
}


@dataclass(frozen=True)
class PruningCurve:
    """A backbone's ladder: columns sparsity, validation_accuracy, test_accuracy, and the choice."""

    levels: pd.DataFrame
    baseline: float
    allowed_loss: float
    chosen: float


@dataclass(frozen=True)
class TrainingCurve:
    """A training: columns loss and validation_accuracy, one row an epoch; the bar to clear."""

    epochs: pd.DataFrame
    bar: float | None = None


@dataclass(frozen=True)
class ReportInputs:
    """What the report shows.

    Attributes:
        dataset: Its name.
        metrics: The targets' records, as `summary_table` takes them.
        summary: What it makes of them.
        wide: Names of the wide networks, by id.
        matrix: One row a pair: target, target_modality, candidate, modality (the candidate's),
            similarity, selected (bool).
        pruning: Ladder of each pruned backbone.
        histories: Training curves by title, such as "target 3".
    """

    dataset: str
    metrics: Sequence[Mapping[str, Any]]
    summary: pd.DataFrame
    wide: Mapping[int, str]
    matrix: pd.DataFrame
    pruning: Mapping[int, PruningCurve]
    histories: Mapping[str, TrainingCurve]


@dataclass(frozen=True)
class _Section:
    title: str
    alt: str
    caption: str
    svg: str


# --- the table ------------------------------------------------------------------------------------


def summary_table(metrics: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a target, in the order of their ids.

    Args:
        metrics: The targets' records. Each entry of `earlier_tasks` has task,
            test_accuracy_before, test_accuracy_after and logits_identical.

    Raises:
        ValueError: If there is no record, or one lacks a key.
    """
    if not metrics:
        raise ValueError(
            "there is no target to summarise; the configuration must name at least one"
        )
    frame = pd.DataFrame([_summary_row(record) for record in metrics])
    frame = frame.sort_values("target", ignore_index=True)
    return frame.astype({"backbone": "Int64", "similarity": float, "identical": "boolean"})


def _summary_row(record: Mapping[str, Any]) -> dict[str, Any]:
    missing = [key for key in _KEYS if key not in record]
    if missing:
        raise ValueError(f"the record of target {record.get('target')} lacks {', '.join(missing)}")
    earlier = record["earlier_tasks"]
    backbone: Mapping[str, Any] = next(
        (task for task in earlier if task["task"] == record["backbone"]), {}
    )
    return {
        "target": record["target"],
        "modality": record["modality"],
        "backbone": record["backbone"],
        "backbone_modality": record["backbone_modality"],
        "similarity": record["similarity"],
        "baseline_test_accuracy": record["baseline_test_accuracy"],
        "test_accuracy": record["test_accuracy"],
        "gain": record["test_accuracy"] - record["baseline_test_accuracy"],
        "test_samples": record["test_samples"],
        "verdict": record["verdict"],
        "backbone_test_accuracy_before": backbone.get("test_accuracy_before"),
        "backbone_test_accuracy_after": backbone.get("test_accuracy_after"),
        "identical": all(task["logits_identical"] for task in earlier) if earlier else None,
        "sparsity": record["sparsity"],
        "width": record["width"],
        "checkpoint_kB": record["checkpoint_bytes"] / 1000,
        "seconds": record["seconds"],
    }


def format_table(frame: pd.DataFrame, *, folder: str, wide: Mapping[int, str]) -> str:
    """Return the summary as plain text: the table, what it says, and where everything lies.

    Args:
        frame: From `summary_table`.
        folder: Where the products lie, such as "results/icons".
        wide: Names of the wide networks, by id.
    """
    targets = ", ".join(str(target) for target in frame["target"])
    return "\n".join(
        [
            _readable(frame).to_string(index=False, line_width=None),
            "",
            textwrap.fill(verdict_sentence(frame), _TEXT_WIDTH),
            *textwrap.wrap(wide_sentence(wide), _TEXT_WIDTH),
            f"Models: {folder}/target_N.pt with .json and .csv, N = {targets}",
            f"Report: {folder}/report.html; the table as {folder}/summary.csv",
        ]
    )


def verdict_sentence(frame: pd.DataFrame) -> str:
    """Say whom the backbone helps by validation, and how far the test accuracies can be trusted."""
    helped, hurt = (int((frame["verdict"] == verdict).sum()) for verdict in ("helps", "hurts"))
    low, high = int(frame["test_samples"].min()), int(frame["test_samples"].max())
    samples = f"{low}" if low == high else f"{low} to {high}"
    error = float(_standard_error(frame["test_accuracy"], frame["test_samples"]).mean())
    return (
        f"By validation the backbone helps {helped} of {len(frame)} "
        f"{'target' if len(frame) == 1 else 'targets'} and hurts {hurt}; the mean gain on test is "
        f"{_points(frame['gain'].mean())} points. An accuracy on {samples} test samples has a "
        f"standard error of about {100 * error:.1f} points: smaller gains of a single target are "
        f"within the noise."
    )


def wide_sentence(wide: Mapping[int, str]) -> str:
    """Say what the wide networks know; nothing where there are none."""
    names = ", ".join(f"{network} ({name})" for network, name in wide.items())
    return f"Trained on several tasks at once: {names}." if names else ""


def _standard_error(accuracy: pd.Series[float], samples: pd.Series[int]) -> pd.Series[float]:
    """Return the binomial standard error of an accuracy."""
    return (accuracy * (1 - accuracy) / samples) ** 0.5


def _readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the summary as texts under short headings."""
    return pd.DataFrame(
        {
            "target": frame["target"].map(str),
            "modality": frame["modality"],
            "backbone": _pair(frame, "backbone_modality", "backbone", str, " "),
            "similarity": frame["similarity"].map(_or_dash("{:.3f}".format)),
            "baseline": frame["baseline_test_accuracy"].map(_or_dash("{:.1%}".format)),
            "accuracy": frame["test_accuracy"].map(_or_dash("{:.1%}".format)),
            "gain": frame["gain"].map(_or_dash(_points)),
            "verdict": frame["verdict"].map(_or_dash(str)),
            "backbone's task": _pair(
                frame,
                "backbone_test_accuracy_before",
                "backbone_test_accuracy_after",
                "{:.1%}".format,
                " -> ",
            ),
            "identical": frame["identical"].map(_or_dash(lambda same: "yes" if same else "NO")),
            "sparsity": frame["sparsity"].map(_or_dash("{:.0%}".format)),
            "width": frame["width"].map(_or_dash("{:.2f}".format)),
            "kB": frame["checkpoint_kB"].map(_or_dash("{:.0f}".format)),
            "seconds": frame["seconds"].map(_or_dash("{:.1f}".format)),
        }
    )


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.1f}"


def _or_dash(shown: Callable[[Any], str]) -> Callable[[Any], str]:
    """Make a dash of what is missing."""
    return lambda value: "-" if pd.isna(value) else shown(value)


def _pair(
    frame: pd.DataFrame, first: str, second: str, shown: Callable[[Any], str], separator: str
) -> list[str]:
    """Join two columns; one dash where both are missing."""
    parts = [frame[column].map(_or_dash(shown)) for column in (first, second)]
    texts = parts[0] + separator + parts[1]
    return texts.replace(f"-{separator}-", "-").tolist()


# --- the report -----------------------------------------------------------------------------------


def write_report(inputs: ReportInputs, path: str | Path) -> None:
    """Write one HTML file that needs nothing else: tables, figures and style are inside it."""
    import jinja2  # the core's other users need no templates

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crossback_core"), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        dataset=inputs.dataset,
        sentences=[verdict_sentence(inputs.summary), wide_sentence(inputs.wide)],
        table=_readable(inputs.summary),
        sections=_sections(inputs),
        records=sorted(inputs.metrics, key=lambda record: int(record["target"])),
    )
    write_text(page, path)


def _sections(inputs: ReportInputs) -> list[_Section]:
    sections = [_accuracy_section(inputs.summary)]
    if len(inputs.matrix):
        sections.append(_similarity_section(inputs.matrix))
    if inputs.pruning:
        sections.append(_pruning_section(inputs.pruning))
    if inputs.histories:
        accuracy = "Validation accuracy by epoch; dashed line: the bar that a target has to clear."
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
        caption="Test accuracy of each target, with one standard error. Both networks saw the same "
        "training samples of the target.",
        svg=_svg(lambda: _draw_accuracies(summary), salt="accuracy"),
    )


def _draw_accuracies(summary: pd.DataFrame) -> Figure:
    figure, (axes,) = panels(1, size=(max(6.0, 1.5 + 1.1 * len(summary)), 3.4))
    places = np.arange(len(summary))
    kinds = [("baseline_test_accuracy", "baseline", _QUIET), ("test_accuracy", "target", _ACCENT)]
    for offset, (column, label, colour) in zip((-0.2, 0.2), kinds, strict=True):
        axes.bar(
            places + offset,
            summary[column],
            width=0.38,
            color=colour,
            label=label,
            yerr=_standard_error(summary[column], summary["test_samples"]),
            error_kw={"ecolor": _INK, "elinewidth": 1.1, "capsize": 3},
        )
    axes.set_xticks(places, [_accuracy_label(row) for row in summary.to_dict("records")])
    axes.set_xlim(-0.6, len(summary) - 0.4)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(percent())
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure


def _accuracy_label(row: Mapping[Any, Any]) -> str:
    name = f"{row['modality']} {row['target']}"
    if pd.isna(row["backbone"]):
        return f"{name}\nbaseline kept"
    return f"{name}\non {row['backbone_modality']} {row['backbone']}"


def _similarity_section(matrix: pd.DataFrame) -> _Section:
    return _Section(
        title="How the candidates score",
        alt="Heat map: score of each candidate for each target, the selected one framed.",
        caption="Score of each candidate (column) for each target (row) by selection.metric; the "
        "higher, the better. The selected candidate is framed. The colours span the values shown.",
        svg=_svg(lambda: _draw_matrix(matrix), salt="similarity"),
    )


def _draw_matrix(matrix: pd.DataFrame) -> Figure:
    cells = _cells(matrix, "similarity")
    rows, columns = cells.shape
    figure, (axes,) = panels(1, size=(1.6 + 0.56 * columns, 1.0 + 0.4 * rows))
    colours = axes.pcolormesh(np.ma.masked_invalid(cells), cmap="viridis").to_rgba(cells)
    write_cells(axes, cells, colours, lambda score: f"{score:.2f}".removeprefix("0"))
    for row, column in zip(*np.nonzero(_cells(matrix, "selected") == 1), strict=True):
        _frame_cell(axes, column, row)
    names = _task_names(matrix, "candidate", "modality")
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(np.arange(columns) + 0.5, names, **slanted)
    axes.set_yticks(np.arange(rows) + 0.5, _task_names(matrix, "target", "target_modality"))
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _cells(matrix: pd.DataFrame, values: str) -> Array:
    """Return a column of the pairs as (targets, candidates); NaN where a pair is not there."""
    return matrix.pivot(index="target", columns="candidate", values=values).to_numpy(float)


def _task_names(pairs: pd.DataFrame, task: str, modality: str) -> list[str]:
    """Return "image 3" and the like, in the order of the tasks' ids."""
    tasks = pairs.drop_duplicates(task).sort_values(task)
    return [
        f"{kind} {number:.0f}" for kind, number in zip(tasks[modality], tasks[task], strict=True)
    ]


def _frame_cell(axes: Axes, column: int, row: int) -> None:
    left, right, top, bottom = column + 0.04, column + 0.96, row + 0.06, row + 0.94
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    axes.plot(*zip(*corners, strict=True), color=_MARK, linewidth=2.5)


def _pruning_section(curves: Mapping[int, PruningCurve]) -> _Section:
    return _Section(
        title="How far the backbones can be pruned",
        alt="Line charts: validation and test accuracy of each backbone against its sparsity.",
        caption="Accuracy of each backbone along its ladder of sparsities. Solid: validation, "
        "which decides; dotted: test. Dashed line: the dense baseline's validation accuracy; band: "
        "the allowed loss; marked: the sparsity chosen.",
        svg=_svg(lambda: _draw_ladders(curves), salt="pruning"),
    )


def _draw_ladders(curves: Mapping[int, PruningCurve]) -> Figure:
    figure, charts = panels(len(curves), size=(3.7, 2.6), shared=True)
    for axes, (backbone, curve) in zip(charts, sorted(curves.items()), strict=True):
        levels = curve.levels.sort_values("sparsity")
        axes.axhspan(
            curve.baseline - curve.allowed_loss, curve.baseline, color=_QUIET, alpha=0.3, lw=0
        )
        axes.axhline(curve.baseline, color=_QUIET, linestyle="--")
        axes.plot(levels["sparsity"], levels["test_accuracy"], ":", color=_QUIET)
        axes.plot(levels["sparsity"], levels["validation_accuracy"], ".-", color=_ACCENT)
        chosen = levels[np.isclose(levels["sparsity"], curve.chosen)]
        axes.plot(chosen["sparsity"], chosen["validation_accuracy"], "o", ms=9, color=_MARK)
        axes.set_title(f"backbone {backbone}: {curve.chosen:.0%} pruned")
        axes.set_xlim(-0.05, 1.05)
        axes.set_xticks([0, 0.25, 0.5, 0.75])
        axes.yaxis.set_major_formatter(percent())
    figure.supxlabel("sparsity", fontsize="medium")
    return figure


def _history_section(
    curves: Mapping[str, TrainingCurve], column: str, title: str, caption: str
) -> _Section:
    return _Section(
        title=title,
        alt=f"Line charts: {title.lower()} of each network by epoch.",
        caption=caption,
        svg=_svg(lambda: _draw_histories(curves, column), salt=column),
    )


def _draw_histories(curves: Mapping[str, TrainingCurve], column: str) -> Figure:
    figure, charts = panels(len(curves), size=(2.8, 1.9), columns=4, shared=True)
    for axes, (name, curve) in zip(charts, curves.items(), strict=True):
        # Counted on: where a network grew, its epochs start again.
        epochs = np.arange(1, len(curve.epochs) + 1)
        axes.plot(epochs, curve.epochs[column], color=_ACCENT)
        axes.set_title(name)
        if column == "validation_accuracy":
            axes.yaxis.set_major_formatter(percent())
            if curve.bar is not None:
                axes.axhline(curve.bar, color=_QUIET, linestyle="--")
    figure.supxlabel("epoch", fontsize="medium")
    return figure


# --- figures as SVG -------------------------------------------------------------------------------


def _svg(draw: Callable[[], Figure], *, salt: str) -> str:
    """Draw a figure as an SVG element whose colours follow the page; its ids depend on the salt."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": salt}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        draw().savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"font-family: [^;\"]+", "font-family: inherit", svg)
    # Numbered ids occur in every figure and nothing refers to them; the others are salted hashes.
    svg = re.sub(r' id="[\w.]+_\d+"', "", svg)
    for colour, role in _ROLES.items():
        svg = svg.replace(colour, role)
    return svg
