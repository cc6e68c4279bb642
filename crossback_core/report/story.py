"""What became of each target, for people: which network was chosen, what it brought, how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from crossback_core.learning.verdict import LEVEL, Comparison, Gain
from crossback_core.records import SelectionRecord, TargetRecord
from crossback_core.report.names import Named, counted

_MEANING = {
    "helps": "the interval is above zero",
    "hurts": "the interval is below zero",
    "undecided": "the interval holds zero",
}


@dataclass(frozen=True)
class Card:
    """A target's story in a few lines."""

    target: Named
    backbone: Named | None
    verdict: str
    before: str
    after: str
    over: str
    gain: str
    interval: str
    told: Sequence[str]


@dataclass(frozen=True)
class Measured:
    """An accuracy, and its interval in small print."""

    value: str
    interval: str = ""


@dataclass(frozen=True)
class AccuracyRow:
    """A row of the table of accuracies, all of test data."""

    target: Named
    backbone: Named | None
    majority: Measured
    baseline: Measured
    reached: Measured
    gain: Measured
    balanced_baseline: Measured
    balanced: Measured
    verdict: str


@dataclass(frozen=True)
class Confusion:
    """Test samples of each class (row) that were taken for each class (column).

    Attributes:
        target: The task.
        classes: Their names.
        rows: By class: the class, how many of it there are, and for each class a count with its
            part of the row, in percent.
    """

    target: Named
    classes: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[tuple[int, int]]]]


def card(
    record: TargetRecord,
    row: Mapping[Any, Any],
    selection: SelectionRecord,
    names: Mapping[str, Named],
) -> Card:
    """Tell a target's story.

    Args:
        record: The target's.
        row: Of the summary.
        selection: The choice of its backbone.
        names: Of all tasks.
    """
    made = record.comparison if record.backbone is not None else None
    told = [_chosen(record, selection, names), _sure(record.comparison), _unharmed(record, names)]
    return Card(
        target=names[record.target],
        backbone=names[record.backbone] if record.backbone else None,
        verdict=record.verdict,
        before=percent(row["mean_baseline_test_accuracy"]),
        after=percent(row["mean_test_accuracy"]),
        over=f", means over {row['trainings']} trainings" if row["trainings"] > 1 else "",
        gain=points(made.test_gain.mean) if made else "",
        interval=_interval_of(made.test_gain) if made else "",
        told=[sentence for sentence in told if sentence],
    )


def _chosen(record: TargetRecord, selection: SelectionRecord, names: Mapping[str, Named]) -> str:
    best = selection.ranking[0]
    candidates = counted(len(selection.ranking), "candidate")
    scored = "no score" if best.similarity is None else _score(best.similarity)
    if record.tried is None:
        least = "" if selection.minimum is None else f" {selection.minimum:g}"
        return (
            f"No network was chosen: the best of {candidates},"
            f" {_by_name(best.candidate, names)}, scores {scored} by {record.score}, which is not"
            f" above the minimum{least}. The product is the target's own baseline."
        )
    known = names[record.tried.backbone]
    chosen = f"Chosen of {candidates}"
    if record.tried.similarity is not None:
        chosen += f", with a {record.score} of {_score(record.tried.similarity)}"
    if record.backbone is None:
        return f"{chosen}: {known.told}. It hurts, so the target's own baseline was kept."
    read = " Its input was swapped, for it reads another modality." if record.tried.swapped else ""
    classes = f"knows {len(known.classes)} classes"
    return f"{chosen}; it {classes} and was pruned by {record.sparsity or 0:.0%}.{read}"


def _score(score: float) -> str:
    return f"{score:.3f}".replace("-", "−")


def _by_name(id_: str, names: Mapping[str, Named]) -> str:
    return names[id_].told if id_ in names else id_


def _sure(made: Comparison | None) -> str:
    if made is None:
        return ""
    by = "held-out training" if made.judged_by == "folds" else "validation"
    over = f" and {made.runs} trainings of both networks" if made.runs > 1 else ""
    return (
        f"How sure: on {made.samples} {by} samples{over}, which decide, the gain is"
        f" {points(made.gain.mean)} points, {_interval_of(made.gain)}: {made.gain.verdict},"
        f" for {_MEANING[made.gain.verdict]}."
    )


def _unharmed(record: TargetRecord, names: Mapping[str, Named]) -> str:
    told = [
        f"{_by_name(task.task, names)} {percent(task.test_accuracy_before)} before and"
        f" {percent(task.test_accuracy_after)} after"
        f" ({'the same to the bit' if task.logits_identical else 'NOT the same'})"
        for task in record.earlier_tasks
    ]
    return f"What it knew before: {'; '.join(told)}." if told else ""


def accuracy_row(
    record: TargetRecord, row: Mapping[Any, Any], names: Mapping[str, Named]
) -> AccuracyRow:
    """Return a target's accuracies with their intervals."""
    made = record.comparison if record.backbone is not None else None
    count = record.test_samples
    return AccuracyRow(
        target=names[record.target],
        backbone=names[record.backbone] if record.backbone else None,
        majority=Measured(percent(record.majority_test_accuracy)),
        baseline=_measured(row["mean_baseline_test_accuracy"], count),
        reached=_measured(row["mean_test_accuracy"], count),
        gain=Measured(points(row["gain"]), _bounds(made.test_gain, points) if made else ""),
        balanced_baseline=Measured(percent(record.baseline_test_balanced_accuracy)),
        balanced=Measured(percent(record.test_balanced_accuracy)),
        verdict=record.verdict,
    )


def _measured(accuracy: float, count: int) -> Measured:
    """Return an accuracy with the interval that so many samples leave (Wilson's)."""
    from scipy.stats import binomtest  # 0.5 s

    test = binomtest(min(count, round(accuracy * count)), count)
    found = test.proportion_ci(confidence_level=LEVEL, method="wilson")
    return Measured(percent(accuracy), f"{100 * found.low:.0f} to {100 * found.high:.0f}")


def confusion(record: TargetRecord, names: Mapping[str, Named]) -> Confusion:
    """Return a product's confusion on its target's test split."""
    classes = record.classes[record.target]
    rows = []
    for truth in classes:
        counts = [record.test_confusion.get(truth, {}).get(answer, 0) for answer in classes]
        total = sum(counts)
        parts = [round(100 * count / total) if total else 0 for count in counts]
        rows.append((truth, total, list(zip(counts, parts, strict=True))))
    return Confusion(names[record.target], classes, rows)


def headline(summary: pd.DataFrame) -> str:
    """Say in one line for how many targets a network was taken."""
    chosen = int(summary["backbone"].notna().sum())
    targets = counted(len(summary), "target")
    if not chosen:
        return f"For none of {targets} was a network taken."
    return f"For {chosen} of {targets} another network was taken."


def percent(fraction: float) -> str:
    """Return a fraction such as "60.7 %"."""
    return f"{100 * fraction:.1f} %"


def points(fraction: float) -> str:
    """Return a difference of fractions in points, such as "+20.7"."""
    return f"{100 * fraction:+.1f}".replace("-", "−")


def _interval_of(gain: Gain) -> str:
    return f"95 % interval {_bounds(gain, points)}"


def _bounds(gain: Gain, shown: Any) -> str:
    return f"{shown(gain.low)} to {shown(gain.high)}"
