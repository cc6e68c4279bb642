"""A network that learns several tasks, one after another: input, body, head.

Inputs and heads belong to tasks. `crossback_core.model.ownership` says how they share the body.
What one task computes never depends on a later task.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from crossback_core.data.contents import Seen, joined
from crossback_core.data.recipe import Recipe
from crossback_core.model.body import Body, TaskInput, describe
from crossback_core.model.flat import freeze_all_but_last
from crossback_core.model.ownership import Ownership
from crossback_core.section import shown
from crossback_core.wording import check_task_name, is_plain, with_name


@dataclass(frozen=True)
class TaskSpec:
    """What a network knows about one of its tasks.

    Attributes:
        task: Id of the task: the number or the name that its data set gives it.
        modality: What it reads.
        classes: Names of the classes, in the order of the logits.
        channels: 3 for images, the width of the token embeddings for texts.
        width: Width of the network for this task, 1 or more.
        name: What people call it; nothing where its id tells.
    """

    task: str
    modality: str
    classes: tuple[str, ...]
    channels: int
    width: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what describes no task: descriptions come from files as well."""
        names = self.classes
        for what in ("task", "modality"):
            if not is_plain(getattr(self, what)):
                raise ValueError(
                    f"{what} {shown(getattr(self, what))} is not an id: give it as text without"
                    " control characters"
                )
        check_task_name(self.name)
        if not isinstance(names, tuple) or not names or not all(map(is_plain, names)):
            raise ValueError(f"classes {shown(names)} are not names")
        if len(set(names)) < len(names):
            raise ValueError(f"classes {shown(names)} are not all different")
        if type(self.channels) is not int or self.channels < 1:
            raise ValueError(f"channels {shown(self.channels)} is not a number from 1")
        if type(self.width) not in (int, float) or not 1 <= self.width < math.inf:
            raise ValueError(f"width {shown(self.width)} is not a number from 1")

    @property
    def called(self) -> str:
        """What a person is told of: its id, and its name if it has one."""
        return with_name(self.task, self.name)

    def reads_like(self, other: TaskSpec) -> bool:
        """Say whether the inputs of two tasks read the same kind of input."""
        return (self.modality, self.channels) == (other.modality, other.channels)


class TaskModel(nn.Module):
    """One task of a network as a plain module of its own, in evaluation mode.

    It shares nothing with the network that it was settled from, and computing changes nothing of
    it, so any number of threads may use it.

    Args:
        spec: The task.
        input: Turns raw input into what the body reads.
        body: The task's body.
        head: Turns features into logits.
    """

    def __init__(self, spec: TaskSpec, input: TaskInput, body: Body, head: nn.Linear) -> None:
        super().__init__()
        self.spec = spec
        self.input = input
        self.body = body
        self.head = head
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where its values are."""
        return self.head.weight.device

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute logits.

        Args:
            values: Images, uint8 or encoded float32 (batch, 3, height, width), or embedded texts,
                float32 (batch, tokens, channels).
            mask: (batch, tokens) bool for texts, True where a token is real.

        Returns:
            (batch, classes)
        """
        logits: Tensor = self.head(self.features(values, mask))
        return logits

    def features(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute what the head is given (batch, features), as `forward` does."""
        features: Tensor = self.body(self.input(values, mask))
        return features

    def reading_through(self, other: TaskModel) -> TaskModel:
        """Return the same body and head behind another model's input, as a swap would have it."""
        return TaskModel(self.spec, other.input, self.body, self.head)


class Network(nn.Module):
    """Several tasks on one body.

    Args:
        body: What its tasks share; the first task starts from its values.

    Attributes:
        specs: What it knows about its tasks, in the order in which they were learned.
        seen: The samples that each of them was trained and validated on, in the same order; None
            where that is not known.
        recipes: How raw input of each becomes what its input reads, in the same order; None where
            that is not known. A network only keeps them.
    """

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.specs: list[TaskSpec] = []
        self.seen: list[Seen | None] = []
        self.recipes: list[Recipe | None] = []
        self.ownership = Ownership(body)
        self.inputs = nn.ModuleList()
        self.heads = nn.ModuleList()

    def add_task(
        self,
        spec: TaskSpec,
        *,
        like: str | None = None,
        reading: TaskInput | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        """Add a task, which becomes the only one that may be trained; all others are frozen.

        Args:
            spec: The new task. The network grows to its width, but never shrinks; a body that
                cannot grow says so once the task has been added.
            like: Id of the task whose norms, biases and the like the new task starts from; the
                newest if None.
            reading: Input of which the new task starts with a copy; a fresh one if None.
            recipe: Of its raw input, if that is known.

        Raises:
            ValueError: The id is taken, `like` is unknown, or picks are still being learned.
        """
        if spec.task in self.tasks:
            raise ValueError(f"the network already has a task {spec.task}")
        width = self.width
        body = self.ownership.body
        position = None if like is None else self.position(like)
        if reading is None:
            reading = body.make_input(spec.modality, spec.channels)
        reading = deepcopy(reading)
        reading.fit(body.input_shape)
        head = nn.Linear(body.features, len(spec.classes))
        self.ownership.add_task(position)
        self.inputs.append(reading)
        self.heads.append(head)
        self.specs.append(replace(spec, width=width))
        self.seen.append(Seen())
        self.recipes.append(recipe)
        for modules in (self.inputs, self.heads):
            freeze_all_but_last(modules)
        if spec.width > width:
            self.grow(spec.width)

    def start_from(self, other: Network) -> None:
        """Start the newest task from the newest task of another network, in place.

        The task's own parameters become copies of the other's, except for the input (see
        `add_task`). So do the free weights, each at its own place. The weights of earlier tasks
        stay, so the task does not compute as the other network does. A narrower network is
        continued as if it had grown to this one's width, which changes nothing that it computes.

        Raises:
            ValueError: The other network is wider, or they differ in body or classes.
        """
        self._check_start(other)
        if other.width < self.width:
            other = deepcopy(other)
            other.grow(self.width)
        self.ownership.start_from(other.ownership)
        self.heads[-1].load_state_dict(other.heads[-1].state_dict())
        self.remember(other.seen[-1])

    def remember(self, seen: Seen | None) -> None:
        """Add samples to those that the newest task has seen; None if they are not known."""
        self.seen[-1] = joined(self.seen[-1], seen)

    @property
    def tasks(self) -> dict[str, TaskSpec]:
        """The tasks by id, in the order in which they were learned."""
        return {spec.task: spec for spec in self.specs}

    @property
    def newest(self) -> TaskSpec:
        """The task that may be trained."""
        if not self.specs:
            raise ValueError("the network has no task yet: call add_task")
        return self.specs[-1]

    @property
    def width(self) -> float:
        """Present width of the body, in multiples of that of construction."""
        return self.specs[-1].width if self.specs else 1.0

    @property
    def device(self) -> torch.device:
        """Where its values are."""
        return next(self.parameters()).device

    def position(self, task: str) -> int:
        """Return the position of a task id in the order of learning, from 1."""
        ids = list(self.tasks)
        if task not in ids:
            known = ", ".join(spec.called for spec in self.specs)
            raise ValueError(f"the network has no task {task}; it has {known}")
        return ids.index(task) + 1

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the logits of the newest task, to train it; `settled` is for all else.

        Args:
            values: As of `TaskModel.forward`.
            mask: As of `TaskModel.forward`.

        Returns:
            (batch, classes of the task)
        """
        features = self.ownership(self.input(self.newest.task)(values, mask))
        logits: Tensor = self.heads[-1](features)
        return logits

    def settled(self, task: str) -> TaskModel:
        """Return one task as a plain module, with copies of all its values."""
        index = self.position(task) - 1
        return TaskModel(
            self.specs[index],
            deepcopy(self.input(task)),
            self.ownership.settled(index + 1),
            cast(nn.Linear, deepcopy(self.heads[index])),
        )

    def input(self, task: str) -> TaskInput:
        """Return what reads the input of a task."""
        return cast(TaskInput, self.inputs[self.position(task) - 1])

    def grow(self, width: float) -> None:
        """Widen the body for the newest task; earlier tasks keep computing at their own width.

        Args:
            width: New width in multiples of that of construction; not below the present one.
        """
        newest = self.newest
        if not self.width <= width < math.inf:
            raise ValueError(f"cannot change the width of the network from {self.width} to {width}")
        self.ownership.grow(width)
        self.input(newest.task).fit(self.ownership.body.input_shape)
        self.specs[-1] = replace(newest, width=width)

    def trainable_parameters(self) -> Iterator[nn.Parameter]:
        """Yield what the newest task trains, pick scores aside."""
        yield from self.ownership.trained()
        for modules in (self.inputs, self.heads):
            yield from modules[-1].parameters()

    def stored_values(self) -> int:
        """Return how many values the network stores: owned weights and all that tasks have."""
        return self.ownership.stored() + sum(
            parameter.numel()
            for modules in (self.inputs, self.heads)
            for parameter in modules.parameters()
        )

    def _check_start(self, other: Network) -> None:
        described = [
            {"bodies": describe(each.ownership.body), "classes": list(each.newest.classes)}
            for each in (self, other)
        ]
        for what in described[0]:
            own, given = (each[what] for each in described)
            if own != given:
                raise ValueError(
                    f"task {self.newest.task} cannot start from another network's: their {what} are"
                    f" {own} and {given}; train both alike"
                )
        if other.width > self.width:
            raise ValueError(
                f"task {self.newest.task} cannot start from a network of width {other.width}: this"
                f" one has {self.width}; grow it first"
            )
