"""How raw input reaches a network that is exported: a module before it, and words for a person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BATCH = "batch"  # name of the axis that every input has first


@dataclass(frozen=True)
class GraphInput:
    """An input of an exported graph.

    Attributes:
        name: Its name.
        dtype: Its type.
        shape: Its lengths; a name stands for one that each call chooses, BATCH for the first.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int | str, ...]


class PortableInput(nn.Module, ABC):
    """Stands before a network in an exported graph and needs nothing else of the project.

    Attributes:
        inputs: Of the graph, in the order in which `forward` takes them.
        longest: The greatest length that an axis of a name other than BATCH may have, by name.
        preparation: How a person prepares raw input, in Markdown.
        example: Lines of Python that make of raw input the dictionary `inputs`, for onnxruntime;
            `imports` are the lines that they need before. There, and in `preparation`, FILE stands
            for the name of the files, without what it ends with.
        packages: What these lines need from elsewhere, beside numpy and onnxruntime.
        files: What preparing input needs beside the graph, by what its file's name ends with.
        recipe: Plain values of the recipe that the input is prepared by.
        tolerance: How far logits of the graph may be from the task's and be called rounding, in
            parts of the largest one, or of 1 where that is more.
    """

    inputs: tuple[GraphInput, ...]
    longest: Mapping[str, int]
    preparation: str
    imports: tuple[str, ...]
    packages: tuple[str, ...]
    example: tuple[str, ...]
    files: Mapping[str, str]
    recipe: Mapping[str, Any]
    tolerance = 1e-4

    @abstractmethod
    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what a network takes, values and mask, of one tensor for each of `inputs`."""

    def values(self) -> dict[str, Tensor]:
        """Return the tensors that it computes with, by name."""
        return self.state_dict()

    @abstractmethod
    def draws(self, generator: torch.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Yield random valid inputs of `forward`, in batches of several sizes, none below 1.

        The first is of a shape in which no length that may differ is 1, and all differ.
        """


FILE = "{file}"
