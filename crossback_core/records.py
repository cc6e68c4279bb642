"""What stages say about their results: one declaration for each record, as JSON or in a checkpoint.

A record is written whole and read strictly: a key that is missing, unknown or of another type is
an error that names the file. Planning a workflow reads records, so torch is imported when one is
made.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from crossback_core.lazy import Lazy
from crossback_core.learning.verdict import Comparison, Outcomes, Share, Verdict
from crossback_core.section import STRICT, Distinct, Text, keys_of, shown, worded
from crossback_core.selection.choice import Choice
from crossback_core.selection.stacking import Stack
from crossback_core.storage.files import read_json, sha256, write_json
from crossback_core.study.settings import Start
from crossback_core.version import NUMERICS, __version__
from crossback_core.wording import printable

torch = Lazy("torch")

RECORD_FORMAT = 3  # raised whenever a key of any record is added, renamed or removed

Number = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Width = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=0)]
Classes = Annotated[tuple[Text, ...], Field(min_length=1), Distinct]


@dataclass(frozen=True, config=STRICT)
class Parent:
    """A file that a result was made from."""

    path: Text
    sha256: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Record:
    """What determined a result.

    Attributes:
        settings: By name, as plain values.
        versions: Of the packages that computed it, and of its numbers.
        parents: By role.
    """

    settings: dict[str, Any]
    versions: dict[str, int | str]
    parents: dict[str, Parent]

    @property
    def subject(self) -> str:
        """Id of the target that it is about, or else of the task."""
        fields = vars(self)
        return str(fields["target"] if "target" in fields else fields["task"])


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainingRecord(Record):
    """What a training reached, and what determined it beside its settings.

    Attributes:
        validation_accuracy: Of the last epoch; what decides.
        test_accuracy: Likewise; only reported.
        seconds: Duration, interruptions left out.
        device: Type of the device, such as "cpu".
        threads: Of PyTorch: sums of more threads may round differently.
    """

    validation_accuracy: Amount
    test_accuracy: Amount
    train_samples: Whole
    validation_samples: Whole
    test_samples: Whole
    seconds: Amount
    seed: Whole
    device: Text
    threads: Whole


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BaselineRecord(TrainingRecord):
    """A network trained on one task from scratch."""

    task: Text
    modality: Text
    classes: Classes


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PruningRecord(Record):
    """The level of a ladder that became the backbone: 0 is the dense baseline."""

    task: Text
    sparsity: Share
    validation_accuracy: Amount
    baseline_validation_accuracy: Amount
    allowed_loss: Number


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SelectionRecord(Choice, Record):
    """The candidate chosen as a target's backbone, or that none knows enough."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class StackingRecord(Stack, Record):
    """Whether two candidates of a target know more than one."""

    target: Text
    samples: Whole


@dataclass(frozen=True, kw_only=True, config=STRICT)
class StartRecord:
    """What a target starts with (see `Reconstruction`), in the checkpoint that it starts from."""

    backbone: Text
    target: Text
    swapped: bool
    continued: bool


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tried:
    """What a target reached on its backbone, also where its baseline was kept in the end."""

    backbone: Text
    similarity: Number | None
    swapped: bool
    continued: bool
    width: Width
    validation_accuracy: Amount
    test_accuracy: Amount
    validation_accuracy_by_width: dict[Text, Amount]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ProductRecord(TrainingRecord):
    """A target's product, in its checkpoint; what is of the backbone is None with the baseline.

    Attributes:
        classes: Of each task that the product serves, the target's last.
        test_balanced_accuracy: Mean over the classes of the part of each that is right.
        test_confusion: Test samples of each class (first key) that were taken for another (second).
        majority_test_accuracy: Of always guessing the class of the most training samples;
            the mean over several with as many.
        score: Name of the score that chose the backbone.
        similarity: The backbone's, by that score.
        sparsity: Of the pruned backbone.
        owned_fraction: Of all masked weights those that the target owns; likewise those that it
            picks from earlier tasks, and those still free.
        dense_bytes: Size of the target's own dense network at width 1.
        verdict: What the backbone does; "no candidate" where none has a score above the minimum:
            then `tried` and `comparison` are None.
    """

    target: Text
    modality: Text
    classes: dict[Text, Classes]
    test_balanced_accuracy: Share
    test_confusion: dict[Text, dict[Text, Whole]]
    majority_test_accuracy: Share
    backbone: Text | None
    backbone_modality: Text | None
    similarity: Number | None
    score: Text
    verdict: Verdict
    comparison: Comparison | None
    baseline_validation_accuracy: Amount
    baseline_test_accuracy: Amount
    baseline_test_balanced_accuracy: Share
    tried: Tried | None
    sparsity: Share | None
    width: Width
    owned_fraction: Share
    picked_fraction: Share
    free_fraction: Share
    dense_bytes: Whole


@dataclass(frozen=True, config=STRICT)
class EarlierTask:
    """A task that a product knew before its target: measured from both files on disk."""

    task: Text
    test_accuracy_before: Amount
    test_accuracy_after: Amount
    logits_identical: bool


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TargetRecord(ProductRecord):
    """A target's product, and what its file on disk was found to be."""

    checkpoint_bytes: Whole
    earlier_tasks: tuple[EarlierTask, ...]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PairRecord(TrainingRecord):
    """A target trained from one candidate, or from a control of it, beside its baseline.

    Attributes:
        classes: How many the candidate knows.
        validation_outcomes: A sign for each sample: 1 both networks are right, + the target's
            alone, - the baseline's alone, 0 neither; likewise of the test split.
        quarter_validation_accuracy: After a quarter of the epochs; likewise after half of them.
        weights: Stored ones, as a fraction of those of both networks apart.
    """

    target: Text
    target_modality: Text
    start: Start
    candidate: Text
    modality: Text
    classes: Whole
    sparsity: Share
    swapped: bool
    continued: bool
    width: Width
    validation_outcomes: Outcomes
    test_outcomes: Outcomes
    quarter_validation_accuracy: Amount
    half_validation_accuracy: Amount
    weights: Amount


_Known = TypeVar("_Known", bound=Record | StartRecord)


def origin(*, settings: Mapping[str, Any], parents: Mapping[str, str | Path]) -> dict[str, Any]:
    """Return the fields of a `Record`.

    Args:
        settings: Plain values or dataclasses, by name.
        parents: Files that a result was made from, by role; each is hashed.
    """
    return {
        "settings": {name: _plain(value) for name, value in settings.items()},
        "versions": {
            "crossback_core": __version__,
            "numerics": NUMERICS,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
        "parents": {role: Parent(str(path), sha256(path)) for role, path in parents.items()},
    }


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def to_values(record: Record | StartRecord) -> dict[str, Any]:
    """Return the plain values of a record: its format first, what determined it last."""
    values = asdict(record)
    determining = {name: values.pop(name) for name in keys_of(Record) if name in values}
    return {"format": RECORD_FORMAT, **values, **determining}


def write_record(record: Record, path: str | Path) -> None:
    """Write a record as JSON, atomically."""
    write_json(to_values(record), path)


def read_record(kind: type[_Known], path: str | Path) -> _Known:
    """Read a record that `write_record` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no record of that kind, or one of another format.
    """
    return from_values(kind, read_json(path), path)


def from_values(kind: type[_Known], values: object, path: str | Path) -> _Known:
    """Make a record of what `to_values` returned.

    Args:
        kind: The record.
        values: Read from a file.
        path: That file, for messages.

    Raises:
        ValueError: The values are no record of that kind, or one of another format.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a {type(values).__name__}, not a record: remove it")
    if values.get("format") != RECORD_FORMAT:
        found = (
            f"format {shown(values['format'])}" if "format" in values else "version 0.1 or older"
        )
        raise ValueError(
            f"{path} holds a record of {found}; crossback_core {__version__} reads format"
            f" {RECORD_FORMAT}: remove the file and run again"
        )
    fields = {name: value for name, value in values.items() if name != "format"}
    try:
        # as JSON: a list stands for a tuple there, and a mapping for a part
        return TypeAdapter(kind).validate_json(json.dumps(fields))
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise ValueError(f"{path} is damaged: remove it and run again") from error
        problems = printable("; ".join(worded(error, kind)))
        raise ValueError(f"{path} holds no {kind.__name__} ({problems}): remove it") from error
