"""The table of a data set's targets: as a frame, as text, and what it says in a sentence."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import pandas as pd

from crossback_core.data.names import by_number, numbers_first, with_modality
from crossback_core.learning.verdict import Gain, Verdict
from crossback_core.records import StackingRecord, TargetRecord

_TEXT_WIDTH = 120
_SHOWN = 3  # classes of a task
_CHANCE = 0.05  # a second candidate that luck beats more often does not count
_SAME = 0.02  # what accuracies may differ by for being means over classes of nearly one size
_LISTS = ("classes", "backbone_classes")


def summary_table(records: Sequence[TargetRecord]) -> pd.DataFrame:
    """Return one row per target, in the order of their ids; classes are tuples of names.

    Raises:
        ValueError: If there is no record.
    """
    if not records:
        raise ValueError(
            "there is no target to summarise; the configuration must name at least one"
        )
    frame = pd.DataFrame([_summary_row(record) for record in records])
    frame = frame.sort_values("target", key=numbers_first, ignore_index=True)
    return frame.astype({"similarity": float, "identical": "boolean"})


def _summary_row(record: TargetRecord) -> dict[str, Any]:
    earlier = record.earlier_tasks
    known = next((task for task in earlier if task.task == record.backbone), None)
    return {
        "target": record.target,
        "modality": record.modality,
        "backbone": record.backbone,
        "backbone_modality": record.backbone_modality,
        "similarity": record.similarity,
        **_accuracies(record),
        "majority_test_accuracy": record.majority_test_accuracy,
        "test_samples": record.test_samples,
        "verdict": record.verdict,
        "classes": record.classes[record.target],
        "backbone_classes": record.classes.get(record.backbone or "", ()),
        "backbone_test_accuracy_before": known and known.test_accuracy_before,
        "backbone_test_accuracy_after": known and known.test_accuracy_after,
        "identical": all(task.logits_identical for task in earlier) if earlier else None,
        "sparsity": record.sparsity,
        "width": record.width,
        "checkpoint_kB": record.checkpoint_bytes / 1000,
        "seconds": record.seconds,
    }


def _accuracies(record: TargetRecord) -> dict[str, Any]:
    """Return the product's accuracies, means over all trainings, and the gain, if there is one."""
    made = record.comparison
    own = made.baseline_test_accuracy if made else record.baseline_test_accuracy
    gain = made.test_gain if made and record.backbone is not None else Gain(0.0, 0.0, 0.0, 0.0)
    return {
        "mean_baseline_test_accuracy": own,
        "mean_test_accuracy": own + gain.mean,
        "baseline_test_accuracy": record.baseline_test_accuracy,
        "test_accuracy": record.test_accuracy,
        "baseline_test_balanced_accuracy": record.baseline_test_balanced_accuracy,
        "test_balanced_accuracy": record.test_balanced_accuracy,
        "trainings": made.trainings if made else 1,
        "gain": gain.mean,
        "gain_error": gain.error,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "judged_by": made and made.judged_by,
        "judged_gain": made and made.gain.mean,
        "judged_gain_low": made and made.gain.low,
        "judged_gain_high": made and made.gain.high,
    }


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the summary as a file has it: the names of classes in a row."""
    return frame.assign(**{name: frame[name].map(", ".join) for name in _LISTS})


def format_table(frame: pd.DataFrame, *, folder: str, joint: Mapping[str, str]) -> str:
    """Return the summary as plain text: the table, what it says, and where everything lies.

    Args:
        frame: From `summary_table`.
        folder: Where the products lie, such as "results/icons".
        joint: Names of the joint networks, by id.
    """
    return "\n".join(
        [
            format_rows(frame, folder=folder, joint=joint),
            f"Report: {folder}/report.html; the table as {folder}/summary.csv",
        ]
    )


def format_rows(frame: pd.DataFrame, *, folder: str, joint: Mapping[str, str]) -> str:
    """Return what `format_table` does, but for the report: of targets that were made alone."""
    targets = ", ".join(str(target) for target in frame["target"])
    return "\n".join(
        [
            readable(frame).to_string(index=False, line_width=None),
            "",
            textwrap.fill(verdict_sentence(frame), _TEXT_WIDTH),
            *textwrap.wrap(tasks_sentence(frame, joint), _TEXT_WIDTH),
            f"Models: {folder}/target_N.pt with .json and .csv, N = {targets}",
        ]
    )


def verdict_sentence(frame: pd.DataFrame) -> str:
    """Say what `outcome_sentence` does, and what the table's intervals are."""
    return (
        f"{outcome_sentence(frame)} What follows a ± is half a 95 % interval: of the differences"
        " between both networks' answers to the same samples."
    )


def outcome_sentence(frame: pd.DataFrame) -> str:
    """Say whom the backbone helps, what it brings on test, and how sure both are."""
    counts = frame["verdict"].value_counts()
    helped, open_, hurt, none = (int(counts.get(verdict, 0)) for verdict in get_args(Verdict))
    targets = f"{len(frame)} target" if len(frame) == 1 else f"{len(frame)} targets"
    if none == len(frame):  # nothing was compared
        return f"No candidate has a score above selection.minimum for any of {targets}."
    error = float((frame["gain_error"] ** 2).sum() ** 0.5) / len(frame)
    told = [f"The backbone helps {helped} of {targets}, hurts {hurt}, and {open_} stay undecided"]
    if none:
        told.append(f"; for {none} no candidate has a score above selection.minimum")
    over = "" if frame["backbone"].notna().all() else " of all targets"  # none of some is zero
    return (
        f"{''.join(told)}: {_judged_by(frame)}, which decide. The mean gain on test{over} is"
        f" {_points(frame['gain'].mean())} points with a standard error of {100 * error:.1f}."
    )


def _judged_by(frame: pd.DataFrame) -> str:
    by_folds = (frame["judged_by"] == "folds").any()
    samples = "held-out training samples" if by_folds else "validation samples"
    most = int(frame["trainings"].max())
    return f"by {samples}" + (f" and {most} trainings of each network" if most > 1 else "")


def tasks_sentence(frame: pd.DataFrame, joint: Mapping[str, str]) -> str:
    """Say what the targets and their backbones are about: their classes, or a joint name."""
    known = dict(zip(frame["target"], frame["classes"], strict=True))
    known |= dict(zip(frame["backbone"], frame["backbone_classes"], strict=True))
    told = {id_: joint.get(id_) or _first_of(known[id_]) for id_ in known if not pd.isna(id_)}
    names = "; ".join(f"{id_}: {told[id_]}" for id_ in sorted(told, key=by_number))
    return f"What they are about: {names}."


def stacks_sentence(stacks: Sequence[StackingRecord]) -> str:
    """Say for which targets two candidates together know more than one."""
    more = [
        f"{each.target}: {each.order[0]} and {each.second} "
        f"(R² {each.gain:+.2f}, p = {each.p_value:.2f})"
        for each in sorted(stacks, key=lambda each: by_number(each.target))
        if len(each.order) > 1 and each.p_value is not None and each.p_value <= _CHANCE
    ]
    told = "Do two candidates know more than one? By the leave-one-out error of their features"
    return f"{told} they do of {'target ' + '; '.join(more) if more else 'no target'}."


def _first_of(names: Sequence[str]) -> str:
    return ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the summary as texts under short headings."""
    return pd.DataFrame(
        {
            "target": frame["target"].map(str),
            "modality": frame["modality"],
            "backbone": [
                "-" if pd.isna(id_) else with_modality(id_, modality)
                for id_, modality in zip(frame["backbone"], frame["backbone_modality"], strict=True)
            ],
            "similarity": frame["similarity"].map(_or_dash("{:.3f}".format)),
            "majority": frame["majority_test_accuracy"].map("{:.1%}".format),
            "baseline": frame["mean_baseline_test_accuracy"].map(_or_dash("{:.1%}".format)),
            "accuracy": frame["mean_test_accuracy"].map(_or_dash("{:.1%}".format)),
            **_balanced(frame),
            "gain": [
                _with_reach(gain, high - gain)
                for gain, high in zip(frame["gain"], frame["gain_high"], strict=True)
            ],
            "verdict": frame["verdict"],
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


def _balanced(frame: pd.DataFrame) -> dict[str, pd.Series[str]]:
    """Return the mean accuracy over classes, where that is another than over samples."""
    balanced = frame["test_balanced_accuracy"]
    if ((balanced - frame["test_accuracy"]).abs() < _SAME).all():
        return {}
    return {"balanced": balanced.map("{:.1%}".format)}


def points_of(gain: Gain) -> str:
    """Return a gain in points, with half of its interval."""
    return _with_reach(gain.mean, gain.high - gain.mean)


def _with_reach(mean: float, reach: float) -> str:
    return f"{_points(mean)} ± {100 * reach:.1f}" if reach else _points(mean)


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
