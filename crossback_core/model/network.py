"""A Perceiver IO network that learns several tasks, one after another.

The body (all attention and feed-forward weights) is shared and masked by owner; everything that no
mask covers (latents, norms, biases, positions, input projections, queries, heads) is kept for each
task. So what one task computes never depends on a later task.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import cast

import torch
from torch import Tensor, nn

from crossback_core.model.adapters import InputProjection
from crossback_core.model.attention import Attention, FeedForward, InputAttention, TaskNorm
from crossback_core.model.masked_linear import MaskedLinear
from crossback_core.settings import Modality, ModelSettings


@dataclass(frozen=True)
class TaskSpec:
    """What a network knows about one of its tasks.

    Attributes:
        task: Id of the task, 1 or more.
        modality: What it reads.
        classes: Names of the classes, in the order of the logits.
        channels: 3 for images, the width of the token embeddings for texts.
        width: Width of the network for this task, 1 or more.
    """

    task: int
    modality: Modality
    classes: tuple[str, ...]
    channels: int
    width: float = 1.0

    def reads_like(self, other: TaskSpec) -> bool:
        """Say whether the input projections of two tasks read the same kind of input."""
        return (self.modality, self.channels) == (other.modality, other.channels)


class Network(nn.Module):
    """Perceiver IO (Jaegle et al., arXiv 2107.14795) with masked weights and per-task parameters.

    Args:
        settings: Shape of the network at width 1.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.specs: list[TaskSpec] = []
        dim, dropout = settings.latent_dim, settings.dropout
        hidden = dim * settings.feedforward_factor
        cross = {"heads": settings.cross_heads, "head_dim": settings.cross_head_dim}
        inner = {"heads": settings.heads, "head_dim": settings.head_dim}
        self.reader = InputAttention(dim=dim, dropout=dropout, **cross)
        self.reader_feedforward = FeedForward(dim=dim, hidden=hidden, dropout=dropout)
        self.attentions = nn.ModuleList(
            Attention(dim=dim, dropout=dropout, **inner) for _ in range(settings.blocks)
        )
        self.feedforwards = nn.ModuleList(
            FeedForward(dim=dim, hidden=hidden, dropout=dropout) for _ in range(settings.blocks)
        )
        self.decoder = Attention(dim=dim, dropout=dropout, **cross)
        self.decoder_norm = TaskNorm(dim)
        self.latents, self.queries = nn.ParameterList(), nn.ParameterList()
        self.projections, self.heads = nn.ModuleList(), nn.ModuleList()

    def add_task(
        self,
        spec: TaskSpec,
        *,
        like: int | None = None,
        projection: InputProjection | None = None,
    ) -> None:
        """Add a task, which becomes the only one that may be trained; all others are frozen.

        Args:
            spec: The new task. The network grows to its width, but never shrinks.
            like: Id of the task whose norms, biases, latents and query the new task starts from;
                fresh values if None.
            projection: Input projection of which the new task starts with a copy; a fresh one if
                None.

        Raises:
            ValueError: The id is taken, `like` is unknown, or picks are still being learned.
        """
        if spec.task in self.tasks:
            raise ValueError(f"the network already has a task {spec.task}")
        source = None if like is None else self.position(like)
        for layer in self.masked_layers().values():  # refuse, if at all, before anything changes
            layer.add_task(source)
        for module in self.modules():
            if isinstance(module, TaskNorm):
                module.add_task(source)
        self._add_task_parameters(spec, source, projection)
        self.specs.append(replace(spec, width=self.width))
        self.requires_grad_(False)
        for parameter in self.trainable_parameters():
            parameter.requires_grad_(True)
        if spec.width > self.width:
            self.grow(spec.width)

    def start_from(self, other: Network) -> None:
        """Start the newest task from the newest task of another network, in place.

        What the task has of its own becomes a copy of the other's, the input projection excepted
        (see `add_task`), and so do the free weights, each at its own place. The weights of earlier
        tasks stay, so the task does not begin as the other network computes.

        Raises:
            ValueError: The networks differ in settings or width, or the tasks in their classes.
        """
        for what in ("settings", "width", "newest.classes"):
            own, given = (attrgetter(what)(network) for network in (self, other))
            if own != given:
                raise ValueError(
                    f"task {self.newest.task} cannot start from another network's: their"
                    f" {what.rpartition('.')[2]} are {own} and {given}; train both alike"
                )
        others = dict(other.named_modules())
        for name, module in self.named_modules():
            if isinstance(module, MaskedLinear):
                source = cast(MaskedLinear, others[name])
                weight = source.effective_weight(source.newest).detach()
                module.start_from(weight, source.biases[-1] if source.has_bias else None)
            elif isinstance(module, TaskNorm):
                module.norms[-1].load_state_dict(
                    cast(TaskNorm, others[name]).norms[-1].state_dict()
                )
        with torch.no_grad():
            self.latents[-1].copy_(other.latents[-1])
            self.queries[-1].copy_(other.queries[-1])
        self.heads[-1].load_state_dict(other.heads[-1].state_dict())

    @property
    def tasks(self) -> dict[int, TaskSpec]:
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

    def position(self, task: int) -> int:
        """Position of a task id in the order of learning, from 1."""
        ids = list(self.tasks)
        if task not in ids:
            raise ValueError(f"the network has no task {task}; it has {ids}")
        return ids.index(task) + 1

    def forward(
        self,
        task: int,
        values: Tensor,
        mask: Tensor | None = None,
        *,
        projection: InputProjection | None = None,
    ) -> Tensor:
        """Compute the logits of one task.

        Args:
            task: Id of the task.
            values: Images, uint8 or encoded float32 (batch, 3, height, width), or embedded texts,
                float32 (batch, tokens, channels).
            mask: (batch, tokens) bool for texts, True where a token is real.
            projection: Another network's input projection to read through; the task's own if None.

        Returns:
            (batch, classes of the task)
        """
        return self.classify(task, self.features(task, values, mask, projection=projection))

    def features(
        self,
        task: int,
        values: Tensor,
        mask: Tensor | None = None,
        *,
        projection: InputProjection | None = None,
    ) -> Tensor:
        """Compute what the head of one task is given, (batch, latent_dim), as `forward` does."""
        position = self.position(task)
        latents = self.latents[position - 1]
        reading = projection or self.input_projection(task)
        state = latents + self.reader(latents, values, mask, reading, position)
        state = state + self.reader_feedforward(state, position)
        for attention, feedforward in zip(self.attentions, self.feedforwards, strict=True):
            state = state + attention(state, state, position)
            state = state + feedforward(state, position)
        query = self.queries[position - 1].expand(len(state), 1, -1)  # (batch, 1, dim)
        answer = query + self.decoder(query, state, position)
        normed: Tensor = self.decoder_norm(answer, position)
        return normed[:, 0]

    def classify(self, task: int, features: Tensor) -> Tensor:
        """Turn `features` of one task into its logits (batch, classes of the task)."""
        logits: Tensor = self.heads[self.position(task) - 1](features)
        return logits

    def input_projection(self, task: int) -> InputProjection:
        """What reads the input of a task."""
        projection = self.projections[self.position(task) - 1]
        if not isinstance(projection, InputProjection):
            raise TypeError(f"task {task} has no input projection but a {type(projection)}")
        return projection

    def encode(self, task: int, values: Tensor) -> Tensor:
        """Bring a task's raw input to the float form that the network computes with."""
        return self.input_projection(task).encode(values)

    def grow(self, width: float) -> None:
        """Widen the body for the newest task; earlier tasks keep computing at their own width.

        Args:
            width: New width in multiples of that of construction; not below the present one.
        """
        if width < self.width:
            raise ValueError(f"cannot shrink the network from width {self.width} to {width}")
        for module in self.modules():
            if isinstance(module, Attention | InputAttention | FeedForward):
                module.grow(width)
        self.input_projection(self.newest.task).grow(width, self.settings.cross_heads)
        self.specs[-1] = replace(self.newest, width=width)

    def masked_layers(self) -> dict[str, MaskedLinear]:
        """The layers whose weights have owners, by name."""
        return {n: m for n, m in self.named_modules() if isinstance(m, MaskedLinear)}

    def trainable_parameters(self) -> Iterator[nn.Parameter]:
        """What the newest task trains, pick scores aside."""
        for module in self.modules():
            if isinstance(module, MaskedLinear):
                yield module.weight
                yield from list(module.biases)[-1:]
            elif isinstance(module, TaskNorm):
                yield from module.norms[-1].parameters()
        for parameters in (self.latents, self.queries):
            yield parameters[-1]
        for modules in (self.projections, self.heads):
            yield from modules[-1].parameters()

    def pick_scores(self) -> list[nn.Parameter]:
        """The scores of the picks that are being learned."""
        scores = [layer.scores for layer in self.masked_layers().values()]
        return [score for score in scores if score is not None]

    def _add_task_parameters(
        self, spec: TaskSpec, source: int | None, projection: InputProjection | None
    ) -> None:
        settings = self.settings
        if source is None:
            latents = 0.02 * torch.randn(settings.latents, settings.latent_dim)
            query = 0.02 * torch.randn(settings.latent_dim)
        else:
            latents = self.latents[source - 1].detach().clone()
            query = self.queries[source - 1].detach().clone()
        reading = (
            InputProjection(settings, spec.modality, spec.channels)
            if projection is None
            else deepcopy(projection)
        )
        reading.grow(self.width, settings.cross_heads)
        self.projections.append(reading)
        self.latents.append(nn.Parameter(latents))
        self.queries.append(nn.Parameter(query))
        self.heads.append(nn.Linear(settings.latent_dim, len(spec.classes)))


def body_size(settings: ModelSettings, width: float) -> int:
    """Return how many masked weights a network has at a width."""
    hidden = math.ceil(settings.latent_dim * settings.feedforward_factor * width)
    inner = math.ceil(settings.heads * width) * settings.head_dim
    cross = math.ceil(settings.cross_heads * width) * settings.cross_head_dim
    rows = 6 * cross + 3 * hidden + settings.blocks * (4 * inner + 3 * hidden)
    return settings.latent_dim * rows


def task_size(settings: ModelSettings, spec: TaskSpec) -> int:
    """Return how many values a task has of its own at least: norms and biases are not counted."""
    cross = math.ceil(settings.cross_heads * spec.width) * settings.cross_head_dim
    rows = settings.latents + 1 + len(spec.classes)
    if spec.modality == "text":
        return settings.latent_dim * rows + spec.channels * (2 * cross + settings.max_tokens)
    channels = spec.channels + 2 * (2 * settings.frequency_bands + 1)
    return settings.latent_dim * rows + 2 * cross * channels
