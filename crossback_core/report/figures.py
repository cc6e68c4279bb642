"""The figures of the report, as SVG elements whose colours follow the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crossback_core.data.names import by_number, numbers_first, with_modality
from crossback_core.drawing import STYLE, Array, panels, percent, write_cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours stand for roles: the page's style sheet gives each a light and a dark value.
_INK = "#010201"
_GRID = "#010202"
_QUIET = "#010203"
_ACCENT = "#010204"
_MARK = "#010205"
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
    """A training: columns loss and validation_accuracy, one row per epoch.

    Attributes:
        epochs: The rows.
        baseline: Validation accuracy of the target's baseline.
    """

    epochs: pd.DataFrame
    baseline: float | None = None


def svg(draw: Callable[[], Figure], *, salt: str) -> str:
    """Draw a figure as an SVG element whose colours follow the page; its ids depend on the salt."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": salt}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        draw().savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"font-family: [^;\"]+", "font-family: inherit", text)
    # Numbered ids occur in every figure and nothing refers to them; the others are salted hashes.
    text = re.sub(r' id="[\w.]+_\d+"', "", text)
    for colour, role in _ROLES.items():
        text = text.replace(colour, role)
    return text


def draw_accuracies(summary: pd.DataFrame) -> Figure:
    """Draw the test accuracies of each target and its baseline."""
    figure, (axes,) = panels(1, size=(max(6.5, 1.5 + 1.4 * len(summary)), 3.6))
    places = np.arange(len(summary))
    kinds = [("mean_baseline_test_accuracy", "baseline", _QUIET)]
    kinds += [("mean_test_accuracy", "target", _ACCENT)]
    for offset, (column, label, colour) in zip((-0.2, 0.2), kinds, strict=True):
        axes.bar(
            places + offset,
            summary[column],
            width=0.38,
            color=colour,
            label=label,
        )
    axes.errorbar(
        places + 0.2,
        summary["mean_test_accuracy"],
        yerr=summary["gain_high"] - summary["gain"],
        fmt="none",
        ecolor=_INK,
        elinewidth=1.1,
        capsize=3,
        label="95 % interval of the gain",
    )
    guess = summary["majority_test_accuracy"]
    axes.hlines(
        guess, places - 0.4, places + 0.4, colors=_MARK, linestyles=":", label="most frequent class"
    )
    axes.set_xticks(places, [_accuracy_label(row) for row in summary.to_dict("records")])
    axes.set_xlim(-0.6, len(summary) - 0.4)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(percent())
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure


def _accuracy_label(row: Mapping[Any, Any]) -> str:
    name = with_modality(row["target"], row["modality"])
    if pd.isna(row["backbone"]):
        return f"{name}\nits baseline"
    return f"{name}\non {with_modality(row['backbone'], row['backbone_modality'])}"


def draw_matrix(matrix: pd.DataFrame) -> Figure:
    """Draw the score of each candidate for each target, the selected one framed."""
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
    table = matrix.pivot(index="target", columns="candidate", values=values)
    rows, columns = (sorted(ids, key=by_number) for ids in (table.index, table.columns))
    return table.loc[rows, columns].to_numpy(float)


def _task_names(pairs: pd.DataFrame, task: str, modality: str) -> list[str]:
    """Return "image 3" and the like, in the order of the tasks' ids."""
    tasks = pairs.drop_duplicates(task).sort_values(task, key=numbers_first)
    return [
        with_modality(id_, kind) for id_, kind in zip(tasks[task], tasks[modality], strict=True)
    ]


def _frame_cell(axes: Axes, column: int, row: int) -> None:
    left = column + 0.04
    right = column + 0.96
    top = row + 0.06
    bottom = row + 0.94
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    axes.plot(*zip(*corners, strict=True), color=_MARK, linewidth=2.5)


def _by_id(curves: Mapping[str, PruningCurve]) -> list[tuple[str, PruningCurve]]:
    return sorted(curves.items(), key=lambda curve: by_number(curve[0]))


def draw_ladders(curves: Mapping[str, PruningCurve]) -> Figure:
    """Draw the accuracy of each backbone against its sparsity."""
    figure, charts = panels(len(curves), size=(3.7, 2.6), shared=True)
    for axes, (backbone, curve) in zip(charts, _by_id(curves), strict=True):
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


def draw_histories(curves: Mapping[str, TrainingCurve], column: str) -> Figure:
    """Draw a column of each training against its epochs."""
    figure, charts = panels(len(curves), size=(2.8, 1.9), columns=4, shared=True)
    for axes, (name, curve) in zip(charts, curves.items(), strict=True):
        # Counted on: where a network grew, its epochs start again.
        epochs = np.arange(1, len(curve.epochs) + 1)
        axes.plot(epochs, curve.epochs[column], color=_ACCENT)
        axes.set_title(name)
        if column == "validation_accuracy":
            axes.yaxis.set_major_formatter(percent())
            if curve.baseline is not None:
                axes.axhline(curve.baseline, color=_QUIET, linestyle="--")
    figure.supxlabel("epoch", fontsize="medium")
    return figure
