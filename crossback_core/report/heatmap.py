"""The heat map of the report: candidates' scores for each target, one score at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from crossback_core.data.names import by_number
from crossback_core.report.charts import INK, MARK, Spec, hints, inline
from crossback_core.report.names import Named

DIGITS = 3  # of a score, if that tells it from others
STRONGEST = 70  # percent of its colour that the strongest cell has

_MOST_DIGITS = 6
_WRITTEN = 14  # candidates whose scores there is room to write out
_LEVEL = 6  # candidates whose names there is room to write without a slant
_TWO_LINES: Spec = {"labelAngle": 0, "labelExpr": "split(datum.label, ': ')"}
_SLANTED: Spec = {"labelAngle": -40, "labelLimit": 130}
_COLOURED = (  # in lines that a phone has room for
    "indexof(zeros, score) < 0"
    " ? [score + ' has no zero:', 'the stronger the colour, the higher']"
    " : [score + ': without colour is its zero;',"
    " 'below it is worse than nothing, above it better']"
)
_SMALL_TITLE: Spec = {"anchor": "start", "fontSize": 12, "fontWeight": "normal", "color": INK}
_PICKED = [  # of each cell
    {"calculate": "datum.scores[indexof(names, score)]", "as": "value"},
    {"calculate": "datum.shades[indexof(names, score)]", "as": "shade"},
    {
        "calculate": "isValid(datum.value) ? format(datum.value,"
        " score === first ? datum.digits : '.3f') : '–'",
        "as": "shown",
    },
]


def scores(
    matrix: pd.DataFrame, names: Mapping[str, Named], score: str, zeros: Mapping[str, bool]
) -> Spec:
    """Return the scores of each candidate (column) for each target (row), one score at a time.

    Args:
        matrix: One row per pair, a column per score.
        names: Of all tasks.
        score: That is shown until a reader picks another.
        zeros: Of each score that can be picked, whether it has a zero.
    """
    cells = _cells(matrix, names, zeros)
    shades = sorted({each for cell in cells for each in cell["shades"]})
    colours = {"domain": shades, "range": [shade(each / STRONGEST) for each in shades]}
    columns = int(matrix["candidate"].nunique())
    x = {"field": "candidate", "type": "nominal", "sort": None, "title": "candidate"}
    y = {"field": "task", "type": "nominal", "sort": None, "title": None}
    words = {
        "mark": {"type": "text", "color": INK},
        "encoding": {"text": {"field": "shown", "type": "nominal"}},
    }
    frame = {"type": "rect", "filled": False, "stroke": MARK, "strokeWidth": 3}
    return {
        "usermeta": {"columns": columns if columns <= _LEVEL else 0},
        "height": 34 * matrix["target"].nunique(),
        "params": _picked(score, zeros),
        "title": {"text": {"expr": _COLOURED}, **_SMALL_TITLE},
        "data": inline(cells),
        "transform": _PICKED,
        "encoding": {
            "x": {**x, "axis": {"grid": False, **(_TWO_LINES if columns <= _LEVEL else _SLANTED)}},
            "y": {**y, "axis": {"grid": False}},
            "tooltip": hints(target="target", known="candidate", shown="score", chosen="chosen"),
        },
        "layer": [
            {
                "mark": {"type": "rect", "stroke": "var(--grid)", "strokeWidth": 1},
                "encoding": {
                    "color": {"field": "shade", "type": "ordinal", "scale": colours, "legend": None}
                },
            },
            {"transform": [{"filter": "datum.chosen === 'yes'"}], "mark": frame},
            *([words] if columns <= _WRITTEN else []),
        ],
    }


def _picked(score: str, zeros: Mapping[str, bool]) -> list[Spec]:
    """Return the score that a reader picks, in a list that stands in the page's own place."""
    picks = {"input": "select", "options": list(zeros), "element": "#score", "name": "Score"}
    return [
        {"name": "score", "value": score, "bind": picks},
        {"name": "first", "value": score},
        {"name": "names", "value": list(zeros)},
        {"name": "zeros", "value": [name for name, has_zero in zeros.items() if has_zero]},
    ]


def in_order(matrix: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs in the order of their targets, and then their candidates."""
    return matrix.sort_values(
        ["target", "candidate"], key=lambda column: column.map(by_number), ignore_index=True
    )


def rows(matrix: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the pairs for a table: `score` as a text, and whether it is `tied` with the chosen."""
    of_target = matrix.groupby("target")["similarity"]
    shown = map(written, matrix["similarity"], of_target.transform(apart))
    chosen = matrix[matrix["selected"]].set_index("target")["similarity"]
    tied = ~matrix["selected"] & (matrix["similarity"] == matrix["target"].map(chosen))
    return in_order(matrix.assign(score=list(shown), tied=tied)).to_dict("records")


def _cells(
    matrix: pd.DataFrame, names: Mapping[str, Named], zeros: Mapping[str, bool]
) -> list[dict[str, Any]]:
    digits = matrix.groupby("target")["similarity"].agg(apart)
    ordered = in_order(matrix)
    by_score = [_shades(ordered[score], has_zero) for score, has_zero in zeros.items()]
    return [
        {
            **_named_cell(row, names),
            "scores": [_finite(row[score]) for score in zeros],
            "shades": shades,
            "digits": f".{digits[row['target']]}f",
        }
        for row, shades in zip(ordered.to_dict("records"), zip(*by_score, strict=True), strict=True)
    ]


def _named_cell(row: Mapping[Any, Any], names: Mapping[str, Named]) -> dict[str, Any]:
    target = _named(row["target"], row["target_modality"], names)
    candidate = _named(row["candidate"], row["modality"], names)
    return {
        "task": target.label,
        "candidate": candidate.label,
        "target": target.told,
        "known": candidate.told,
        "chosen": "yes" if row["selected"] else "no",
    }


def _shades(values: pd.Series[float], has_zero: bool) -> list[int]:
    """Return how strong each value's colour is, in percent, below zero in the one for worse.

    It grows from the score's zero on, or, where there is none, from the lowest value.
    """
    known = values.where(np.isfinite(values))
    above = known if has_zero else known - known.min()
    parts = above / (above.abs().max() or 1)
    return [round(STRONGEST * part) for part in parts.fillna(0)]


def _finite(value: float) -> float | None:
    return round(float(value), _MOST_DIGITS) if math.isfinite(value) else None


def apart(scores: Iterable[float | None]) -> int:
    """Return how many digits tell the highest score from all lower ones, as far as any do."""
    known = sorted({each for each in scores if each is not None and not pd.isna(each)})
    if len(known) < 2:
        return DIGITS
    told = (
        digits
        for digits in range(DIGITS, _MOST_DIGITS)
        if written(known[-1], digits) != written(known[-2], digits)
    )
    return next(told, _MOST_DIGITS)


def written(score: float | None, digits: int) -> str:
    """Return a score as a text: zero without a sign, and a dash where there is none."""
    if score is None or pd.isna(score):
        return "–"
    return f"{round(score, digits) + 0.0:.{digits}f}".replace("-", "−")


def _named(id_: str, modality: str, names: Mapping[str, Named]) -> Named:
    return names.get(id_) or Named(id_, modality, ())


def shade(part: float) -> str:
    """Return the colour of a part from -1 to 1 of the strongest: none at zero."""
    colour = "var(--above)" if part > 0 else "var(--below)"
    return f"color-mix(in srgb, {colour} {abs(part) * STRONGEST:.0f}%, var(--card))"
