"""What a modality is: one object with all that the project knows of a sort of input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from crossback_core.data.contents import content_hash
from crossback_core.data.portable import PortableInput
from crossback_core.data.recipe import Reader, Recipe
from crossback_core.wording import printable


@dataclass(frozen=True, eq=False)
class Packed:
    """Samples of a task as they are stored.

    Attributes:
        problems: Why a sample is skipped ("what: details"); nothing where it is fine.
        values: One tensor per sample, None for those skipped; or all in one tensor.
        table: The values are its rows, shared by all samples; None where they stand alone.
        contents: Hash of what each sample was read from (see `content_hash`), anything for those
            skipped. None takes hashes of the values; where they are rows of a table, of which
            another task has another one, the samples stay without.
        recipe: What reading more of them takes; None where none can be read. See `recipe_of`.
    """

    problems: list[str]
    values: Sequence[Tensor | None] | Tensor
    table: Tensor | None = None
    contents: Sequence[str] | None = None
    recipe: Recipe | None = None

    def of(self, rows: Sequence[int]) -> Tensor:
        """Return the values of some samples in one tensor (rows, ...).

        Raises:
            ValueError: They are of different shapes.
        """
        if isinstance(self.values, Tensor):
            return self.values[list(rows)]
        kept = [value for value in (self.values[row] for row in rows) if value is not None]
        shapes = sorted({tuple(value.shape) for value in kept})
        if len(shapes) > 1:
            raise ValueError(f"samples of shapes {shapes[0]} and {shapes[1]}")
        return torch.stack(kept)

    def recipe_of(self, trained: Sequence[int]) -> Recipe | None:
        """Return the recipe of a task that is trained on some of the samples; by default, of any.

        Args:
            trained: Which, none of them skipped.
        """
        return self.recipe

    def contents_of(self, rows: Sequence[int]) -> tuple[str, ...] | None:
        """Return the hashes of some samples, none of them skipped; None if there are none."""
        if self.contents is not None:
            return tuple(self.contents[row] for row in rows)
        return None if self.table is not None else tuple(map(_hash_of_values, self.of(rows)))


def near_zero(*shape: int) -> nn.Parameter:
    """Return a parameter that starts at random near zero: normal, of standard deviation 0.02.

    On the "meta" device nothing is drawn: PyTorch loads its compiler to do so, which takes seconds.
    """
    values = torch.empty(shape)
    return nn.Parameter(values if values.is_meta else values.normal_().mul_(0.02))


class Adapter(nn.Module, ABC):
    """Turns raw or encoded input of one modality into tokens.

    Attributes:
        channels: Width of a token.
    """

    channels: int

    def check_recipe(self, recipe: Recipe) -> None:
        """Refuse a recipe of input that this has no places for; by default, refuse none.

        Raises:
            ValueError: It is such a one.
        """

    @abstractmethod
    def encode(self, values: Tensor) -> Tensor:
        """Turn raw input into float; return float as it is."""

    @abstractmethod
    def forward(self, values: Tensor) -> Tensor:
        """Turn encoded input into tokens (batch, tokens, channels)."""


class Modality(ABC):
    """A sort of input: how it is read, stored, batched, augmented and turned into tokens.

    Attributes:
        name: As configurations, files and tables have it.
        folder: Name of the folder of its files, in a data set of plain folders.
        suffixes: How names of its files end, in small letters.
        unread: How names of others end that people would take for samples: they count as skipped.
    """

    name: ClassVar[str]
    folder: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    unread: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def file_problem(self, path: Path) -> str:
        """Say what is wrong with a file, without decoding it; "" if nothing is."""

    @abstractmethod
    def read_files(self, raw: Path, sources: Sequence[str], settings: Any, *, threads: int) -> Any:
        """Return what `pack` takes, read from files whose sources are paths under `raw`."""

    @abstractmethod
    def pack(self, samples: Any) -> Packed:
        """Turn the samples that a reader returned into what is stored."""

    def holds(self, given: object) -> bool:
        """Say whether a value that is no path is raw input of this modality; by default, none."""
        return False

    def reader(self, recipe: Recipe, channels: int, elsewhere: str | None = None) -> Reader:
        """Return what reads raw input as the samples of a task were read; by default, refuse.

        Args:
            recipe: That `pack` returned with them, or what a file says in its place.
            channels: What `channels` returned of them.
            elsewhere: Where that is which the recipe refers to, if it has moved.

        Raises:
            ValueError: It is no recipe of this modality.
        """
        raise ValueError(f"modality {self.name} has no recipes: it reads no raw input")

    def portable(
        self, settings: Any, recipe: Recipe, channels: int, elsewhere: str | None = None
    ) -> PortableInput:
        """Return what stands before a network that is exported; by default, refuse.

        Args:
            settings: Of the model.
            recipe: As of `reader`, as are the others.
            channels: Likewise.
            elsewhere: Likewise.

        Raises:
            ValueError: Raw input of this modality, or of this recipe, cannot be read in a graph.
            OSError: What the recipe refers to is needed and is not here.
        """
        raise ValueError(f"modality {self.name} cannot be exported: it does not say how")

    @abstractmethod
    def check(self, values: Tensor, table: Tensor | None, count: int) -> None:
        """Refuse stored samples of a wrong type or shape, or not `count` of them."""

    @abstractmethod
    def inputs(self, values: Tensor, table: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Turn stored samples into a batch: what a network reads, and a mask of what is real.

        Returns:
            The batch (samples, ...), and (samples, tokens) bool, or None where all is real.
        """

    @abstractmethod
    def check_inputs(self, values: Tensor, mask: Tensor | None, channels: int) -> None:
        """Refuse a batch unlike those that `inputs` returns: people give some of their own.

        Args:
            values: The batch.
            mask: Where it is real.
            channels: What `channels` returned of the samples that a task was trained on.

        Raises:
            ValueError: It is of another type or shape, is empty, or holds NaN where it is read.
        """

    @abstractmethod
    def channels(self, values: Tensor, table: Tensor | None) -> int:
        """Return the width of one input element, which `adapter` is made for."""

    def augment(
        self, values: Tensor, mask: Tensor | None, settings: Any, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Change training samples at random but not their class; by default, change nothing.

        Args:
            values: A batch that `inputs` returned.
            mask: Its mask.
            settings: Of the training.
            generator: The only source of randomness.
        """
        return values, mask

    @abstractmethod
    def adapter(self, settings: Any, channels: int) -> Adapter:
        """Make a new adapter.

        Args:
            settings: Of the model.
            channels: What `channels` returns.

        Raises:
            ValueError: There is no adapter of so many channels.
        """


def _hash_of_values(values: Tensor) -> str:
    return content_hash(values.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def refuse_place(elsewhere: str | None) -> None:
    """Refuse the place of an encoder where a recipe refers to none: it would not be looked at.

    Raises:
        ValueError: One is given.
    """
    if elsewhere is not None:
        raise ValueError(f"the task reads without an encoder: leave out {printable(elsewhere)!r}")


def check_tensor(
    name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int | None, ...]
) -> None:
    """Refuse a tensor of another type or shape; None in `shape` stands for any length but 0."""
    fits = tensor.dtype == dtype and tensor.ndim == len(shape)
    if fits and all(
        actual == wanted if wanted is not None else actual > 0
        for actual, wanted in zip(tensor.shape, shape, strict=True)
    ):
        return
    wanted_shape = ", ".join("any" if length is None else str(length) for length in shape)
    raise ValueError(
        f"{name} are {tensor.dtype} of shape {tuple(tensor.shape)}, not {dtype} of ({wanted_shape})"
    )
