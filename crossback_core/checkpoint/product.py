"""A trained network as its users see it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, TypeGuard, overload

from torch import Tensor
from torch.nn import functional

from crossback_core.checkpoint.network_file import load_checkpoint, save_checkpoint
from crossback_core.checkpoint.predicting import (
    Prediction,
    Predictions,
    predict_raw,
    ranked,
)
from crossback_core.checkpoint.raw_input import Raw, inputs_of
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.recipe import Reader
from crossback_core.data.task_file import Split, TaskData, load_task
from crossback_core.learning.evaluation import accuracy, check_learned, count_seen, predict_logits
from crossback_core.model.network import Network, TaskModel, TaskSpec
from crossback_core.wording import printable

logger = logging.getLogger(__name__)

Inputs = Tensor | tuple[Tensor, Tensor | None]


class Evaluation(TypedDict):
    """What `Product.evaluate` found.

    Attributes:
        accuracy: Fraction of the samples whose class was predicted.
        loss: Mean cross-entropy.
        samples: Number of samples.
        seen: How many of them the task or one before it was trained or validated on (at least
            that, where only some of these tasks say so); None if that is not known.
        trained_on: How many of the data's own training samples the task was trained on: 0 where
            the data are others of the same name; None if that is not known.
    """

    accuracy: float
    loss: float
    samples: int
    seen: int | None
    trained_on: int | None


@dataclass(frozen=True)
class Product:
    """A network with all its tasks, ready to predict, by any number of threads at once.

    Attributes:
        network: The network, as it was loaded: predictions are those of its values by then.
        record: How it came about: parents, settings, accuracies.
    """

    network: Network
    record: dict[str, Any]
    _models: dict[str, TaskModel] = field(default_factory=dict, init=False, repr=False)
    _readers: dict[tuple[str, str | None], Reader] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def load(cls, path: str | Path) -> Product:
        """Load a checkpoint; see `crossback_core.load`."""
        checkpoint = load_checkpoint(path)
        return cls(checkpoint.network, checkpoint.record)

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        """The tasks by id: modality, names of the classes, width."""
        return self.network.tasks

    def find(self, task: str | int | None = None) -> TaskSpec:
        """Return what is known about a task.

        Args:
            task: Its id, or its name where no other task has that one; None is the newest task.

        Raises:
            ValueError: There is no such task, or several have the name; the message lists them.
        """
        if task is None:
            return self.network.newest
        named = [spec for spec in self.network.specs if spec.name and spec.name == task]
        if not named or task in self.tasks:
            return self.network.specs[self.network.position(str(task)) - 1]
        if len(named) > 1:
            ids = " or ".join(spec.task for spec in named)
            raise ValueError(f"{len(named)} tasks have the name {task}: give task={ids}")
        return named[0]

    def logits(self, *, task: str | int, inputs: Inputs) -> Tensor:
        """Compute the logits of a task.

        Args:
            task: Id of the task, such as "image-animals" or 14, or its name.
            inputs: Images as uint8 (n, 3, height, width), or embedded texts as a pair of float32
                (n, tokens, channels) and a bool mask (n, tokens), True at real tokens: what
                `Split.inputs` of a task file returns. At least one.

        Returns:
            (n, classes of the task), all of them finite.

        Raises:
            ValueError: The network has no such task, or the inputs are of another type or shape;
                the message says of which, and what is wanted.
        """
        model = self._model(self.find(task).task)
        values, mask = _batch(inputs)
        spec = model.spec
        MODALITIES.find(spec.modality).check_inputs(values, mask, spec.channels)
        return predict_logits(model, values, mask)

    @overload
    def predict(
        self,
        inputs: list[Raw] | tuple[Raw, ...] | Inputs,
        *,
        task: str | int | None = None,
        encoder: str | Path | None = None,
        threads: int | None = None,
    ) -> Predictions: ...

    @overload
    def predict(
        self,
        inputs: Raw,
        *,
        task: str | int | None = None,
        encoder: str | Path | None = None,
        threads: int | None = None,
    ) -> Prediction | Predictions: ...

    def predict(
        self,
        inputs: Raw | list[Raw] | tuple[Raw, ...] | Inputs,
        *,
        task: str | int | None = None,
        encoder: str | Path | None = None,
        threads: int | None = None,
    ) -> Prediction | Predictions:
        """Name the classes of raw inputs: files, folders, sentences, pictures, arrays of pixels.

        They are read as the samples of the task were, so the logits are those of an evaluation.

        Args:
            inputs: One input, or a list of them. A path is a file, or a folder, whose files of the
                task's modality are read, those in folders below as well. A str is a path to a task
                that reads no texts. To one that does it is a sentence, unless it names a file: one
                that exists and has a suffix of a modality (photo.jpg, note.txt). What looks like
                such a name, with no blank in it, is never taken for a sentence. Arrays are uint8
                (height, width, 3), or a batch of these. What `logits` takes is taken as well.
            task: Its id or its name; None is the newest task. The result tells which.
            encoder: Folder of the encoder that reads the task's texts, if it has moved.
            threads: How many inputs are read at a time; None is as many as there are processors,
                8 at most.

        Returns:
            A `Prediction` of one input; `Predictions` of a list, a folder or a batch. There, what
            cannot be read has a `problem` in place of classes.

        Raises:
            FileNotFoundError: The one input is a path that does not exist, or the encoder is not
                here.
            ValueError: The one input cannot be read; there is none; one is of another modality than
                the task; there is no such task, or it does not know how raw input is read; the
                encoder has changed.
        """
        spec = self.find(task)
        if _is_prepared(inputs):
            logits = self.logits(task=spec.task, inputs=inputs)
            return Predictions(
                Prediction(f"input {place}", spec.task, *named, task_name=spec.name)
                for place, named in enumerate(ranked(logits, spec.classes), start=1)
            )
        reader = self._reader(spec, None if encoder is None else str(encoder))
        given, many = inputs_of(inputs, spec, self.network.specs)
        found = predict_raw(self._model(spec.task), reader, given, threads=threads)
        if many:
            return Predictions(found)
        (one,) = found
        if one.problem:
            raise ValueError(f"{printable(one.source) or repr(one.source)}: {one.problem}")
        return one

    def evaluate(
        self, data: TaskData | str | Path, *, split: str = "test", allow_seen: bool = False
    ) -> Evaluation:
        """Measure a task on one of its splits.

        Test samples that the task has seen, in training or validation, say nothing about new ones,
        so they are refused; so are those that an earlier task has seen, of whose weights this task
        picks, even under another class. What later tasks have seen does not matter: they change
        nothing of this one. Samples are told by the content that they were read from: not by their
        names, and a picture that was saved again is another one.

        Data of the same name and classes whose training samples are others are measured: a new test
        set is a good one. `trained_on` tells them apart.

        Args:
            data: The task, or its file.
            split: train, validation or test. The first two are seen, and measured on purpose.
            allow_seen: Measure test samples even if they were seen, or nobody can know.

        Raises:
            ValueError: The network has no such task, learned other classes of it, or there is no
                such split; or test samples were seen.
        """
        task = data if isinstance(data, TaskData) else load_task(data)
        check_learned(self.network, task)
        samples = _split(task, split)
        seen = count_seen(self.network, task, samples)
        if split == "test" and not allow_seen:
            _check_unseen(seen, task)
        logits = self.logits(task=task.task, inputs=samples.inputs())
        return {
            "accuracy": accuracy(logits, samples.labels),
            "loss": float(functional.cross_entropy(logits, samples.labels)),
            "samples": len(samples),
            "seen": seen,
            "trained_on": self._trained_on(task),
        }

    def save(self, path: str | Path, *, samples: bool = True) -> None:
        """Write the product as a checkpoint, atomically.

        Args:
            path: Where to.
            samples: Whether it says, by short hashes, which samples its tasks have seen. They tell
                whoever has a sample whether it was among them: leave them out of what is published
                if that should stay unknown. `evaluate` then says that it cannot know.
        """
        save_checkpoint(self.network, path, self.record, samples=samples)

    def _trained_on(self, data: TaskData) -> int | None:
        """Count the training samples of the data that the task of their name was trained on."""
        seen = self.network.seen[self.network.position(data.task) - 1]
        if seen is None or data.train.contents is None:
            return None
        return sum(content in seen.train for content in data.train.contents)

    def _reader(self, spec: TaskSpec, encoder: str | None) -> Reader:
        """Make what reads raw input of a task on first use: loading an encoder takes seconds."""
        recipe = self.network.recipes[self.network.position(spec.task) - 1]
        if recipe is None:
            raise ValueError(
                f"task {spec.called}, of modality {spec.modality}, does not know how raw input is"
                " read: its data set does not say it; give prepared tensors (see `logits`)"
            )
        modality = MODALITIES.find(spec.modality)
        key = spec.task, encoder
        if key not in self._readers:
            self._readers.setdefault(key, modality.reader(recipe, spec.channels, encoder))
        return self._readers[key]

    def _model(self, task: str) -> TaskModel:
        """Settle a task on first use."""
        if task not in self._models:  # two threads may both settle it: they get the first one's
            self._models.setdefault(task, self.network.settled(task))
        return self._models[task]


def _is_prepared(inputs: object) -> TypeGuard[Inputs]:
    """Say whether inputs are meant for `logits`, which tells what is wrong with them."""
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    return any(isinstance(each, Tensor) for each in parts)


def _batch(inputs: Inputs) -> tuple[Tensor, Tensor | None]:
    """Tell values and mask apart."""
    pair = inputs if isinstance(inputs, tuple) else (inputs, None)
    if len(pair) == 2 and isinstance(pair[0], Tensor) and isinstance(pair[1], Tensor | None):
        return pair
    given = ", ".join(type(each).__name__ for each in pair)
    raise ValueError(f"inputs must be a tensor, or a pair of values and a mask, not {given}")


def _check_unseen(seen: int | None, data: TaskData) -> None:
    """Refuse test samples that were seen, and warn where nobody can know."""
    if seen is None:
        logger.warning(
            "task %s: the checkpoint or the data do not say which samples they hold, so whether"
            " the test samples were trained on cannot be known",
            data.task,
        )
    elif seen:
        raise ValueError(
            f"{seen} of {len(data.test)} test samples of task {data.task} are among those that the"
            " network was trained or validated on: give others, or measure them on purpose with"
            " allow_seen=True"
        )


def _split(data: TaskData, name: str) -> Split:
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    if name not in splits:
        raise ValueError(f"split {name!r} is not one of {', '.join(splits)}")
    return splits[name]
