"""Pictures as an exported graph takes them: pixels in bytes, at the size of the task's."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from crossback_core.data.images import REDUCING_GAP
from crossback_core.data.picture_reader import COLOURS, PictureReader
from crossback_core.data.portable import BATCH, GraphInput, PortableInput
from crossback_core.data.recipe import Recipe

_BATCHES = (3, 1, 8)
_PREPARATION = """\
`pixels` is uint8 (batch, 3, {side}, {side}): red, green and blue, 0 to 255, rows from the top. \
The graph scales and normalises them itself.

Turn a picture upright as its file says, make it RGB (what is transparent lies on white), and \
resize it to {side} x {side} pixels with Pillow's bilinear filter, whatever its proportions were. \
Grey of more than 8 bits is scaled to 8 first, by the bits in use; of 16-bit colours the upper 8 \
are taken. The lines below do this for pictures of 8 bits without transparency."""
_EXAMPLE = """\
def read(path):
    picture = Image.open(path)
    picture.draft(None, ({decoded}, {decoded}))  # a large JPEG is decoded at a smaller scale
    small = picture.convert("RGB").resize(
        ({side}, {side}), Image.Resampling.BILINEAR, reducing_gap={gap}
    )
    return np.asarray(ImageOps.exif_transpose(small)).transpose(2, 0, 1)

inputs = {{"pixels": np.stack([read("photo.jpg")])}}"""


class PortablePictures(PortableInput):
    """Pixels, which the network's adapter scales.

    Args:
        recipe: Of the task.
    """

    imports = ("from PIL import Image, ImageOps",)
    packages = ("pillow",)
    longest: dict[str, int] = {}
    files: dict[str, str] = {}

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        side = PictureReader(recipe).side
        self.recipe = recipe.values
        self.inputs = (GraphInput("pixels", torch.uint8, (BATCH, COLOURS, side, side)),)
        self.preparation = _PREPARATION.format(side=side)
        lines = _EXAMPLE.format(side=side, decoded=REDUCING_GAP * side, gap=REDUCING_GAP)
        self.example = tuple(lines.split("\n"))
        self._shape = (COLOURS, side, side)

    def forward(self, *given: Tensor) -> tuple[Tensor, None]:
        """Return pixels as they are."""
        (pixels,) = given
        return pixels, None

    def draws(self, generator: torch.Generator) -> Iterator[tuple[Tensor]]:
        """Yield noise."""
        for batch in _BATCHES:
            shape = (batch, *self._shape)
            yield (torch.randint(256, shape, dtype=torch.uint8, generator=generator),)
