"""Score the candidates of one target: read inputs by both networks, then compute every score."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from crossback_core.data.task_file import Split, TaskData
from crossback_core.learning.evaluation import split_features, split_observed
from crossback_core.model.network import TaskModel
from crossback_core.model.shuffling import shuffled_copy
from crossback_core.selection.profiles import Forward, ProbeHalf, Probes, mutate, outputs, read
from crossback_core.selection.scores import measure
from crossback_core.selection.settings import ProbeSettings
from crossback_core.selection.view import View

DRAWS = 4  # of shuffled weights


@dataclass(frozen=True)
class Trained:
    """A trained task, its data, and its validation accuracy."""

    model: TaskModel
    data: TaskData
    accuracy: float


class Target:
    """A target to score candidates for, with what all of them share.

    Args:
        trained: The target's baseline.
        settings: Number of probes and their mutation.
        seed: Decides the probes and their mutation.
    """

    def __init__(self, trained: Trained, settings: ProbeSettings, *, seed: int) -> None:
        self.model = trained.model
        self.data = trained.data
        self.settings = settings
        self.seed = seed
        self._features = split_features(self.model, self.data.train).double()
        self._probes: dict[int, tuple[ProbeHalf, Tensor]] = {}

    def scores(self, candidate: Trained) -> dict[str, float]:
        """Compute all columns of one candidate: every score, and the spreads of their nulls.

        Raises:
            ValueError: A network's outputs are not finite, its width does not fit, or the target's
                training samples are of one class.
        """
        return measure(self.view(candidate))

    def view(self, candidate: Trained) -> View:
        """Compute what scores of a candidate are made of."""
        train = self.data.train
        validation = self.data.validation
        model = as_read_by(self.model, candidate.model)
        own, *shuffled = self._seen(model, candidate.data.task)
        drawn, mutated = self._answers(candidate)
        view = View(
            **own,
            labels=train.labels,
            own_features=self._features,
            held_out_labels=validation.labels,
            drawn=drawn,
            mutated=mutated,
            accuracy=candidate.accuracy,
            shuffled=(),
            seed=stream(f"{self.seed} {self.data.task}"),
        )
        return replace(view, shuffled=tuple(replace(view, **each) for each in shuffled))

    def _seen(self, model: TaskModel, task: str) -> Iterator[dict[str, Any]]:
        """Yield what a view has of a model's own, then what it has of each shuffled body."""
        texts = (f"{self.seed} {self.data.task} {task} {draw}" for draw in range(DRAWS))
        random = [torch.Generator().manual_seed(stream(text)) for text in texts]
        bodies = [shuffled_copy(model.body, each) for each in random]
        splits = (self.data.train, self.data.validation)
        trained, held_out = (split_observed(model, split, others=bodies) for split in splits)
        for (features, *blocks), (others, *_) in zip(trained, held_out, strict=True):
            with torch.no_grad():
                logits = model.head(features.to(model.device)).cpu()
            yield {
                "features": features.double(),
                "blocks": tuple(block.double() for block in blocks),
                "probabilities": logits.double().softmax(dim=1),
                "held_out": others.double(),
            }

    def _answers(self, candidate: Trained) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Read the probes of both tasks by both networks: as drawn, then mutated.

        Where the modalities differ, each network reads the other modality through the other
        network's key/value projection. The same mutated probes serve all distances.
        """
        models = (_reading(self.model, candidate.model), _reading(candidate.model, self.model))
        count = min(self.settings.probes, len(self.data.train), len(candidate.data.train))
        half, seen = self._own_half(count, models[0])
        probes = Probes(half, _draw(candidate.model, candidate.data, count, self.seed))
        drawn = (torch.cat([seen, read(models[0], probes.second)]), outputs(models[1], probes))
        mutated = mutate(
            probes,
            models,
            rounds=self.settings.mutations,
            step=self.settings.mutation_step,
            seed=self.seed,
            start=drawn,
        )
        return drawn, (outputs(models[0], mutated), outputs(models[1], mutated))

    def _own_half(self, count: int, model: Forward) -> tuple[ProbeHalf, Tensor]:
        """Return the target's own probes and its outputs on them, the same for all candidates."""
        if count not in self._probes:
            half = _draw(self.model, self.data, count, self.seed)
            self._probes[count] = half, read(model, half)
        return self._probes[count]


def as_read_by(target: TaskModel, candidate: TaskModel) -> TaskModel:
    """Return a candidate as it reads a target's input: through its own, or through the target's."""
    same = candidate.spec.reads_like(target.spec)
    return candidate if same else candidate.reading_through(target)


def _reading(model: TaskModel, other: TaskModel) -> Forward:
    """Let a network read its own modality, and any other through the other network's input."""
    swapped = model.reading_through(other)

    def read_half(half: ProbeHalf) -> Tensor:
        reading = model if half.modality == model.spec.modality else swapped
        logits: Tensor = reading(half.values, half.mask)
        return logits

    return read_half


def _draw(model: TaskModel, data: TaskData, count: int, seed: int) -> ProbeHalf:
    """Draw probes from a task's training split."""
    split: Split = data.train
    # one stream per task: tasks of one size and order of classes must not pair like with like
    generator = torch.Generator().manual_seed(stream(f"{seed} {data.task}"))
    rows = torch.randperm(len(split), generator=generator)[:count]
    values, mask = split.inputs(rows)
    return ProbeHalf(model.input.encode(values), mask, data.modality)


def stream(text: str) -> int:
    """Return a seed of a text: PyTorch reads 32 bits of one, no more."""
    return zlib.crc32(text.encode())
