"""Short hashes of what samples hold, which tell the samples that a network has seen from others.

Planning a workflow imports this by way of the kinds of data sets: it needs no torch.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HASH_BYTES = 8
_HASH = re.compile(f"[0-9a-f]{{{2 * HASH_BYTES}}}")


def content_hash(content: bytes | str | npt.NDArray[Any]) -> str:
    """Return a short hash of a sample as it was read, before anything is made of it.

    Equal contents have equal hashes. Two others share one with a probability of 2^-64: of ten
    thousand test samples one is taken for one of a million seen ones in one of two thousand million
    such cases.

    Args:
        content: The bytes of a file; a text; or an array, which is told from another by its type
            and shape as well.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    if isinstance(content, np.ndarray):
        digest.update(f"{content.dtype.str}{content.shape}".encode())
        content = content.tobytes()
    elif isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")  # JSON may hold half a character
    digest.update(content)
    return digest.hexdigest()


def is_hash(value: object) -> bool:
    """Say whether a value is one that `content_hash` may return."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


@dataclass(frozen=True)
class Seen:
    """The samples that a task was trained and validated on, by the hashes of their contents.

    Where they are not known, None stands in its place.
    """

    train: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()

    def __contains__(self, content: object) -> bool:
        """Say whether a sample of this hash is among them."""
        return content in self.train or content in self.validation


def joined(first: Seen | None, second: Seen | None) -> Seen | None:
    """Return what was seen in two trainings; it is not known if that of one of them is not."""
    if first is None or second is None:
        return None
    return Seen(first.train | second.train, first.validation | second.validation)
