"""The figures of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crossback_core.data.names import numbers_first, with_modality
from crossback_core.drawing import STYLE, new_figure, panels, percent, write_cells
from crossback_core.section import ALL
from crossback_core.storage.files import atomic_write
from crossback_core.study.analysis import by_size
from crossback_core.study.judging import (
    ACCURACY_SAME,
    MOST_CLASSES,
    ORACLE,
    OTHER_SEEDS,
    RANDOM,
    RANDOM_SAME,
    VALIDATION,
)
from crossback_core.study.settings import STARTS
from crossback_core.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

ACCENT = "#2b6cb0"
MARK = "#c05621"
QUIET = "#8a8f98"
_NOT_TRAINED = "#d5d8dd"
_STYLE: dict[Any, Any] = {**STYLE, "grid.color": "#e2e4e8", "savefig.dpi": 130}


def draw_all(
    trainings: pd.DataFrame,
    summary: pd.DataFrame,
    gains: pd.DataFrame,
    paths: Sequence[str | Path],
) -> None:
    """Draw regret.png, transfer.png, gains.png and sizes.png to paths that end so.

    `trainings` are as of `scored_trainings`.
    """
    figures: dict[str, Callable[[], Figure]] = {
        "regret.png": lambda: draw_regret(summary),
        "transfer.png": lambda: draw_transfer(trainings),
        "gains.png": lambda: draw_gains(gains),
        "sizes.png": lambda: draw_sizes(gains),
    }
    for path in map(Path, paths):
        _save(figures[path.name], path)


def _save(draw: Callable[[], Figure], path: Path) -> None:
    import matplotlib

    with matplotlib.rc_context(_STYLE), atomic_write(path) as file:
        draw().savefig(file, format="png")


_NO_SCORES = (RANDOM, RANDOM_SAME, ACCURACY_SAME, MOST_CLASSES, VALIDATION, OTHER_SEEDS)


def draw_regret(summary: pd.DataFrame) -> Figure:
    """Draw the regret of each score's picks, the lowest on top, a panel for each size."""
    sizes = _sizes(summary)
    rows = summary["picked_by"].nunique()
    figure, charts = panels(len(sizes), size=(4.2, 0.6 + 0.24 * rows))
    for axes, size in zip(charts, sizes, strict=True):
        part = summary[(summary["size"] == size) & (summary["picked_by"] != ORACLE)]
        part = part.sort_values("regret", ascending=False)
        others = part["picked_by"].isin(_NO_SCORES)
        colours = np.where(others, QUIET, ACCENT)
        _draw_intervals(axes, part, "regret", colours, part["picked_by"].tolist())
        axes.set_title(_size_name(size))
        axes.set_xlim(left=0)
    figure.supxlabel("regret in points of test accuracy", fontsize=9)
    return figure


def draw_transfer(trainings: pd.DataFrame) -> Figure:
    """Draw the mean gain of each target from each candidate, a panel for each size."""
    maps = _gain_maps(trainings)
    widths = [cells.shape[1] for cells in maps.values()]
    height = 1.4 + 0.25 * len(next(iter(maps.values())))
    figure = new_figure((2.2 + 0.8 * len(maps) + 0.4 * sum(widths), height))
    charts = figure.subplots(1, len(maps), width_ratios=widths, sharey=True, squeeze=False)[0]
    limit = max(float(np.nanmax(np.abs(cells))) for cells in maps.values())
    for axes, (size, cells) in zip(charts, maps.items(), strict=True):
        mesh = _draw_map(axes, cells, limit)
        axes.set_title(_size_name(size))
    figure.colorbar(mesh, ax=list(charts), format=percent("+.0f", ""), label="gain in points")
    return figure


def _titles(rows: pd.DataFrame, task: str, modality: str) -> pd.Series[str]:
    titles = map(with_modality, rows[task], rows[modality])
    return pd.Series(list(titles), index=rows.index, dtype=object)


def _gain_maps(trained: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Make a table of mean gains for each size: the same targets in rows, candidates in columns.

    Joint candidates of one modality share a column where none serves the targets of another.
    """
    cells = trained.drop_duplicates(["target", "candidate"])
    joint = cells[cells["kind"] == "joint"]
    name = _titles(trained, "candidate", "modality")
    if not joint.duplicated(["target", "modality"]).any():
        name = name.mask(trained["kind"] == "joint", "joint " + trained["modality"])
    frame = trained.assign(row=_titles(trained, "target", "target_modality"), column=name)
    rows, columns = (
        frame.sort_values(task, key=numbers_first)[place].unique()
        for task, place in (("target", "row"), ("candidate", "column"))
    )
    return {
        size: frame[frame["size"] == size]
        .pivot_table(index="row", columns="column", values="gain")
        .reindex(index=rows, columns=columns)
        .dropna(axis="columns", how="all")
        for size in _sizes(frame)
    }


def _draw_map(axes: Axes, cells: pd.DataFrame, limit: float) -> QuadMesh:
    """Draw gains as a heat map with numbers, of one scale from -limit to limit."""
    values = cells.to_numpy(float)
    mesh = axes.pcolormesh(values, cmap="PuOr", vmin=-limit, vmax=limit)
    write_cells(axes, values, mesh.to_rgba(values), lambda gain: f"{100 * gain:+.0f}")
    axes.set_facecolor(_NOT_TRAINED)
    axes.set_xticks(np.arange(cells.shape[1]) + 0.5, list(cells.columns), rotation=90)
    axes.set_yticks(np.arange(cells.shape[0]) + 0.5, list(cells.index))
    axes.set_ylim(cells.shape[0], 0)
    axes.grid(False)
    return mesh


def draw_gains(gains: pd.DataFrame) -> Figure:
    """Draw the gain by direction and start, a panel for each size."""
    rows = gains[gains["start"].isin(STARTS)]
    sizes = _sizes(rows)
    most = int(rows.groupby("size").size().max())
    figure, charts = panels(len(sizes), size=(4.6, 0.6 + 0.2 * most))
    for axes, size in zip(charts, sizes, strict=True):
        part = rows[rows["size"] == size].iloc[::-1]
        names = [
            f"{row.target_modality} from {row.kind} {row.modality}, {row.start}"
            for row in part.itertuples()
        ]
        colours = np.where(part["start"] == "backbone", ACCENT, QUIET)
        _draw_intervals(axes, part, "gain", colours, names)
        axes.axvline(0, color=MARK, linewidth=1)
        axes.set_title(_size_name(size))
    figure.supxlabel("gain over the longer baseline in points (test)", fontsize=9)
    return figure


def draw_sizes(gains: pd.DataFrame) -> Figure:
    """Draw the accuracy against training samples per class, a panel for each modality."""
    modalities = sorted(gains["target_modality"].unique())
    figure, charts = panels(len(modalities), size=(4.6, 3.2))
    sizes = _sizes(gains)
    for axes, modality in zip(charts, modalities, strict=True):
        part = gains[gains["target_modality"] == modality]
        for label, row_filter, style, colour in _LINES:
            line = part.query(row_filter).set_index("size").reindex(sizes)
            if line["accuracy"].notna().any():
                axes.plot(range(len(sizes)), line["accuracy"], style, label=label, color=colour)
        axes.set_xticks(range(len(sizes)), [_size_name(size) for size in sizes])
        axes.yaxis.set_major_formatter(percent())
        axes.set_title(f"{modality} targets")
    lines, names = charts[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(lines))
    return figure


_SAME = "modality == target_modality"
_OTHER = "modality != target_modality"
_LINES = (
    ("joint, same modality", f"start == 'backbone' and kind == 'joint' and {_SAME}", "o-", ACCENT),
    ("joint, other modality", f"start == 'backbone' and kind == 'joint' and {_OTHER}", "s--", MARK),
    (
        "one task, same modality",
        f"start == 'backbone' and kind == 'single' and {_SAME}",
        "^",
        ACCENT,
    ),
    ("longer baseline", "start == 'longer'", ":", QUIET),
)


def _sizes(rows: pd.DataFrame) -> list[str]:
    """Return the training samples per class, ascending, all samples last."""
    return list(by_size(rows)["size"].unique())


def _size_name(size: str) -> str:
    return "all samples" if size == ALL else f"{counted(int(size), 'sample')} per class"


def _draw_intervals(
    axes: Axes, part: pd.DataFrame, column: str, colours: Any, names: list[str]
) -> None:
    places = np.arange(len(part))
    low = part[column] - part[f"{column}_low"]
    high = part[f"{column}_high"] - part[column]
    low, high = (side.clip(lower=0) for side in (low, high))  # rounding may leave -1e-17
    for place, colour, value, *errors in zip(places, colours, part[column], low, high, strict=True):
        axes.errorbar(value, place, xerr=np.array(errors)[:, None], ecolor=colour, elinewidth=1.4)
    axes.scatter(part[column], places, c=list(colours), s=22, zorder=3)
    axes.set_yticks(places, names)
    axes.xaxis.set_major_formatter(percent(".3g", ""))
