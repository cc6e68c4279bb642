"""A trained network as its users see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from crossback_core.checkpoint.network_file import load_checkpoint
from crossback_core.data.task_file import Split, TaskData, load_task
from crossback_core.learning.evaluation import accuracy, predict_logits
from crossback_core.model.network import Network, TaskModel, TaskSpec

Inputs = Tensor | tuple[Tensor, Tensor | None]


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

    @classmethod
    def load(cls, path: str | Path) -> Product:
        """Load a checkpoint; see `crossback_core.load`."""
        checkpoint = load_checkpoint(path)
        return cls(checkpoint.network, checkpoint.record)

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        """The tasks by id: modality, names of the classes, width."""
        return self.network.tasks

    def logits(self, *, task: str | int, inputs: Inputs) -> Tensor:
        """Compute the logits of a task.

        Args:
            task: Id of the task, such as "image-animals" or 14.
            inputs: Images as uint8 (n, 3, height, width), or embedded texts as a pair of float32
                (n, tokens, channels) and a bool mask (n, tokens), True at real tokens: what
                `Split.inputs` of a task file returns.

        Returns:
            (n, classes of the task)

        Raises:
            ValueError: The network has no such task, or the inputs do not fit it.
        """
        values, mask = inputs if isinstance(inputs, tuple) else (inputs, None)
        return predict_logits(self._model(task), values, mask)

    def predict(self, *, task: str | int, inputs: Inputs) -> Tensor:
        """Return the most likely class of each input, as its position in the task's classes (n,).

        The arguments are those of `logits`; `tasks[task].classes` has the names.
        """
        return self.logits(task=task, inputs=inputs).argmax(dim=1)

    def evaluate(self, data: TaskData | str | Path, *, split: str = "test") -> dict[str, float]:
        """Measure a task on one of its splits.

        Args:
            data: The task, or its file.
            split: train, validation or test.

        Returns:
            accuracy, cross-entropy loss and number of samples.

        Raises:
            ValueError: The network has no such task, learned other classes of it, or there is no
                such split.
        """
        task = data if isinstance(data, TaskData) else load_task(data)
        learned = self._model(task.task).spec.classes
        if task.classes != learned:
            raise ValueError(
                f"the data of task {task.task} has classes {task.classes}, the network {learned}"
            )
        samples = _split(task, split)
        logits = self.logits(task=task.task, inputs=samples.inputs())
        return {
            "accuracy": accuracy(logits, samples.labels),
            "loss": float(functional.cross_entropy(logits, samples.labels)),
            "samples": len(samples),
        }

    def _model(self, task: str | int) -> TaskModel:
        """Settle a task on first use."""
        id_ = str(task)
        if id_ not in self._models:  # two threads may both settle it: they get the first one's
            self._models.setdefault(id_, self.network.settled(id_))
        return self._models[id_]


def _split(data: TaskData, name: str) -> Split:
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    if name not in splits:
        raise ValueError(f"split {name!r} is not one of {', '.join(splits)}")
    return splits[name]
