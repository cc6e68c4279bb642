"""What became of each target, for people: which network was chosen, what it brought, how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd

from crossback_core.data.names import by_number
from crossback_core.learning.verdict import Comparison, Gain, Verdict, accuracy_interval
from crossback_core.records import SelectionRecord, StackingRecord, TargetRecord
from crossback_core.report.heatmap import DIGITS, apart, written
from crossback_core.report.names import Named
from crossback_core.report.table import NO_BETTER
from crossback_core.wording import counted

_CHANCE = 0.05  # a second candidate that luck beats more often does not count
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
    """What was found, such as an accuracy, and in small print its interval."""

    value: str
    small: str = ""


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
    verdict: Measured


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
    told = [
        _chosen(record, selection, names),
        _sure(record.comparison),
        _guesses(row),
        _unharmed(record, row, names),
    ]
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
    digits = apart(each.similarity for each in selection.ranking)
    scored = written(best.similarity, digits)
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
        chosen += f", with a {record.score} of {scored}{_close(selection, digits, names)}"
    if record.backbone is None:
        return f"{chosen}: {known.told}. It hurts, so the target's own baseline was kept."
    read = " Its input was swapped, for it reads another modality." if record.tried.swapped else ""
    classes = f"knows {len(known.classes)} classes"
    return f"{chosen}; it {classes} and was pruned by {record.sparsity or 0:.0%}.{read}"


def _close(selection: SelectionRecord, digits: int, names: Mapping[str, Named]) -> str:
    """Name the candidates whose score is the best one's, or nearly so."""
    best, *others = selection.ranking
    shown = written(best.similarity, DIGITS)
    near = [each for each in others if written(each.similarity, DIGITS) == shown]
    if not near:
        return ""
    scored = [
        f"{_brief(each.candidate, names)} has {written(each.similarity, digits)}" for each in near
    ]
    first = ", of equals the first" if near[0].similarity == best.similarity else ""
    return f" ({'; '.join(scored)}{first})"


def _by_name(id_: str, names: Mapping[str, Named]) -> str:
    return names[id_].told if id_ in names else id_


def _brief(id_: str, names: Mapping[str, Named]) -> str:
    return names[id_].brief if id_ in names else id_


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


def _guesses(row: Mapping[Any, Any]) -> str:
    if not row["no_better_than_guessing"]:
        return ""
    bounds = f"{100 * row['test_accuracy_low']:.0f} to {100 * row['test_accuracy_high']:.0f}"
    return (
        f"{NO_BETTER.capitalize()}: the product is right on {percent(row['test_accuracy'])} of"
        f" {row['test_samples']} test samples, 95 % interval {bounds}; always the most frequent"
        f" class would be on {percent(row['majority_test_accuracy'])}."
    )


def _unharmed(record: TargetRecord, row: Mapping[Any, Any], names: Mapping[str, Named]) -> str:
    unpruned = row["backbone_unpruned_test_accuracy"]
    whole = "" if pd.isna(unpruned) else f", and {percent(unpruned)} before it was pruned"
    told = [
        f"{_by_name(task.task, names)} {percent(task.test_accuracy_before)} before and"
        f" {percent(task.test_accuracy_after)} after"
        f" ({'the same to the bit' if task.logits_identical else 'NOT the same'})"
        f"{whole if task.task == record.backbone else ''}"
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
        verdict=Measured(record.verdict, NO_BETTER if row["no_better_than_guessing"] else ""),
    )


def _measured(accuracy: float, count: int) -> Measured:
    """Return an accuracy with the interval that so many samples leave (Wilson's)."""
    low, high = accuracy_interval(accuracy, count)
    return Measured(percent(accuracy), f"{100 * low:.0f} to {100 * high:.0f}")


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
    """Say in one line what the verdicts say."""
    counts = summary["verdict"].value_counts()
    helped, open_, hurt, none = (int(counts.get(verdict, 0)) for verdict in get_args(Verdict))
    targets = counted(len(summary), "target")
    if none == len(summary):
        return f"For none of {targets} does another network know enough"
    told = [f"Another network helps {helped} of {targets}"]
    told += [f"hurts {hurt}"] if hurt else []
    told += [f"{open_} undecided"] if open_ else []
    told += [f"{none} without a candidate"] if none else []
    return ", ".join(told)


def stacks_sentence(stacks: Sequence[StackingRecord], names: Mapping[str, Named]) -> str:
    """Say for which targets two candidates together know more than one."""
    more = [
        f"{_brief(each.target, names)} by {_brief(each.order[0], names)} and"
        f" {_brief(each.second or '', names)}, R² {each.gain:+.2f}, p = {each.p_value:.2f}"
        for each in sorted(stacks, key=lambda each: by_number(each.target))
        if len(each.order) > 1 and each.p_value is not None and each.p_value <= _CHANCE
    ]
    told = "Do two candidates know more than one? By the leave-one-out error of their features"
    if not more:
        return f"{told} they do of no target."
    return f"{told} they do of {counted(len(more), 'target')}: {'; '.join(more)}."


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
