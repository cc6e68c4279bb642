"""What the report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from crossback_core.records import (
    BaselineRecord,
    PruningRecord,
    SelectionRecord,
    StackingRecord,
    TargetRecord,
)


@dataclass(frozen=True)
class Ladder:
    """A backbone's levels: columns sparsity, validation_accuracy, test_accuracy, seconds."""

    levels: pd.DataFrame
    choice: PruningRecord


@dataclass(frozen=True)
class TrainingCurves:
    """Trainings of a target: columns loss and validation_accuracy, one row per epoch.

    Attributes:
        target: On its backbone; None where there was none.
        baseline: Of its own baseline.
    """

    target: pd.DataFrame | None
    baseline: pd.DataFrame


@dataclass(frozen=True)
class Example:
    """A test sample and what the product says of it.

    Attributes:
        sample: Its id.
        truth: The name of its class.
        answer: The class that the product gives it.
        confidence: The probability that the product gives the answer.
        picture: As the address of a PNG, "data:..."; None where it is no picture.
        text: None where it is no text, or where its text is not at hand.
        source: What it was read from, for people: a path in the raw data.
    """

    sample: str
    truth: str
    answer: str
    confidence: float
    picture: str | None
    text: str | None
    source: str

    @property
    def right(self) -> bool:
        """Whether the product is right."""
        return self.truth == self.answer


@dataclass(frozen=True)
class Opened:
    """What only a product's file and its task's file tell.

    Attributes:
        weights: One row per masked parameter: parameter, owned, picked, free, total (weights).
        examples: Of the test split.
        looked_at: Test samples that the examples were chosen among.
    """

    weights: pd.DataFrame
    examples: Sequence[Example]
    looked_at: int


@dataclass(frozen=True)
class ReportInputs:
    """What the report shows.

    Attributes:
        dataset: Its name.
        folder: Where its results lie, such as "results/icons".
        records: The targets' records.
        summary: What `summary_table` makes of them.
        called: Names of the tasks and joint networks that have one, by id.
        networks: Records of all baselines.
        matrix: One row per pair: target, target_modality, candidate, modality (the candidate's),
            similarity (the score that decided), selected (bool), and all scores by their names.
        zeros: Of each score that the matrix has a column of, whether it has a zero.
        selections: Each target's choice.
        stacks: Whether two candidates know more than one, for each target.
        pruning: Ladder of each pruned backbone.
        histories: Trainings of each target.
        opened: What the files of each target tell.
    """

    dataset: str
    folder: str
    records: Sequence[TargetRecord]
    summary: pd.DataFrame
    called: Mapping[str, str]
    networks: Sequence[BaselineRecord]
    matrix: pd.DataFrame
    zeros: Mapping[str, bool]
    selections: Sequence[SelectionRecord]
    stacks: Sequence[StackingRecord]
    pruning: Mapping[str, Ladder]
    histories: Mapping[str, TrainingCurves]
    opened: Mapping[str, Opened]
