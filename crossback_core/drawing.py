"""What the figures of the report and of the study have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]
STYLE: dict[Any, Any] = {  # of matplotlib
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "font.size": 9,
    "legend.frameon": False,
}


def new_figure(size: tuple[float, float]) -> Figure:
    """Return an empty figure, `size` inches wide and high."""
    from matplotlib.figure import Figure  # 0.3 s that only figures need

    return Figure(figsize=size, layout="constrained")


def panels(
    count: int, *, size: tuple[float, float], columns: int = 3, shared: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels, each `size` inches wide and high, perhaps of one scale."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = new_figure((size[0] * columns, size[1] * rows))
    grid = figure.subplots(rows, columns, sharex=shared, sharey=shared, squeeze=False).flat
    for place in range(count, rows * columns):
        grid[place].remove()
        grid[place - columns].tick_params(labelbottom=True)  # now the lowest of its column
    return figure, list(grid[:count])


def write_cells(axes: Axes, values: Array, colours: Array, text: Callable[[float], str]) -> None:
    """Write into the cells of a heat map that have a value, dark on bright colours.

    Args:
        axes: Where the heat map is.
        values: (rows, columns); NaN where there is none.
        colours: (rows, columns, 4) red, green, blue and alpha of the cells.
        text: What to write for a value.
    """
    for row, column in zip(*np.nonzero(~np.isnan(values)), strict=True):
        bright = colours[row, column, :3] @ (0.299, 0.587, 0.114) > 0.5
        ink = "black" if bright else "white"
        words = text(values[row, column])
        axes.text(column + 0.5, row + 0.5, words, color=ink, ha="center", va="center")


def percent(form: str = ".0f", unit: str = "%") -> Callable[[float, float], str]:
    """Return a formatter of an axis for fractions."""
    return lambda value, _: f"{100 * value:{form}}{unit}"
