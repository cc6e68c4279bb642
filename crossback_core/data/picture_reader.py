"""Raw pictures, brought to the size of a task's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from pydantic.dataclasses import dataclass
from torch import Tensor

from crossback_core.data.images import Picture, decode_picture, fit_picture, take_picture
from crossback_core.data.recipe import Gathered, Reader, Recipe, read_recipe
from crossback_core.data.settings import ImageSize
from crossback_core.section import STRICT

COLOURS = 3


@dataclass(frozen=True, config=STRICT)
class _Square:
    size: ImageSize  # height and width in pixels


def recipe_for(pixels: Tensor | None) -> Recipe | None:
    """Return the recipe of pictures (3, height, width); None for what is no square."""
    if pixels is None or pixels.shape[1] != pixels.shape[2]:
        return None
    return Recipe({"size": pixels.shape[1]})


class PictureReader(Reader):
    """Reads picture files, pictures of Pillow's and arrays of pixels."""

    def __init__(self, recipe: Recipe) -> None:
        self.side = read_recipe(recipe, _Square, arrays=()).size
        self.size = COLOURS * self.side**2

    def open(self, given: Path | PIL.Image.Image | np.ndarray[Any, Any]) -> Picture:
        """Bring one picture to the task's size."""
        if isinstance(given, Path):
            return decode_picture(given.read_bytes(), size=self.side)
        if isinstance(given, PIL.Image.Image):
            return take_picture(given, size=self.side)
        if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3 or not given.size:
            raise ValueError(
                f"an array of pixels is {given.dtype} of shape {given.shape}, not uint8 of (height,"
                " width, 3)"
            )
        return fit_picture(given, size=self.side)

    def gather(self, opened: Sequence[Picture]) -> Gathered:
        """Return pictures as they are."""
        return Gathered(list(opened), [None] * len(opened))
