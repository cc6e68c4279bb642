"""Named tensors: as one flat vector, as a module that registers them, as blocks of larger ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from crossback_core.model.body import named_tensors

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where each of several tensors lies in a flat vector."""

    shapes: dict[str, Shape]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Layout:
        """Return the layout of tensors in their order."""
        return cls({name: tuple(tensor.shape) for name, tensor in tensors.items()})

    @cached_property
    def sizes(self) -> list[int]:
        """Number of values of each tensor."""
        return [math.prod(shape) for shape in self.shapes.values()]

    def split(self, flat: Tensor) -> list[Tensor]:
        """Return views of the tensors in a flat vector."""
        parts = torch.split(flat, self.sizes)
        return [part.view(shape) for part, shape in zip(parts, self.shapes.values(), strict=True)]

    def named(self, flat: Tensor) -> dict[str, Tensor]:
        """Return views of the tensors in a flat vector by name."""
        return dict(zip(self.shapes, self.split(flat), strict=True))

    def flat(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return the named tensors as one new vector."""
        return torch.cat([tensors[name].detach().reshape(-1) for name in self.shapes])

    def widened(self, flat: Tensor, wider: Layout, value: float) -> Tensor:
        """Return a vector of a wider layout: each tensor is a top-left block among `value`s."""
        empty = wider.named(flat.new_full((sum(wider.sizes),), value))
        blocks = self.named(flat)
        return wider.flat({name: with_block(empty[name], blocks[name]) for name in empty})


class Values(nn.Module):
    """Tensors by dotted name, registered: they move, save and copy with the module."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            copy = tensor.detach().clone()
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(_key(name), nn.Parameter(copy))
            else:
                self.register_buffer(_key(name), copy)

    def named(self) -> dict[str, Tensor]:
        """Return the tensors by name."""
        return {name[1:].replace("/", "."): tensor for name, tensor in named_tensors(self)}


def _key(name: str) -> str:
    """Return a name that a module accepts and does not use itself."""
    return "/" + name.replace(".", "/")


def freeze_all_but_last(modules: nn.ModuleList) -> None:
    """Let only the last module be trained; leave no gradient of the others to an optimiser."""
    for module in modules:
        module.zero_grad()
        module.requires_grad_(module is modules[-1])


def block(tensor: Tensor, shape: Shape) -> Tensor:
    """Return a view of a tensor's top-left block."""
    return tensor[tuple(slice(size) for size in shape)]


def with_block(tensor: Tensor, values: Tensor) -> Tensor:
    """Return a copy of a tensor, a parameter if it is one, with other values in its first block."""
    copy = tensor.detach().clone()
    block(copy, values.shape).copy_(values.detach())
    return nn.Parameter(copy) if isinstance(tensor, nn.Parameter) else copy


def has_block(tensor: Tensor, values: Tensor) -> bool:
    """Say whether a tensor's top-left block holds the values; without values its shape decides."""
    fits = values.ndim == tensor.ndim and all(
        size <= larger for size, larger in zip(values.shape, tensor.shape, strict=True)
    )
    return fits and (values.is_meta or torch.equal(block(tensor, values.shape), values))


def check_fit(wanted: Mapping[str, Tensor], given: object, *, path: str = "") -> None:
    """Refuse tensors of other names, types or shapes than those wanted.

    Args:
        wanted: Tensors by name.
        given: What is compared with them.
        path: What the message puts before a name.

    Raises:
        ValueError: What does not fit, by name.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{path or 'values'} is a {type(given).__name__}, not named tensors")
    if wanted.keys() != given.keys():
        odd = sorted(wanted.keys() ^ given.keys(), key=str)
        names = ", ".join(f"{path}{name}" for name in odd[:5])
        raise ValueError(f"parameters missing or unknown: {names}")
    for name, value in wanted.items():
        found = given[name]
        if not isinstance(found, Tensor):
            raise ValueError(f"{path}{name} is a {type(found).__name__}, not a tensor")
        if found.dtype != value.dtype or found.shape != value.shape:
            raise ValueError(
                f"{path}{name} is {found.dtype} {tuple(found.shape)}, the model needs"
                f" {value.dtype} {tuple(value.shape)}"
            )


def copy_all(targets: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Copy tensors into those of the same names, in place."""
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(given[name])


def replacing(module: nn.Module, values: Mapping[str, Tensor]) -> dict[int, Tensor]:
    """Return what `deepcopy` takes to replace a module's values by copies of other ones."""
    return {
        id(tensor): nn.Parameter(copy) if isinstance(tensor, nn.Parameter) else copy
        for name, tensor in named_tensors(module)
        for copy in [values[name].detach().clone(memory_format=torch.contiguous_format)]
    }


def detached(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as files hold them: on the CPU, contiguous, without gradients."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
