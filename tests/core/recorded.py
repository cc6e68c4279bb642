"""Records of results for tests: those of one baseline and one target, changed as asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crossback_core.learning.verdict import Comparison, Gain
from crossback_core.records import (
    BaselineRecord,
    EarlierTask,
    PairRecord,
    StackingRecord,
    TargetRecord,
    Tried,
)

_TRAINED: dict[str, Any] = {
    "settings": {"training": {"epochs": 3}},
    "versions": {"numerics": 1},
    "parents": {},
    "validation_accuracy": 0.66,
    "test_accuracy": 0.65,
    "train_samples": 60,
    "validation_samples": 60,
    "test_samples": 60,
    "seconds": 31.26,
    "seed": 2,
    "device": "cpu",
    "threads": 1,
}


def baseline(**changes: Any) -> BaselineRecord:
    """Return the record of the baseline of task 3."""
    return BaselineRecord(
        **_TRAINED | {"task": "3", "modality": "image", "classes": ("ant", "bee")} | changes
    )


def target(id_: str, **changes: Any) -> TargetRecord:
    """Return the record of a target on backbone 29."""
    record = TargetRecord(
        **_TRAINED,
        target=id_,
        modality="image",
        classes={"29": ("bus", "car"), id_: ("cat", "dog", "fish", "bird")},
        backbone="29",
        backbone_modality="image",
        similarity=0.9713,
        score="label_cka",
        verdict="helps",
        comparison=Comparison(
            judged_by="validation",
            runs=1,
            samples=60,
            accuracy=0.66,
            baseline_accuracy=0.60,
            gain=Gain(0.06, 0.02, 0.02, 0.1),
            test_accuracy=0.65,
            baseline_test_accuracy=0.60,
            test_gain=Gain(0.05, 0.04, -0.03, 0.13),
        ),
        test_balanced_accuracy=0.65,
        test_confusion={"cat": {"cat": 39, "dog": 21}},
        majority_test_accuracy=0.25,
        baseline_validation_accuracy=0.60,
        baseline_test_accuracy=0.60,
        baseline_test_balanced_accuracy=0.60,
        tried=Tried(
            backbone="29",
            similarity=0.9713,
            swapped=False,
            continued=False,
            width=1.5,
            validation_accuracy=0.66,
            test_accuracy=0.65,
            validation_accuracy_by_width={"1": 0.5, "1.5": 0.66},
        ),
        sparsity=0.7,
        width=1.5,
        owned_fraction=0.7,
        picked_fraction=0.2,
        free_fraction=0.0,
        dense_bytes=400_000,
        checkpoint_bytes=412_345,
        earlier_tasks=(EarlierTask("29", 0.75, 0.75, True),),
    )
    return replace(record, **changes)


def kept(id_: str, **changes: Any) -> TargetRecord:
    """Return the record of a target whose baseline was kept."""
    nothing = dict.fromkeys(("backbone", "backbone_modality", "similarity", "sparsity"))
    without: dict[str, Any] = {"earlier_tasks": (), "verdict": "hurts"} | changes
    reached = dict.fromkeys(("test_accuracy", "test_balanced_accuracy"), 0.60)
    return target(id_, **nothing, **without, **reached)


def without_candidate(id_: str) -> TargetRecord:
    """Return the record of a target for which no candidate knows enough."""
    return kept(id_, verdict="no candidate", comparison=None, tried=None)


def pair(id_: str, **changes: Any) -> PairRecord:
    """Return the record of a target trained from candidate 29."""
    record = PairRecord(
        **_TRAINED,
        target=id_,
        target_modality="image",
        start="backbone",
        candidate="29",
        modality="image",
        classes=2,
        sparsity=0.7,
        swapped=False,
        continued=False,
        width=1.0,
        validation_outcomes="1+-0",
        test_outcomes="1+-0",
        quarter_validation_accuracy=0.4,
        half_validation_accuracy=0.5,
        weights=0.6,
    )
    return replace(record, **changes)


def stacking(id_: str, **changes: Any) -> StackingRecord:
    """Return the record of a target of which 29 and 16 know more than 29."""
    record = StackingRecord(
        **{name: _TRAINED[name] for name in ("settings", "versions", "parents")},
        target=id_,
        samples=50,
        order=("29", "16"),
        r2=(0.30, 0.34),
        second="16",
        gain=0.04,
        p_value=0.02,
    )
    return replace(record, **changes)
