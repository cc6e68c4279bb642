"""The table of a data set's targets: as a frame, as text, and what it says in a sentence."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from crossback_core.data.names import by_number, numbers_first, with_modality
from crossback_core.records import TargetRecord

_TEXT_WIDTH = 120
_SHOWN = 3  # classes of a task
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
        "baseline_test_accuracy": record.baseline_test_accuracy,
        "test_accuracy": record.test_accuracy,
        "gain": record.test_accuracy - record.baseline_test_accuracy,
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
    """Say whom the backbone helps by validation, and how far the test accuracies can be trusted."""
    helped, hurt = (int((frame["verdict"] == verdict).sum()) for verdict in ("helps", "hurts"))
    low = int(frame["test_samples"].min())
    high = int(frame["test_samples"].max())
    samples = f"{low}" if low == high else f"{low} to {high}"
    error = float(standard_error(frame["test_accuracy"], frame["test_samples"]).mean())
    return (
        f"By validation the backbone helps {helped} of {len(frame)} "
        f"{'target' if len(frame) == 1 else 'targets'} and hurts {hurt}; the mean gain on test is "
        f"{_points(frame['gain'].mean())} points. An accuracy on {samples} test samples has a "
        f"standard error of about {100 * error:.1f} points: smaller gains of a single target are "
        f"within the noise."
    )


def tasks_sentence(frame: pd.DataFrame, joint: Mapping[str, str]) -> str:
    """Say what the targets and their backbones are about: their classes, or a joint name."""
    known = dict(zip(frame["target"], frame["classes"], strict=True))
    known |= dict(zip(frame["backbone"], frame["backbone_classes"], strict=True))
    told = {id_: joint.get(id_) or _first_of(known[id_]) for id_ in known if not pd.isna(id_)}
    names = "; ".join(f"{id_}: {told[id_]}" for id_ in sorted(told, key=by_number))
    return f"What they are about: {names}."


def _first_of(names: Sequence[str]) -> str:
    return ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])


def standard_error(accuracy: pd.Series[float], samples: pd.Series[int]) -> pd.Series[float]:
    """Return the binomial standard error of an accuracy."""
    return (accuracy * (1 - accuracy) / samples) ** 0.5


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
            "baseline": frame["baseline_test_accuracy"].map(_or_dash("{:.1%}".format)),
            "accuracy": frame["test_accuracy"].map(_or_dash("{:.1%}".format)),
            "gain": frame["gain"].map(_or_dash(_points)),
            "verdict": frame["verdict"].map(_or_dash(str)),
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
