"""Owners and pick masks as files hold them: in as few bits as they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossback_core.section import shown
from crossback_core.wording import counted

Codes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def pack_bits(mask: npt.NDArray[Any]) -> Tensor:
    """Pack a mask, flattened, into bytes."""
    return torch.from_numpy(np.packbits(mask.astype(bool)))


def unpack_bits(packed: object, count: int) -> Mask:
    """Return the `count` bits that `pack_bits` packed.

    Raises:
        ValueError: There are more or fewer.
    """
    wanted = (count + 7) // 8
    fits = isinstance(packed, Tensor) and packed.dtype == torch.uint8 and packed.shape == (wanted,)
    if not isinstance(packed, Tensor) or not fits:
        raise ValueError(f"a mask of {count} bits needs {wanted} bytes")
    return np.unpackbits(packed.numpy(), count=count).astype(bool)


def pack_owners(owners: Codes) -> dict[str, Any]:
    """Write the owners that occur as numbers, in as few bits per weight as they need."""
    kinds, numbers = np.unique(owners, return_inverse=True)
    planes = [pack_bits((numbers.ravel() >> bit) & 1) for bit in range(_bits_needed(len(kinds)))]
    return {"owners": kinds.tolist(), "planes": planes}


def unpack_owners(packed: dict[str, Any], shape: Sequence[int], *, tasks: int) -> Codes:
    """Return the owners that `pack_owners` packed.

    Raises:
        ValueError: They do not fit together, or one is no task.
    """
    kinds = packed["owners"]
    planes = packed["planes"]
    if not kinds or len(planes) != _bits_needed(len(kinds)):
        raise ValueError(f"{len(planes)} bit planes cannot tell {len(kinds)} owners apart")
    if any(type(kind) is not int or kind < 0 for kind in kinds):
        raise ValueError(f"owners {shown(kinds)} are not numbers of tasks")
    if max(kinds) > tasks:
        raise ValueError(f"owner {max(kinds)} but only {counted(tasks, 'task')}")
    count = int(np.prod(shape))
    numbers = np.zeros(count, dtype=np.int64)
    for bit, plane in enumerate(planes):
        numbers |= unpack_bits(plane, count).astype(np.int64) << bit
    if numbers.max(initial=0) >= len(kinds):
        raise ValueError(f"owner code {numbers.max()} but only {len(kinds)} owners")
    return np.asarray(kinds, dtype=np.uint8)[numbers].reshape(tuple(shape))


def pack_picks(picks: Sequence[Mask], owners: Codes) -> list[Tensor]:
    """Pack the pick masks of the second task and later ones: one bit per earlier weight."""
    return [
        pack_bits(mask[earlier(owners, position)]) for position, mask in enumerate(picks, start=2)
    ]


def unpack_picks(packed: Sequence[object], owners: Codes, *, tasks: int) -> list[Mask]:
    """Return the masks that `pack_picks` packed, each of the shape of the owners.

    Raises:
        ValueError: There are more or fewer than tasks, or one is of another size.
    """
    if len(packed) != max(0, tasks - 1):
        raise ValueError(f"{counted(len(packed), 'pick mask')} for {counted(tasks, 'task')}")
    masks = []
    for position, bits in enumerate(packed, start=2):
        mask = np.zeros(owners.shape, dtype=bool)
        where = earlier(owners, position)
        mask[where] = unpack_bits(bits, int(where.sum()))
        masks.append(mask)
    return masks


def earlier(owners: Codes, position: int) -> Mask:
    """Return where a task before that at `position` is the owner."""
    found: Mask = (owners != 0) & (owners < position)
    return found


def _bits_needed(kinds: int) -> int:
    return (kinds - 1).bit_length()
