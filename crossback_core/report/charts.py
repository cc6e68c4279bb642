"""The charts of the report, as Vega-Lite specifications whose colours are the page's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from crossback_core.report.inputs import Ladder, Opened, TrainingCurves
from crossback_core.report.names import Named

Spec = dict[str, Any]

# Roles that the style sheet gives a light and a dark colour.
INK = "var(--ink)"
QUIET = "var(--quiet)"
ACCENT = "var(--accent)"
MARK = "var(--mark)"

_PERCENT = ".0%"
_DIGITS = 4
_POINTS = 120  # of a curve: more are not told apart
_SHARES = {  # of a parameter's weights, in the order in which they are stacked
    "owned": ("its own", ACCENT),
    "picked": ("picked from the backbone", "var(--picked)"),
    "left": ("the backbone's alone", "var(--left)"),
    "free": ("free", "var(--free)"),
}


def accuracies(summary: pd.DataFrame, names: Mapping[str, Named]) -> Spec:
    """Return the test accuracies of each target and its baseline, a row each."""
    rows = [_accuracy_row(row, names) for row in summary.to_dict("records")]
    axis = {"grid": True}
    y = {"field": "task", "type": "nominal", "sort": None, "title": None, "axis": axis}
    tooltip = hints(
        target="target",
        backbone="on",
        baseline="baseline",
        accuracy="target's accuracy",
        gain="gain",
    )
    return {
        "height": 34 * len(rows),
        "data": inline(rows),
        "encoding": {"y": y, "tooltip": tooltip},
        "layer": [
            {
                "mark": {"type": "tick", "color": MARK, "thickness": 2, "size": 18},
                "encoding": {"x": _accuracy_axis("majority")},
            },
            {
                "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 2},
                "encoding": {"x": _accuracy_axis("low"), "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "color": QUIET, "size": 90, "strokeWidth": 2.5},
                "encoding": {"x": _accuracy_axis("reached_alone")},
            },
            {
                "mark": {
                    "type": "point",
                    "color": ACCENT,
                    "size": 90,
                    "filled": True,
                    "opacity": 1,
                },
                "encoding": {"x": _accuracy_axis("reached")},
            },
        ],
    }


def _accuracy_row(row: Mapping[Any, Any], names: Mapping[str, Named]) -> dict[str, Any]:
    target = names[row["target"]]
    reached = row["mean_test_accuracy"]
    return {
        "task": target.label,
        "target": target.told,
        "backbone": "none" if pd.isna(row["backbone"]) else names[row["backbone"]].told,
        "baseline": f"{row['mean_baseline_test_accuracy']:.1%}",
        "accuracy": f"{reached:.1%}",
        "gain": f"{100 * row['gain']:+.1f} points",
        "majority": row["majority_test_accuracy"],
        "reached_alone": row["mean_baseline_test_accuracy"],
        "reached": reached,
        "low": max(0.0, row["mean_baseline_test_accuracy"] + row["gain_low"]),
        "high": min(1.0, row["mean_baseline_test_accuracy"] + row["gain_high"]),
    }


def _accuracy_axis(field: str) -> Spec:
    axis = {"format": _PERCENT, "title": "test accuracy", "tickCount": 5}
    scale = {"domain": [0, 1]}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def ladder(ladder: Ladder) -> Spec:
    """Return the accuracies of a backbone along its sparsities, and the level chosen."""
    choice = ladder.choice
    columns = ["sparsity", "validation_accuracy", "test_accuracy"]
    levels = ladder.levels.sort_values("sparsity")[columns]
    tooltip = [
        {"field": "sparsity", "type": "quantitative", "format": _PERCENT, "title": "pruned"},
        *(
            {"field": f"{split}_accuracy", "type": "quantitative", "format": ".1%", "title": split}
            for split in ("validation", "test")
        ),
    ]
    x = {"field": "sparsity", "type": "quantitative", "scale": {"domain": [0, 1]}}
    x["axis"] = {"format": _PERCENT, "title": "weights pruned", "tickCount": 5, "grid": False}
    decides = _fraction("validation_accuracy", "accuracy")
    chosen = {"sparsity": choice.sparsity, "validation_accuracy": choice.validation_accuracy}
    return {
        "height": 190,
        "layer": [
            *_allowed(choice.baseline_validation_accuracy, choice.allowed_loss),
            {
                "data": inline(_rounded(levels.to_dict("records"))),
                "encoding": {"x": x, "tooltip": tooltip},
                "layer": [
                    {
                        "mark": {"type": "line", "color": INK, "strokeDash": [2, 3]},
                        "encoding": {"y": _fraction("test_accuracy", "accuracy")},
                    },
                    {
                        "mark": {"type": "line", "color": ACCENT, "point": {"color": ACCENT}},
                        "encoding": {"y": decides},
                    },
                    {
                        "data": inline([chosen]),  # the table has no row of the dense network
                        "mark": {"type": "point", "color": MARK, "size": 160, "strokeWidth": 3},
                        "encoding": {"y": decides, "tooltip": tooltip[:2]},
                    },
                ],
            },
        ],
    }


def _allowed(baseline: float, loss: float) -> list[Spec]:
    """Return the layers of the accuracy before pruning, and of what may be lost of it."""
    band = {"high": baseline, "low": max(0.0, baseline - loss)}
    return [
        {
            "data": inline([band]),
            "mark": {"type": "rect", "color": QUIET, "opacity": 0.25},
            "encoding": {"y": _fraction("low", "accuracy"), "y2": {"field": "high"}},
        },
        {
            "data": inline([band]),
            "mark": {"type": "rule", "color": QUIET, "strokeDash": [5, 4], "strokeWidth": 1.5},
            "encoding": {"y": _fraction("high", "accuracy")},
        },
    ]


def training(curves: TrainingCurves, column: str) -> Spec:
    """Return a column of a target's trainings against their epochs."""
    parts = [_thinned(curves.baseline, column, "baseline")]
    if curves.target is not None:
        parts.append(_thinned(curves.target, column, "target"))
    title = column.replace("_", " ")
    colours = {"domain": ["baseline", "target"], "range": [QUIET, ACCENT]}
    dashes = {"domain": ["baseline", "target"], "range": [[5, 3], [1, 0]]}
    of_network = {"field": "network", "type": "nominal", "legend": None}
    axis = {"format": _PERCENT if column.endswith("accuracy") else ".1f", "tickCount": 4}
    axis_of_epochs = {"grid": False, "tickCount": 5}
    return {
        "height": 150,
        "data": inline(row for part in parts for row in part),
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "x": {"field": "epoch", "type": "quantitative", "axis": axis_of_epochs},
            "y": {"field": column, "type": "quantitative", "title": title, "axis": axis},
            "color": {**of_network, "scale": colours},
            "strokeDash": {**of_network, "scale": dashes},
            "tooltip": [
                {"field": "network", "type": "nominal"},
                {"field": "epoch", "type": "quantitative"},
                {"field": column, "type": "quantitative", "title": title, "format": ".3f"},
            ],
        },
    }


def _thinned(rows: pd.DataFrame, column: str, network: str) -> list[dict[str, Any]]:
    """Return at most so many rows of a training, evenly spread, the first and the last among them.

    Epochs are counted on: where a network grew, its own start again.
    """
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _POINTS)).round().astype(int))
    values = rows[column].to_numpy()[places].tolist()
    return _rounded(
        {"network": network, "epoch": int(place) + 1, column: value}
        for place, value in zip(places, values, strict=True)
    )


def weights(opened: Opened) -> Spec:
    """Return whose the weights of each masked parameter are, of one product."""
    colours = {"domain": list(_SHARES), "range": [colour for _, colour in _SHARES.values()]}
    return {
        "height": 15 * len(opened.weights),
        "data": inline(_rounded(_shares(opened))),
        "mark": {"type": "bar", "stroke": "var(--card)", "strokeWidth": 0.5},
        "encoding": {
            "y": {
                "field": "parameter",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"grid": False, "labelLimit": 190},
            },
            "x": {
                "field": "part",
                "type": "quantitative",
                "stack": "zero",
                "scale": {"domain": [0, 1]},
                "axis": {"format": _PERCENT, "title": "of its weights", "values": [0, 0.5, 1]},
            },
            "color": {"field": "share", "type": "nominal", "scale": colours, "legend": None},
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [
                *hints(parameter="parameter", whose="whose"),
                {"field": "part", "type": "quantitative", "format": ".1%", "title": "part"},
                {"field": "weights", "type": "quantitative", "format": ",", "title": "weights"},
            ],
        },
    }


def _shares(opened: Opened) -> Iterator[dict[str, Any]]:
    """Yield a row for each parameter and each share of it that is not empty."""
    for row in opened.weights.to_dict("records"):
        parts = {name: int(row[name]) for name in ("owned", "picked", "free")}
        parts["left"] = int(row["total"]) - sum(parts.values())
        for order, (name, (words, _)) in enumerate(_SHARES.items()):
            if parts[name]:
                yield {
                    "parameter": row["parameter"].removesuffix(".weight"),
                    "share": name,
                    "whose": words,
                    "part": parts[name] / row["total"],
                    "weights": parts[name],
                    "order": order,
                }


def _fraction(field: str, title: str) -> Spec:
    axis = {"format": _PERCENT, "title": title, "tickCount": 5}
    return {"field": field, "type": "quantitative", "scale": {"zero": False}, "axis": axis}


def hints(**titles: str) -> list[Spec]:
    """Return what a tooltip shows: fields, and what they are called."""
    return [{"field": field, "type": "nominal", "title": it} for field, it in titles.items()]


def inline(rows: Iterable[Mapping[Any, Any]]) -> Spec:
    """Return data that stand in the specification."""
    return {"values": list(rows)}


def _rounded(rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: round(value, _DIGITS) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]
