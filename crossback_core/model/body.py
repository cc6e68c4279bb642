"""What a body is: the part of a network that all its tasks share.

A network is input, body, head. A body knows nothing of tasks: it is a plain module that says of
each of its parameters and buffers how tasks share it, and the rest is done by
`crossback_core.model.ownership`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal, Self, get_args

import torch
from torch import Tensor, nn

from crossback_core.data.recipe import Recipe
from crossback_core.registry import Registry
from crossback_core.section import build

Kind = Literal["masked", "per_task", "fixed"]
"""How tasks share a parameter or buffer. "masked": owned by tasks, weight by weight. "per_task":
each task has a copy (norms, biases, latents; buffers that training changes). "fixed": one for all,
never trained."""


class TaskInput(nn.Module, ABC):
    """What turns the raw input of one task into what a body reads."""

    def check_recipe(self, recipe: Recipe) -> None:
        """Refuse a recipe of input that this cannot read; by default, refuse none.

        Raises:
            ValueError: It is such a one.
        """

    @abstractmethod
    def encode(self, values: Tensor) -> Tensor:
        """Bring raw input to float; float passes as it is."""

    @abstractmethod
    def forward(self, values: Tensor, mask: Tensor | None) -> Any:
        """Return what the body reads.

        Args:
            values: Raw or encoded input (batch, ...).
            mask: (batch, tokens) bool, True where a token is real; None where all are.
        """

    @abstractmethod
    def fit(self, shape: tuple[int, ...]) -> None:
        """Widen to a body's `input_shape`, in place; nothing shrinks."""


class Body(nn.Module, ABC):
    """The shared part of a network. Its parameters and buffers are those of one task.

    It has no other state: what it computes never depends on earlier calls. Each tensor is
    registered once. The constructor reads no value of a tensor, so that a body can be made on the
    "meta" device.

    Attributes:
        name: Name under which it is registered and saved.
        settings: Section from which it is rebuilt, of `settings_type`.
        features: Length of the vector that it makes of an input.
        input_shape: What a `TaskInput` must fit, for instance (heads, head_dim) of the queries.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[Any]]
    settings: Any
    features: int

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Return what a `TaskInput` must fit at the present width."""

    @abstractmethod
    def kinds(self) -> dict[str, Kind]:
        """Return the kind of every parameter and buffer, by its name."""

    @abstractmethod
    def make_input(self, modality: str, channels: int) -> TaskInput:
        """Make a new input of a task; `channels` is 3 for images, the embedding's for texts."""

    @abstractmethod
    def grown(self, width: float) -> Self:
        """Return a copy, `width` times as wide inside as it was made.

        The present values are the top-left block of the new ones, which add nothing to what the
        body computes.

        Raises:
            ValueError: This body cannot grow.
        """

    @classmethod
    @abstractmethod
    def masked_size(cls, settings: Any, width: float) -> int:
        """Return the number of masked weights of a body, by arithmetic alone.

        A description from a file is checked against it before it takes memory.
        """

    @abstractmethod
    def forward(self, read: Any) -> Tensor:
        """Compute the features (batch, features) of what a `TaskInput` made."""

    def observe(self, read: Any) -> tuple[Tensor, ...]:
        """Compute the features as `forward` does, and what each block of the body leaves.

        A body that does not say what its blocks are has one, whose features are the body's.

        Args:
            read: As of `forward`.

        Returns:
            The features, then a vector per input for each block (batch, any), averaged over all
            that the block holds of an input.
        """
        features = self(read)
        return features, features


BODIES: Registry[type[Body]] = Registry(
    "body", package="crossback_core.model.bodies", attribute="BODY"
)


def describe(body: Body) -> dict[str, Any]:
    """Return plain values from which `BODIES` and `read_settings` make the body again."""
    return {"name": body.name, "settings": asdict(body.settings)}


def read_settings(kind: type[Any], values: object) -> Any:
    """Make a body's settings of plain values from a file.

    Args:
        kind: The section.
        values: By field.

    Raises:
        ValueError: A field is missing or unknown, or a value is not allowed.
    """
    problems: list[str] = []
    settings = build(kind, values, "body", problems)
    if problems:
        raise ValueError("; ".join(problems))
    return settings


def named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield every parameter and buffer of a module with its name."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def classified(body: Body) -> Mapping[str, Kind]:
    """Return the kinds of a body once they are checked.

    Raises:
        ValueError: A parameter or buffer has no kind or an unknown one, or a kind has no tensor; a
            masked one is no float32 parameter, or there is none; a tensor is registered twice or
            not at all.
    """
    _check_registered(body)
    kinds = body.kinds()
    tensors = dict(named_tensors(body))
    for name in tensors.keys() ^ kinds.keys():
        what = "has no kind" if name in tensors else "does not exist"
        raise ValueError(f"{name} of body {body.name} {what}: {body.name}.kinds must name each one")
    for name, kind in kinds.items():
        if kind not in get_args(Kind):
            raise ValueError(f"{name} is {kind!r}, not one of {', '.join(get_args(Kind))}")
        trained = isinstance(tensors[name], nn.Parameter)
        matrix = tensors[name].ndim > 0 and tensors[name].dtype == torch.float32
        if kind == "masked" and not (trained and matrix):
            raise ValueError(f"{name} is masked, but not a float32 parameter with dimensions")
    if "masked" not in kinds.values():
        raise ValueError(f"body {body.name} masks no parameter: its tasks would share nothing")
    return kinds


def _check_registered(body: Body) -> None:
    """Refuse tensors that have two names, or none that a module knows."""
    names: dict[int, str] = {}
    for tensors in (body.named_parameters, body.named_buffers):
        for name, tensor in tensors(remove_duplicate=False):
            if names.setdefault(id(tensor), name) != name:
                raise ValueError(
                    f"{names[id(tensor)]} and {name} of body {body.name} are one tensor"
                )
    for path, module in body.named_modules():
        known = ("_parameters", "_buffers", "_modules")
        for name, value in vars(module).items():
            if name not in known and _holds_tensors(value):
                raise ValueError(
                    f"{path}.{name}".lstrip(".") + f" of body {body.name} holds tensors that are"
                    " neither parameters nor buffers: register them"
                )


def _holds_tensors(value: object) -> bool:
    """Say whether a plain attribute holds a tensor or a module."""
    if isinstance(value, dict):
        return any(map(_holds_tensors, value.values()))
    if isinstance(value, list | tuple | set):
        return any(map(_holds_tensors, value))
    return isinstance(value, Tensor | nn.Module)
