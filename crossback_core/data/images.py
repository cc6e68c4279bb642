"""Pictures as uint8 tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

Pixels = npt.NDArray[np.uint8]


def read_picture(path: Path) -> Pixels:
    """Decode a picture file.

    Returns:
        RGB values (height, width, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a picture or is damaged.
    """
    with _open(path) as picture:
        return np.array(picture.convert("RGB"))


def picture_size(path: Path) -> tuple[int, int]:
    """Return height and width of a picture file without decoding it; raises like `read_picture`."""
    with _open(path) as picture:
        return picture.height, picture.width


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:  # Pillow's PNG reader raises SyntaxError
        raise ValueError(f"{path} is not a picture or is damaged: {error}") from error


def stack(pictures: Sequence[Pixels]) -> Tensor:
    """Return pictures (height, width, 3) of one size as uint8 (pictures, 3, height, width)."""
    pixels = torch.from_numpy(np.stack(pictures))  # (pictures, height, width, 3)
    return pixels.permute(0, 3, 1, 2).contiguous()
