"""How long an experiment takes and how much disk, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from crossback_core.config.experiment import Experiment
from crossback_core.model.settings import ModelSettings

# Measured on one core of an AMD EPYC virtual machine, PyTorch 2.13, in processor time.
MULTIPLICATIONS = 35e9  # a second, of a training step
STEP = 0.02  # seconds of a step, whatever its size: optimiser, owners, data
JOB = 2.7  # seconds of any job: Python, PyTorch, reading, writing
SCORES = 1.1  # seconds to score a candidate on 50 images of 32 x 32 by a network of the demo
_DEMO = 11.5e6  # multiplications of such an image

_TOKENS = 24  # of a text, if nothing is known
_EMBEDDING = 384  # channels of a token; an encoder of 768 takes a third longer
_OF_A_NETWORK = 5.5  # bytes a number of its body: owners, picks, input and head beside it


@dataclass(frozen=True)
class Size:
    """How much there is of a task.

    Attributes:
        modality: What it reads.
        classes: How many.
        samples: Of all classes and splits.
    """

    modality: str
    classes: int
    samples: int


@dataclass(frozen=True)
class Estimate:
    """What an experiment takes.

    Attributes:
        jobs: Of Snakemake.
        seconds: Of one core.
        bytes: On disk, when it is finished.
    """

    jobs: int
    seconds: float
    bytes: float


def estimate(experiment: Experiment, sizes: Mapping[str, Size]) -> Estimate:
    """Say what all targets of an experiment take, from counts and measured constants.

    Basis: the number of jobs follows from the tasks, targets and candidates; steps of trainings
    from samples and preset; a step takes `STEP` seconds and as many multiplications as the network
    has for its inputs, three times (forward, and twice that backward), `MULTIPLICATIONS` a second.
    Measured so: a step of 32 images takes 49 ms at 32 x 32 and 92 ms at 64 x 64 by the demo's
    networks, of 32 texts of 16 tokens 41 ms; of 8 images by the networks of `paper` 3.2 s. All
    these are met within a factor of 1.6, and the demo's 89 jobs, 13 minutes and 98 MB within a
    tenth (without the table of wordpieces, 2.8 MB, in each file of the icons' texts, which own data
    do not have).

    Two things are not known before: how many different backbones are chosen (taken: one for two
    targets) and whether targets grow (taken: none does). Reading raw files, and the encoder, are
    in `JOB` alone: with large photographs it takes longer. A GPU was not measured.

    Args:
        experiment: What is done.
        sizes: By task; those of joint networks too, of which they are made.
    """
    work = _Work(experiment, sizes)
    trained = [work.baseline(each) for each in experiment.networks]
    backbones = work.backbones()
    pruned = [work.pruning(each) for each in backbones]
    targets = [work.target(each) for each in experiment.targets]
    repeats = experiment.preset.target.repeats - 1
    trials = repeats * 2 * sum(targets)
    scored = sum(work.scores(each) for each in experiment.targets)
    count = len(experiment.targets)
    jobs = len(experiment.indexed) + 2 * len(experiment.networks) + 2 * len(backbones)
    jobs += count * (4 + 3 * repeats) + 4
    seconds = sum(trained) + sum(pruned) + sum(targets) + trials + scored + jobs * JOB
    return Estimate(jobs, seconds, work.disk(len(backbones), repeats))


@dataclass(frozen=True)
class _Work:
    """The parts of an experiment, in seconds and bytes."""

    experiment: Experiment
    sizes: Mapping[str, Size]

    def size(self, network: str) -> Size:
        """Return how much there is of a task, or of those of a joint network."""
        parts = [self.sizes[each] for each in self.experiment.members(network)]
        samples = sum(each.samples for each in parts)
        return Size(parts[0].modality, sum(each.classes for each in parts), samples)

    def training_samples(self, network: str) -> int:
        """Return how many samples a network is trained on."""
        size = self.size(network)
        dataset = self.experiment.dataset
        share = 1 - dataset.test_fraction - dataset.validation_fraction
        there = math.ceil(share * size.samples)
        most = self.experiment.training_samples(network)
        return there if most is None else min(there, most * size.classes)

    def baseline(self, network: str) -> float:
        """Return the seconds of a whole training."""
        training = self.experiment.preset.training
        samples = self.training_samples(network)
        per_epoch = math.ceil(samples / training.batch_size)
        epochs = max(training.epochs, math.ceil(training.min_steps / max(1, per_epoch)))
        return self._seconds(network, epochs)

    def target(self, target: str) -> float:
        """Return the seconds of training a target on its backbone: as many steps as its own."""
        return self.baseline(target)

    def pruning(self, network: str) -> float:
        """Return the seconds of a ladder."""
        pruning = self.experiment.preset.pruning
        return self._seconds(network, pruning.epochs * len(pruning.sparsities))

    def backbones(self) -> list[str]:
        """Return as many candidates as there may be backbones, those of most samples."""
        targets = self.experiment.targets
        able = {each for target in targets for each in self.experiment.candidates_of(target)}
        ordered = sorted(able, key=lambda each: -self.size(each).samples)
        return ordered[: math.ceil(len(targets) / 2)]

    def scores(self, target: str) -> float:
        """Return the seconds of scoring a target's candidates."""
        cost = self._multiplications(target) / _DEMO * self.training_samples(target) / 50
        return SCORES * cost * len(self.experiment.candidates_of(target))

    def disk(self, backbones: int, repeats: int) -> float:
        """Return the bytes of all results."""
        experiment = self.experiment
        network = _OF_A_NETWORK * _numbers(experiment.preset.model)
        levels = len(experiment.preset.pruning.sparsities) + 1
        networks = len(experiment.networks) + backbones * levels
        networks += len(experiment.targets) * (2 + repeats)
        data = sum(map(self._task_file, experiment.networks))
        data += repeats * sum(map(self._task_file, experiment.targets))
        return networks * network + data

    def _seconds(self, network: str, epochs: int) -> float:
        samples = self.training_samples(network)
        steps = math.ceil(samples / self.experiment.preset.training.batch_size)
        work = 3 * samples * self._multiplications(network) / MULTIPLICATIONS
        return epochs * (work + steps * STEP)

    def _multiplications(self, network: str) -> float:
        inputs, channels = self._inputs(network)
        return _multiplications(self.experiment.preset.model, inputs, channels)

    def _inputs(self, network: str) -> tuple[int, int]:
        """Return what a network reads of a sample: pixels or tokens, and their channels."""
        if self.size(network).modality == "text":
            return _TOKENS, _EMBEDDING
        side = getattr(self.experiment.dataset, "image_size", 32)
        return side**2, 5 + 4 * self.experiment.preset.model.frequency_bands

    def _task_file(self, network: str) -> float:
        size = self.size(network)
        dataset = self.experiment.dataset
        held_out = (dataset.test_fraction + dataset.validation_fraction) * size.samples
        samples = held_out + self.training_samples(network)
        if size.modality == "text":
            words = min(30_000, 2 * samples)  # rows of the table: rare words are many
            return samples * 4 * _TOKENS + words * 2 * _EMBEDDING
        return samples * 3 * self._inputs(network)[0]


def _numbers(model: ModelSettings) -> float:
    """Return how many numbers a network has, its input and head left aside."""
    dim = model.latent_dim
    inner = model.feedforward_factor * dim
    attention = model.attention_heads * model.head_dim
    cross = model.cross_attention_heads * model.cross_head_dim
    block = 4 * dim * attention + 2 * dim * inner
    return model.latents * dim + model.blocks * block + 4 * dim * cross + 2 * dim * inner


def _multiplications(model: ModelSettings, inputs: int, channels: int) -> float:
    """Return the multiplications of a sample: cross-attention, then self-attention blocks.

    Args:
        model: Its shape.
        inputs: Pixels or tokens of a sample.
        channels: Of each.
    """
    latents, dim = model.latents, model.latent_dim
    inner = model.feedforward_factor * dim
    attention = model.attention_heads * model.head_dim
    cross = model.cross_attention_heads * model.cross_head_dim
    read = 2 * inputs * channels * cross + 2 * latents * inputs * cross + 2 * latents * dim * cross
    forward = 2 * latents * dim * inner
    block = 4 * latents * dim * attention + 2 * latents**2 * attention + forward
    return read + forward + model.blocks * block
