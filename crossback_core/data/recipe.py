"""What preparing a raw input takes: made when a task is prepared, kept by all networks of it.

Planning a workflow imports this by way of the kinds of data sets: it needs no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy.typing as npt

from crossback_core.section import build

_Values = TypeVar("_Values")


@dataclass(frozen=True, eq=False)
class Recipe:
    """How the samples of a task were read, so that others are read alike.

    Only their modality knows what it says (see `Modality.reader`); all else passes it on.

    Attributes:
        values: Plain values, as JSON has them.
        arrays: What is large, by name; those that several tasks have alike are stored once.
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenCount:
    """How much of a text is read.

    Attributes:
        read: Tokens of it that the network is given, without those that an encoder adds.
        unknown: How many of these are unknown: they all look alike to the network.
        new: How many of the others no text has that the task was trained on.
        cut: How many more it has, beyond the length that the task allows.
    """

    read: int
    unknown: int
    new: int
    cut: int


@dataclass(frozen=True, eq=False)
class Gathered:
    """Raw inputs, ready to be packed.

    Attributes:
        samples: What `Modality.pack` takes.
        counts: Of each input, where it is a text.
    """

    samples: Any
    counts: Sequence[TokenCount | None]


class Reader(ABC):
    """Reads raw input of one modality as the samples of a task were read.

    Any number of threads may open at once.

    Attributes:
        size: How many numbers a network is given for one input; a long text may have more.
    """

    size: int

    @abstractmethod
    def open(self, given: Any) -> Any:
        """Return what `gather` takes of one input.

        Args:
            given: A path, or a value that `Modality.holds`.

        Raises:
            ValueError: It cannot be read; the message says why.
            OSError: Neither can its file.
        """

    @abstractmethod
    def gather(self, opened: Sequence[Any]) -> Gathered:
        """Put opened inputs together, at least one.

        Raises:
            ValueError: What reads them is not what read the samples of the task.
            OSError: It is not there.
        """


def read_recipe(recipe: Recipe, kind: type[_Values], *, arrays: Sequence[str]) -> _Values:
    """Return the values of a recipe.

    Args:
        recipe: As a file may have it.
        kind: A strict section of its values.
        arrays: Names of those that it has to have, and no others.

    Raises:
        ValueError: It is another one.
    """
    problems: list[str] = []
    values = build(kind, recipe.values, "recipe", problems)
    if recipe.arrays.keys() != set(arrays):
        problems.append(f"a recipe has the arrays {sorted(recipe.arrays)}, not {sorted(arrays)}")
    if values is None or problems:
        raise ValueError("; ".join(problems))
    return values
