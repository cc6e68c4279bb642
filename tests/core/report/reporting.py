"""Inputs of a report, and the page made of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import recorded

from crossback_core.records import PruningRecord, SelectionRecord
from crossback_core.report.examples import png
from crossback_core.report.inputs import Example, Ladder, Opened, ReportInputs, TrainingCurves
from crossback_core.report.table import summary_table
from crossback_core.selection.choice import Ranked

JOINT = {"29": "fifty kinds of icons", "30": "many glosses"}
ORIGIN = {"settings": {"minimum": 0.0}, "versions": {}, "parents": {}}


def curve(epochs=5):
    """Return a training that starts its epochs again, as one that grew does."""
    return pd.DataFrame(
        {
            "epoch": [*range(1, epochs + 1)] * 2,
            "loss": np.linspace(1.6, 0.1, 2 * epochs),
            "learning_rate": 1e-3,
            "validation_accuracy": np.linspace(0.2, 0.7, 2 * epochs),
            "seconds": 0.1,
        }
    )


def ladder(task="29"):
    """Return a ladder whose level of .7 was chosen."""
    levels = pd.DataFrame(
        {
            "sparsity": [0.9, 0.0, 0.7],  # in no order
            "validation_accuracy": [0.6, 0.78, 0.76],
            "test_accuracy": [0.6, 0.77, 0.74],
            "seconds": 2.0,
        }
    )
    choice = PruningRecord(
        task=task,
        sparsity=0.7,
        validation_accuracy=0.76,
        baseline_validation_accuracy=0.78,
        allowed_loss=0.03,
        **ORIGIN,
    )
    return Ladder(levels, choice)


def selection(record):
    """Return the choice that a target's record tells of."""
    best = -0.1 if record.tried is None else record.tried.similarity
    chosen = record.tried and record.tried.backbone
    return SelectionRecord(
        target=record.target,
        modality=record.modality,
        backbone=chosen,
        backbone_modality=chosen and "image",
        similarity=chosen and best,
        score=record.score,
        minimum=0.0,
        candidates="all",
        ranking=(Ranked(chosen or "29", "image", best), Ranked("16", "text", None)),
        **ORIGIN,
    )


def opened(record):
    """Return what a product's file tells: a right picture, a wrong text, two parameters."""
    right, wrong = record.classes[record.target][:2]
    picture = png(np.zeros((3, 8, 8), dtype=np.uint8))
    columns = ["parameter", "owned", "picked", "free", "total"]
    return Opened(
        pd.DataFrame(
            [("in.weight", 70, 20, 0, 100), ("out.weight", 50, 0, 10, 60)], columns=columns
        ),
        [
            Example("i-1", right, right, 0.9, picture, None, "images/a.png"),
            Example("t-1", right, wrong, 0.8, None, "a small <animal>", "texts.csv#1"),
        ],
        looked_at=60,
    )


def inputs(**changes):
    """Return inputs of two targets, three candidates, one ladder and two trainings."""
    matrix = pd.DataFrame(
        {
            "target": ["3", "3", "3", "5", "5"],
            "target_modality": "image",
            "candidate": ["5", "16", "29", "16", "29"],
            "modality": ["image", "text", "image", "text", "image"],
            "similarity": [0.8, -0.4, 0.97, 0.0, 0.75],
            "selected": [False, False, True, False, True],
            "label_cka": [0.8, -0.4, 0.97, 0.0, 0.75],
            "knn_excess": [0.1, -0.4, 0.2, 0.0, float("nan")],
        }
    )
    records = changes.get("records", [recorded.kept("5"), recorded.target("3")])
    values = {
        "dataset": "icons",
        "folder": "results/icons",
        "records": records,
        "networks": [recorded.baseline(task="16", modality="text")],
        "matrix": matrix,
        "zeros": {"label_cka": False, "knn_excess": True},
        "selections": list(map(selection, records)),
        "stacks": [recorded.stacking("3")],
        "pruning": {"29": ladder()},
        "histories": {
            each.target: TrainingCurves(each.tried and curve(), curve()) for each in records
        },
        "opened": {each.target: opened(each) for each in records},
    }
    values |= changes
    return ReportInputs(summary=summary_table(values["records"]), called=JOINT, **values)
