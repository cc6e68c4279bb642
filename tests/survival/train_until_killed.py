"""Trains a network on numbers: python train_until_killed.py RESULT RESUME EPOCHS.

The log goes to stdout: each epoch a line.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import torch

from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.data import Split, TaskData
from crossback_core.data.modalities import MODALITIES
from crossback_core.learning.settings import TrainingSettings
from crossback_core.learning.training import fit, step_count, weight_optimisation
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.settings import ModelSettings
from crossback_core.runtime.run_log import run_log
from crossback_core.storage.resume import ResumeFile

MODEL = ModelSettings(4, 32, 1, 2, 16, 1, 16, 2, 0.1, 2, 10.0, 8, (0.5,) * 3, (0.5,) * 3)


def settings(epochs: int) -> TrainingSettings:
    """Return settings with all that has a state: momentum, a schedule, augmentation."""
    return TrainingSettings(
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.01,
        momentum=0.9,
        schedule="one_cycle",
        milestones=(0.5,),
        gamma=0.1,
        epochs=epochs,
        min_steps=0,
        batch_size=8,
        flip=True,
        shift=1,
        token_dropout=0.2,
        precision="float32",
    )


def split(count: int, seed: int) -> Split:
    """Return random pictures of two classes."""
    random = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=random)
    ids = tuple(f"s{seed}-{number}" for number in range(count))
    return Split(MODALITIES.find("image"), torch.arange(count) % 2, ids, pixels)


def main(result: Path, resume: Path, epochs: int) -> None:
    """Train and save the network."""
    data = TaskData("1", ("a", "b"), split(64, 1), split(8, 2), split(8, 3))
    torch.manual_seed(0)
    network = Network(Perceiver(MODEL))
    network.add_task(TaskSpec("1", "image", ("a", "b"), 3))
    training = settings(epochs)
    steps = step_count(data, training)
    weights = weight_optimisation(network.trainable_parameters(), training, steps)
    file = ResumeFile(resume, ("key", epochs))
    rows = fit(network, data, training, [weights], seed=0, label="training", resume=file)
    timeless = [{key: row[key] for key in row if key != "seconds"} for row in rows]
    save_checkpoint(network, result, {"rows": timeless})


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    with run_log(sys.argv[2] + ".log"):
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
