"""From raw inputs to the names of classes, by one task of a network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from crossback_core.checkpoint.raw_input import Given
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.modality import Modality
from crossback_core.data.recipe import Reader, TokenCount
from crossback_core.learning.evaluation import batch_size, predict_logits
from crossback_core.model.network import TaskModel
from crossback_core.wording import printable

_AT_ONCE = 32  # inputs that are read at a time, at least
_MOST_THREADS = 8


@dataclass(frozen=True)
class Prediction:
    """What a task makes of one input.

    Attributes:
        source: Path of the file, the text itself, or "input N" for the N-th of other inputs.
        task: Id of the task; the newest one where none was asked for.
        classes: All classes of the task, the most likely one first; none where there is a problem.
        probabilities: Of these classes, in their order; they sum to 1.
        tokens: How much of a text was read, and how much of that unknown or new; None for others.
        problem: Why the input could not be read; nothing where it was.
        task_name: What people call the task; nothing where its id tells.
    """

    source: str
    task: str
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    tokens: TokenCount | None = None
    problem: str = ""
    task_name: str = ""

    @property
    def best(self) -> str | None:
        """The most likely class; None where there is a problem."""
        return self.classes[0] if self.classes else None

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """Return the most likely classes with their probabilities, so many at most."""
        return list(zip(self.classes, self.probabilities, strict=True))[:count]


class Predictions(tuple[Prediction, ...]):
    """What a task makes of several inputs, in their order."""

    __slots__ = ()

    def to_frame(self, top: int = 1) -> pd.DataFrame:
        """Return a row for each input and each of its most likely classes.

        Args:
            top: How many classes of each, 1 or more.

        Returns:
            Columns `source`, `class`, `probability`, `rank` (from 1), `task`, `task_name`, of texts
            `tokens`, `unknown`, `new` and `cut` (see `TokenCount`), and `problem`; where there is
            one, it is the only row of its input, without rank, class and probability.
        """
        if top < 1:
            raise ValueError(f"top is {top}: it must be at least 1")
        frame = pd.DataFrame([row for each in self for row in _rows(each, top)], columns=_COLUMNS)
        counts = dict.fromkeys(("rank", *_TOKENS), "Int64")
        return frame.astype({**counts, "probability": float})


_TOKENS = {"tokens": "read", "unknown": "unknown", "new": "new", "cut": "cut"}  # column: count
_COLUMNS = ["source", "class", "probability", "rank", "task", "task_name", *_TOKENS, "problem"]


def _rows(each: Prediction, top: int) -> Iterator[list[Any]]:
    read = [each.tokens and getattr(each.tokens, count) for count in _TOKENS.values()]
    likeliest = enumerate(each.likeliest(top), start=1)
    ranked: list[list[Any]] = [[*pair, rank] for rank, pair in likeliest]
    for found in ranked or [[None, None, None]]:
        yield [each.source, *found, each.task, each.task_name, *read, each.problem]


def predict_raw(
    model: TaskModel, reader: Reader, inputs: Sequence[Given], *, threads: int | None = None
) -> Iterator[Prediction]:
    """Predict raw inputs, as many at a time as a network is given at once.

    So the logits are those of an evaluation of the same samples in the same order, to the bit.

    Args:
        model: The task.
        reader: Of the task.
        inputs: One or more.
        threads: How many are read at a time; as many as there are processors if None.

    Yields:
        What the task makes of each, in their order.
    """
    modality = MODALITIES.find(model.spec.modality)
    batch = batch_size(reader.size)
    step = batch * max(1, _AT_ONCE // batch)
    open_ = partial(_opened, modality, reader)
    with ThreadPoolExecutor(threads or min(_MOST_THREADS, len(os.sched_getaffinity(0)))) as pool:
        for start in range(0, len(inputs), step):
            part = inputs[start : start + step]
            opened = list(pool.map(open_, [each.value for each in part]))
            yield from _predicted(model, reader, part, opened)


def ranked(
    logits: Tensor, classes: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], tuple[float, ...]]]:
    """Yield the classes and the probabilities of a `Prediction` for logits (inputs, classes)."""
    probabilities, order = logits.double().softmax(dim=1).sort(dim=1, descending=True, stable=True)
    for places, row in zip(order.tolist(), probabilities.tolist(), strict=True):
        yield tuple(classes[place] for place in places), tuple(row)


def _opened(modality: Modality, reader: Reader, value: Any) -> tuple[Any, str]:
    """Return what a reader opened, and why it could not."""
    try:
        problem = modality.file_problem(value) if isinstance(value, Path) else ""
        return (None, problem) if problem else (reader.open(value), "")
    except (ValueError, OSError) as error:
        return None, f"unreadable {modality.name}: {printable(error)}"


def _predicted(
    model: TaskModel, reader: Reader, part: Sequence[Given], opened: Sequence[tuple[Any, str]]
) -> list[Prediction]:
    """Return the predictions of inputs that are computed together, and what is wrong with some."""
    spec = model.spec
    found = [
        Prediction(given.source, spec.task, problem=problem, task_name=spec.name)
        for given, (_, problem) in zip(part, opened, strict=True)
    ]
    whole = [place for place, each in enumerate(found) if not each.problem]
    if whole:
        read = [opened[place][0] for place in whole]
        computed = _computed(model, reader, read, [found[place] for place in whole])
        for place, each in zip(whole, computed, strict=True):
            found[place] = each
    return found


def _computed(
    model: TaskModel, reader: Reader, opened: Sequence[Any], blank: Sequence[Prediction]
) -> list[Prediction]:
    """Complete the predictions of opened inputs, of which some may turn out to be empty."""
    modality = MODALITIES.find(model.spec.modality)
    gathered = reader.gather(opened)
    packed = modality.pack(gathered.samples)
    found = [
        replace(each, tokens=count, problem=problem)
        for each, count, problem in zip(blank, gathered.counts, packed.problems, strict=True)
    ]
    rows = [row for row, each in enumerate(found) if not each.problem]
    if rows:
        values, mask = modality.inputs(packed.of(rows), packed.table)
        modality.check_inputs(values, mask, model.spec.channels)
        logits = predict_logits(model, values, mask)
        for row, (names, chances) in zip(rows, ranked(logits, model.spec.classes), strict=True):
            found[row] = replace(found[row], classes=names, probabilities=chances)
    return found
