"""CrossBack: reuse the network that fits a new task best, across modalities, without forgetting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crossback_core.version import NUMERICS, __version__

if TYPE_CHECKING:
    from crossback_core.checkpoint.product import Product

__all__ = ["NUMERICS", "__version__", "load"]


def load(path: str | Path) -> Product:
    """Load a checkpoint for use: predict and evaluate every task it serves.

    Args:
        path: A checkpoint, for instance results/icons/target_3.pt.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or is no checkpoint.
    """
    from crossback_core.checkpoint.product import Product  # imports torch, which takes seconds

    return Product.load(path)
