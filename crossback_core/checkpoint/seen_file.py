"""What each task of a network has seen, as a checkpoint stores it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from crossback_core.data.contents import HASH_BYTES, Seen
from crossback_core.storage.archive import entry
from crossback_core.wording import counted

_ROLES = ("train", "validation")


def pack_seen(seen: Iterable[Seen | None]) -> list[dict[str, Tensor] | None]:
    """Return the samples of each task as int64 tensors, one number per hash, ascending."""
    return [
        None if each is None else {role: _numbers(getattr(each, role)) for role in _ROLES}
        for each in seen
    ]


def unpack_seen(packed: Sequence[Any], *, tasks: int) -> list[Seen | None]:
    """Return what `pack_seen` was given.

    Raises:
        ValueError: It is not of so many tasks, or is nothing that `pack_seen` returns.
    """
    if len(packed) != tasks:
        of = counted(len(packed), "task")
        raise ValueError(f"the samples of {of} for {counted(tasks, 'task')}")
    return [None if each is None else _seen(each, f"seen.{n}") for n, each in enumerate(packed)]


def _seen(packed: Any, name: str) -> Seen:
    if not isinstance(packed, dict) or packed.keys() != set(_ROLES):
        raise ValueError(f"{name} is not of {' and '.join(_ROLES)}")
    return Seen(**{role: _hashes(entry(packed, role, Tensor), f"{name}.{role}") for role in _ROLES})


def _numbers(hashes: Iterable[str]) -> Tensor:
    numbers = (int.from_bytes(bytes.fromhex(each), "big", signed=True) for each in hashes)
    return torch.tensor(sorted(numbers), dtype=torch.int64)


def _hashes(numbers: Tensor, name: str) -> frozenset[str]:
    if numbers.dtype != torch.int64 or numbers.ndim != 1:
        raise ValueError(
            f"{name} is {numbers.dtype} {tuple(numbers.shape)}, not torch.int64 in one row"
        )
    if (numbers[1:] <= numbers[:-1]).any():
        raise ValueError(f"the numbers of {name} do not ascend")
    return frozenset(
        number.to_bytes(HASH_BYTES, "big", signed=True).hex() for number in numbers.tolist()
    )
