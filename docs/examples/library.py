"""Build a new task on one of two trained networks, in Python alone: no Snakemake, no files between.

    python docs/examples/library.py

In the project's folder; a minute of one core. The data are the icons that ship with the project,
and the settings those of `make quick` in config.yaml.
"""

from __future__ import annotations

import logging
from copy import deepcopy
from pathlib import Path

import pandas as pd
import torch

import crossback_core
from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.config import load_settings
from crossback_core.data.listing import list_samples, make_index
from crossback_core.data.prepare import make_task
from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import split_accuracy, split_logits
from crossback_core.learning.kv_swap import reconstruct
from crossback_core.learning.pruning import climb
from crossback_core.learning.resuming import NoResume
from crossback_core.learning.target import pick_and_grow
from crossback_core.learning.training import fit, step_count, weight_optimisation
from crossback_core.learning.verdict import Run, compare, outcomes
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.selection.comparison import Target, Trained
from crossback_core.storage.files import read_yaml

SEED = 2
SPARSITY = 0.5
EXPERIMENT = load_settings(read_yaml(Path("config.yaml"))).datasets["icons_quick"]
PRESET = EXPERIMENT.preset


def prepare(task: str) -> TaskData:
    """Read the samples of a task, or of the tasks that a joint network knows."""
    given = EXPERIMENT.dataset
    indexes = []
    for member in EXPERIMENT.members(task):
        rows = list_samples(given.raw, settings=given, task=member)
        index, _ = make_index(rows, settings=given, task=member, seed=SEED, kept={})
        indexes.append(index)
    data, _ = make_task(
        pd.concat(indexes, ignore_index=True),
        given.raw,
        settings=given,
        task=task,
        members=EXPERIMENT.members(task),
        train_per_class=EXPERIMENT.training_samples(task),
        seed=SEED,
    )
    return data


def train(data: TaskData) -> Network:
    """Train a network of one task from scratch: a Perceiver IO; any body has the same methods."""
    torch.manual_seed(SEED)
    network = Network(Perceiver(PRESET.model))
    network.add_task(TaskSpec(data.task, data.modality, data.classes, data.channels))
    steps = step_count(data, PRESET.training)
    weights = weight_optimisation(network.trainable_parameters(), PRESET.training, steps)
    fit(network, data, PRESET.training, [weights], seed=SEED, label=f"task {data.task}")
    return network


def as_trained(network: Network, data: TaskData) -> Trained:
    """Return what scores are computed of: a network of one task, its data and its accuracy."""
    model = network.settled(data.task)
    return Trained(model, data, split_accuracy(model, data.validation))


def main() -> None:
    """Score two networks of pictures for task 19, of texts, and train it on the better one."""
    torch.set_num_threads(1)
    data = {task: prepare(task) for task in ("1", "3", "19")}
    networks = {task: train(each) for task, each in data.items()}
    baseline = networks.pop("19")
    new = data["19"]

    # Which of the networks is the best start? `label_cka`: how well its features fit the classes.
    target = Target(as_trained(baseline, new), PRESET.selection.probing, seed=SEED)
    scores = {
        task: target.scores(as_trained(network, data[task]))["label_cka"]
        for task, network in networks.items()
    }
    chosen = max(scores, key=scores.__getitem__)
    print(f"label_cka of the candidates: {scores}; task {new.task} is built on {chosen}")

    # Free half of its weights, and give the new task its own input and head beside them.
    backbone = networks[chosen]
    climb(
        *(backbone, data[chosen], SPARSITY),
        pruning=PRESET.pruning.ladder,
        training=PRESET.training,
        seed=SEED,
        resume=NoResume(),
    )
    before = split_logits(backbone.settled(chosen), data[chosen].test)
    start = deepcopy(backbone)
    reconstruct(start, baseline, PRESET.target.swapping)

    # Train it: it picks of the backbone's weights and owns those that were free.
    outcome = pick_and_grow(
        lambda: deepcopy(start),
        new,
        goal=split_accuracy(baseline.settled(new.task), new.validation),
        target=PRESET.target.training.at_rate_for(continued=False),
        training=PRESET.training,
        seed=SEED,
        resume=lambda width: NoResume(),
    )
    product = outcome.kept.network
    after = split_logits(product.settled(chosen), data[chosen].test)
    print(f"the backbone's own task is bit-identical: {torch.equal(before, after)}")

    # Does the backbone help? Both networks' answers to the same samples, with an interval.
    with_it, alone = product.settled(new.task), baseline.settled(new.task)
    signs = [
        outcomes(split_logits(with_it, split), split_logits(alone, split), split.labels)
        for split in (new.validation, new.test)
    ]
    gain = compare(Run(*signs), [], judged_by="validation").gain
    interval = f"({gain.low:+.1%} to {gain.high:+.1%})"
    print(f"gain on validation: {gain.mean:+.1%} {interval}: {gain.verdict}")

    save_checkpoint(product, "example.pt")
    print(crossback_core.load("example.pt").evaluate(new))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
