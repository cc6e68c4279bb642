"""The table of a data set's targets: as a frame, as text, and what it says in a sentence."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import pandas as pd

from crossback_core.data.names import by_number, numbers_first, with_modality
from crossback_core.learning.verdict import NO_CANDIDATE, Gain, Verdict, accuracy_interval
from crossback_core.records import BaselineRecord, SelectionRecord, TargetRecord
from crossback_core.report.names import Named
from crossback_core.wording import counted

_TEXT_WIDTH = 120
NO_BETTER = "no better than guessing"

_SAME = 0.02  # what accuracies may differ by for being means over classes of nearly one size
_LISTS = ("classes", "backbone_classes", "tied_candidates")


def summary_table(
    records: Sequence[TargetRecord],
    networks: Sequence[BaselineRecord] = (),
    choices: Sequence[SelectionRecord] = (),
) -> pd.DataFrame:
    """Return one row per target, in the order of their ids; classes and ties are tuples of names.

    Args:
        records: Of the targets.
        networks: Of baselines: what backbones were before they were pruned.
        choices: Of backbones: which candidates have the score of the one that was chosen.

    Raises:
        ValueError: If there is no record.
    """
    if not records:
        raise ValueError(
            "there is no target to summarise; the configuration must name at least one"
        )
    dense = {each.task: each.test_accuracy for each in networks}
    tied = {each.target: each.tied for each in choices}
    frame = pd.DataFrame([_summary_row(record, dense, tied) for record in records])
    frame = frame.sort_values("target", key=numbers_first, ignore_index=True)
    return frame.astype(
        {"similarity": float, "backbone_unpruned_test_accuracy": float, "identical": "boolean"}
    )


def _summary_row(
    record: TargetRecord, dense: Mapping[str, float], tied: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
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
        "no_better_than_guessing": guesses(record),
        "verdict": record.verdict,
        "classes": record.classes[record.target],
        "backbone_classes": record.classes.get(record.backbone or "", ()),
        "backbone_unpruned_test_accuracy": dense.get(record.backbone or ""),
        "backbone_test_accuracy_before": known and known.test_accuracy_before,
        "backbone_test_accuracy_after": known and known.test_accuracy_after,
        "identical": all(task.logits_identical for task in earlier) if earlier else None,
        "sparsity": record.sparsity,
        "width": record.width,
        "checkpoint_kB": record.checkpoint_bytes / 1000,
        "seconds": record.seconds,
        "tied_candidates": tied.get(record.target, ()),
    }


def _accuracies(record: TargetRecord) -> dict[str, Any]:
    """Return the product's accuracies, means over all trainings, and the gain, if there is one."""
    made = record.comparison
    own = made.baseline_test_accuracy if made else record.baseline_test_accuracy
    gain = made.test_gain if made and record.backbone is not None else Gain(0.0, 0.0, 0.0, 0.0)
    low, high = accuracy_interval(record.test_accuracy, record.test_samples)
    return {
        "mean_baseline_test_accuracy": own,
        "mean_test_accuracy": own + gain.mean,
        "baseline_test_accuracy": record.baseline_test_accuracy,
        "test_accuracy": record.test_accuracy,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
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


def format_table(frame: pd.DataFrame, *, folder: str, called: Mapping[str, str]) -> str:
    """Return the summary as plain text: the table, what it says, and where everything lies.

    Args:
        frame: From `summary_table`.
        folder: Where the products lie, such as "results/icons".
        called: Names of the tasks and joint networks that have one, by id.
    """
    return "\n".join(
        [
            format_rows(frame, folder=folder, called=called),
            f"Report: {folder}/report.html; the table as {folder}/summary.csv",
        ]
    )


def format_rows(frame: pd.DataFrame, *, folder: str, called: Mapping[str, str]) -> str:
    """Return what `format_table` does, but for the report: of targets that were made alone."""
    targets = ", ".join(str(target) for target in frame["target"])
    told = [
        verdict_sentence(frame),
        ties_sentence(frame),
        guessing_sentence(frame),
        unpruned_sentence(frame),
        tasks_sentence(frame, called),
    ]
    return "\n".join(
        [
            readable(frame).to_string(index=False, line_width=None),
            "",
            *(line for sentence in told for line in _lines(sentence)),
            f"Models: {folder}/target_N.pt with .json and .csv, N = {targets}",
        ]
    )


def _lines(sentence: str) -> list[str]:
    """Break a sentence, but no name in it."""
    return textwrap.wrap(sentence, _TEXT_WIDTH, break_on_hyphens=False, break_long_words=False)


def verdict_sentence(frame: pd.DataFrame) -> str:
    """Say what `outcome_sentence` does, what the table's intervals are, and what may help."""
    told = [outcome_sentence(frame)]
    if (frame["gain_high"] != frame["gain"]).any():
        told.append(
            "What follows a ± is half a 95 % interval: of the differences between both networks'"
            " answers to the same samples."
        )
    if (frame["verdict"] == NO_CANDIDATE).any():
        told.append('What may help: docs/tutorial.md, section "Few samples".')
    return " ".join(told)


def ties_sentence(frame: pd.DataFrame) -> str:
    """Say for which targets only the order of ids chose the backbone; nothing if for none."""
    told = [
        f"for {target} ({', '.join(tied)} scored the same)"
        for target, tied in zip(frame["target"], frame["tied_candidates"], strict=True)
        if tied
    ]
    return f"Of equal candidates the first was chosen: {', '.join(told)}." if told else ""


def guessing_sentence(frame: pd.DataFrame) -> str:
    """Say which products may be no better than the most frequent class; nothing if none is."""
    told = [
        f"{row['target']} ({row['test_accuracy']:.1%} of {row['test_samples']} test samples, 95 %"
        f" interval {100 * row['test_accuracy_low']:.0f} to {100 * row['test_accuracy_high']:.0f};"
        f" always the most frequent class: {row['majority_test_accuracy']:.1%})"
        for row in frame[frame["no_better_than_guessing"]].to_dict("records")
    ]
    return f"{NO_BETTER.capitalize()}: {', '.join(told)}." if told else ""


def guesses(record: TargetRecord) -> bool:
    """Say whether the interval of a product's accuracy is not above the most frequent class's."""
    low, _ = accuracy_interval(record.test_accuracy, record.test_samples)
    return low <= record.majority_test_accuracy


def unpruned_sentence(frame: pd.DataFrame) -> str:
    """Say how accurate backbones were before they were pruned; nothing where it is not known."""
    reached = dict(zip(frame["backbone"], frame["backbone_unpruned_test_accuracy"], strict=True))
    known = sorted((id_ for id_ in reached if not pd.isna(reached[id_])), key=by_number)
    told = ", ".join(f"{id_} {reached[id_]:.1%}" for id_ in known)
    return f"Before pruning the backbones reached on their own tasks: {told}." if told else ""


def outcome_sentence(frame: pd.DataFrame) -> str:
    """Say whom the backbone helps, what it brings on test, and how sure both are."""
    counts = frame["verdict"].value_counts()
    helped, open_, hurt, none = (int(counts.get(verdict, 0)) for verdict in get_args(Verdict))
    targets = counted(len(frame), "target")
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


def tasks_sentence(frame: pd.DataFrame, called: Mapping[str, str]) -> str:
    """Say what the targets and their backbones are about: their names and classes."""
    known: dict[str, Named] = {}
    for start in ("", "backbone_"):
        columns = [start[:-1] or "target", f"{start}modality", f"{start}classes"]
        for id_, modality, classes in frame[columns].itertuples(index=False):
            if not pd.isna(id_):
                known.setdefault(id_, Named(id_, modality, classes, called.get(id_, "")))
    told = "; ".join(known[id_].told for id_ in sorted(known, key=by_number))
    return f"What they are about: {told}."


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
    """Return the product's mean accuracy over classes, where that is another than over samples."""
    balanced = frame["test_balanced_accuracy"]
    if ((balanced - frame["test_accuracy"]).abs() < _SAME).all():
        return {}
    one = (frame["trainings"] == 1).all()  # else the accuracy beside it is a mean of several
    title = "balanced" if one else "product's, balanced"
    return {title: balanced.map("{:.1%}".format)}


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
