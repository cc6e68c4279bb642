"""Tiny networks, tasks and settings that the tests of the core share."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from crossback_core.data.contents import content_hash
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.recipe import Recipe
from crossback_core.data.task_file import Split, TaskData
from crossback_core.data.text_reader import completed
from crossback_core.learning.evaluation import split_logits
from crossback_core.learning.settings import LadderSettings, TargetSettings, TrainingSettings
from crossback_core.learning.target import Attempt, train_at
from crossback_core.learning.training import (
    NoResume,
    Resume,
    Row,
    fit,
    step_count,
    weight_optimisation,
)
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.settings import ModelSettings

MODEL = ModelSettings(
    latents=4,
    latent_dim=8,
    blocks=1,
    attention_heads=2,
    head_dim=4,
    cross_attention_heads=1,
    cross_head_dim=8,
    feedforward_factor=2,
    dropout=0.1,
    frequency_bands=2,
    max_frequency=4.0,
    max_tokens=8,
    image_mean=(0.5, 0.4, 0.3),
    image_std=(0.25, 0.2, 0.5),
)
ADAMW = TrainingSettings(
    optimizer="adamw",
    learning_rate=0.01,
    weight_decay=0.1,
    momentum=0.9,
    schedule="one_cycle",
    milestones=(0.5, 0.8),
    gamma=0.1,
    epochs=3,
    min_steps=0,
    batch_size=5,
    flip=True,
    shift=1,
    token_dropout=0.0,
    precision="float32",
)
SGD = replace(ADAMW, optimizer="sgd", learning_rate=0.05, schedule="steps")
PRUNING = LadderSettings(
    sparsities=(0.5, 0.8),
    epochs=3,
    ramp_epochs=2,
    update_every=2,
    learning_rate=0.001,
    schedule="constant",
)
TARGET = TargetSettings(
    learning_rate=0.01,
    continued_learning_rate=0.02,
    pick_initial=0.01,
    pick_threshold=0.005,
    pick_learning_rate=0.003,  # high: some picks are dropped in a few steps
    pick_milestone=0.5,
    pick_gamma=0.2,
    pick_stop=0.7,
    max_width=1.0,
    width_step=0.5,
    swap="auto",
    swapped_start="baseline",
    judged_by="validation",
    repeats=1,
    keep_better=False,
)
IMAGE, TEXT = map(MODALITIES.find, ("image", "text"))
TOKENS = 5  # of the longest text
EMBEDDING = 8  # channels of a token
WORDS = 8  # a class


def task_data(
    task: str, modality: str, *, classes: int = 2, train: int = 12, held_out: int = 6
) -> TaskData:
    """Return a task that can be learned: each class has its own brightness, or its own words."""
    make = _images if modality == "image" else _texts
    sizes = {"train": train, "validation": held_out, "test": held_out}
    splits = {
        name: make(count, classes, torch.Generator().manual_seed(100 * int(task) + number))
        for number, (name, count) in enumerate(sizes.items())
    }
    recipe = recipe_of(splits["train"])
    return TaskData(task, tuple(f"class {n}" for n in range(classes)), recipe=recipe, **splits)


def recipe_of(split: Split) -> Recipe:
    """Return how raw input is read: pictures of 4 x 4 pixels, or texts of the words w1, w2, ..."""
    if split.table is None:
        return Recipe({"size": 4})
    words = "\n".join(["[PAD]", *(f"w{n}" for n in range(1, len(split.table)))]).encode()
    arrays = {"words": np.array([*words], np.uint8), "table": split.table.numpy()}
    trained = [row[row != 0].tolist() for row in split.values]
    return completed(Recipe({}, arrays), TOKENS, trained)


def spec(data: TaskData, width: float = 1.0) -> TaskSpec:
    """Return what a network has to know about a task."""
    return TaskSpec(data.task, data.modality, data.classes, data.channels, width, data.name)


def network(*tasks: TaskData, seed: int = 0, settings: ModelSettings = MODEL) -> Network:
    """Return an untrained network of these tasks; each later one is like the first."""
    torch.manual_seed(seed)
    made = Network(Perceiver(settings))
    for number, data in enumerate(tasks):
        made.add_task(spec(data), like=tasks[0].task if number else None, recipe=data.recipe)
    return made


def train(
    trained: Network,
    data: TaskData,
    settings: TrainingSettings = ADAMW,
    *,
    seed: int = 3,
    resume: Resume | None = None,
) -> list[Row]:
    """Train the newest task's weights."""
    parameters, steps = trained.trainable_parameters(), step_count(data, settings)
    weights = weight_optimisation(parameters, settings, steps)
    return fit(trained, data, settings, [weights], seed=seed, label="test", resume=resume)


def train_target(
    initial: Network,
    data: TaskData,
    settings: TrainingSettings = ADAMW,
    *,
    target: TargetSettings = TARGET,
) -> Attempt:
    """Train the newest task's weights and picks at the present width, in place."""
    return train_at(initial, initial.width, data, target, settings, 3, NoResume())


def disturb(changed: Network, scale: float = 0.3) -> None:
    """Add noise to all that the newest task trains: no zero or copy is left of the start."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in changed.trainable_parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator)


def snapshot(taken: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a module's whole state."""
    return {name: tensor.detach().clone() for name, tensor in taken.state_dict().items()}


def same_state(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Say whether two states agree bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def logits_of(read: Network, *tasks: TaskData) -> list[Tensor]:
    """Return the test logits of several tasks."""
    return [split_logits(read.settled(data.task), data.test) for data in tasks]


def timeless(rows: list[Row]) -> list[Row]:
    """Return rows without their seconds."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _labels(count: int, classes: int) -> tuple[Tensor, tuple[str, ...]]:
    return torch.arange(count) % classes, tuple(f"sample {n}" for n in range(count))


def _images(count: int, classes: int, random: torch.Generator) -> Split:
    labels, ids = _labels(count, classes)
    noise = torch.randint(0, 96, (count, 3, 4, 4), generator=random)
    brightness = labels[:, None, None, None] * 150 // (classes - 1)
    values = (noise + brightness).to(torch.uint8)
    return Split(IMAGE, labels, ids, values, contents=_contents(ids, random))


def _texts(count: int, classes: int, random: torch.Generator) -> Split:
    labels, ids = _labels(count, classes)
    words = torch.randint(1, WORDS + 1, (count, TOKENS), generator=random)
    tokens = (words + labels[:, None] * WORDS).to(torch.int32)
    lengths = 1 + torch.arange(count) % TOKENS
    tokens[torch.arange(TOKENS) >= lengths[:, None]] = 0
    table = torch.randn(classes * WORDS + 1, EMBEDDING, generator=torch.Generator().manual_seed(5))
    table[0] = 0
    return Split(TEXT, labels, ids, tokens, table.half(), _contents(ids, random))


def _contents(ids: tuple[str, ...], random: torch.Generator) -> tuple[str, ...]:
    """Return hashes that no other split has: texts of one word would be alike."""
    return tuple(content_hash(f"{random.initial_seed()} {name}") for name in ids)
