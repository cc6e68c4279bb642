"""Images: pixels in bytes, tokens of a colour and a position."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn import functional

from crossback_core.data.contents import content_hash
from crossback_core.data.images import (
    Picture,
    Pixels,
    ReadsImages,
    Unreadable,
    file_problem,
    read_picture_files,
)
from crossback_core.data.modality import Adapter, Modality, Packed, check_tensor, refuse_place
from crossback_core.data.picture_portable import PortablePictures
from crossback_core.data.picture_reader import PictureReader, recipe_for
from crossback_core.data.recipe import Recipe

COLOURS = 3
# Those that Pillow knows for `FORMATS`.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
)
UNREAD = (
    *(".heic", ".heif", ".avif", ".avifs", ".jxl", ".jp2", ".j2k", ".ico", ".svg", ".dib", ".psd"),
    *(".tga", ".eps", ".pdf", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
)


class ImageModel(Protocol):
    """What an adapter has to know of the model."""

    @property
    def frequency_bands(self) -> int:
        """Bands of the Fourier positions."""

    @property
    def max_frequency(self) -> float:
        """The highest of their frequencies."""

    @property
    def image_mean(self) -> tuple[float, ...]:
        """Of the pixels in [0, 1]."""

    @property
    def image_std(self) -> tuple[float, ...]:
        """Of the pixels in [0, 1]."""


class ImageTraining(Protocol):
    """What augmentation has to know of the training."""

    @property
    def flip(self) -> bool:
        """Whether images are mirrored, half of them."""

    @property
    def shift(self) -> int:
        """The most pixels that an image moves by."""


class Image(Modality):
    """Pictures of one size, uint8 (samples, 3, height, width)."""

    name = "image"
    folder = "images"
    suffixes = SUFFIXES
    unread = UNREAD

    def file_problem(self, path: Path) -> str:
        """Say whether a file is missing or empty."""
        return file_problem(path)

    def read_files(
        self, raw: Path, sources: Sequence[str], settings: ReadsImages, *, threads: int
    ) -> list[Picture | Unreadable]:
        """Decode picture files at the configured size."""
        return read_picture_files(raw, sources, settings, threads=threads)

    def pack(self, samples: Sequence[Picture | Pixels | Unreadable]) -> Packed:
        """Put colours before rows and columns; bare pixels are their own content."""
        problems = [item.reason if isinstance(item, Unreadable) else "" for item in samples]
        pictures = [_as_picture(item) for item in samples]
        values = [
            None if picture is None else torch.from_numpy(_colours_first(picture.pixels))
            for picture in pictures
        ]
        contents = ["" if picture is None else picture.content for picture in pictures]
        recipe = recipe_for(next((value for value in values if value is not None), None))
        return Packed(problems, values, contents=contents, recipe=recipe)

    def holds(self, given: object) -> bool:
        """Say whether it is a picture of Pillow's or an array of pixels."""
        return isinstance(given, PIL.Image.Image | np.ndarray)

    def reader(self, recipe: Recipe, channels: int, elsewhere: str | None = None) -> PictureReader:
        """Return what brings pictures to the size of the task's: it refers to nothing."""
        refuse_place(elsewhere)
        return PictureReader(recipe)

    def portable(
        self, settings: ImageModel, recipe: Recipe, channels: int, elsewhere: str | None = None
    ) -> PortablePictures:
        """Return what takes pixels: a recipe refers to nothing."""
        return PortablePictures(recipe)

    def check(self, values: Tensor, table: Tensor | None, count: int) -> None:
        """Refuse what is not pixels."""
        if table is not None:
            raise ValueError("images have no table")
        check_tensor("pixels", values, torch.uint8, (count, COLOURS, None, None))

    def inputs(self, values: Tensor, table: Tensor | None) -> tuple[Tensor, None]:
        """Return pixels as they are; all of them are real."""
        return values, None

    def check_inputs(self, values: Tensor, mask: Tensor | None, channels: int) -> None:
        """Refuse what is not pixels: numbers in [0, 1] would be read as encoded ones."""
        check_tensor("images", values, torch.uint8, (None, channels, None, None))
        if mask is not None:
            raise ValueError("images have no mask: all their pixels are real")

    def channels(self, values: Tensor, table: Tensor | None) -> int:
        """Return the number of colours."""
        return COLOURS

    def augment(
        self,
        values: Tensor,
        mask: Tensor | None,
        settings: ImageTraining,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor | None]:
        """Flip and shift each image at random."""
        return flip_and_shift(values, settings.flip, settings.shift, generator), mask

    def adapter(self, settings: ImageModel, channels: int) -> ImageAdapter:
        """Make an adapter of three colours."""
        if channels != COLOURS:
            raise ValueError(f"images have {COLOURS} channels, not {channels}")
        return ImageAdapter(settings)


MODALITY = Image()


class ImageAdapter(Adapter):
    """Pixels with 2-D Fourier positions (Jaegle et al., arXiv 2103.03206, section 3.2).

    Args:
        settings: Frequency bands and the mean and standard deviation of the pixels in [0, 1].
    """

    def __init__(self, settings: ImageModel) -> None:
        super().__init__()
        self.bands = settings.frequency_bands
        self.max_frequency = settings.max_frequency
        self.mean = settings.image_mean
        self.std = settings.image_std
        self.channels = COLOURS + 2 * (2 * self.bands + 1)

    def encode(self, values: Tensor) -> Tensor:
        """Turn uint8 (batch, 3, height, width) into normalised float32; float passes as it is."""
        if values.is_floating_point():
            return values
        if values.dtype != torch.uint8:
            raise ValueError(f"images must be uint8, or float if encoded, not {values.dtype}")
        mean = torch.tensor(self.mean, device=values.device).view(1, COLOURS, 1, 1)
        std = torch.tensor(self.std, device=values.device).view(1, COLOURS, 1, 1)
        return (values.float() / 255 - mean) / std

    def forward(self, values: Tensor) -> Tensor:
        """Turn encoded images (batch, 3, height, width) into (batch, height x width, channels)."""
        if values.ndim != 4 or values.shape[1] != COLOURS:
            raise ValueError(
                f"images must be (batch, {COLOURS}, height, width), got {tuple(values.shape)}"
            )
        height, width = values.shape[-2:]
        positions = fourier_positions(height, width, self.bands, self.max_frequency)
        positions = positions.to(values.device).expand(values.shape[0], -1, -1)
        return torch.cat([values.flatten(2).transpose(1, 2), positions], dim=-1)


@lru_cache(maxsize=16)
def fourier_positions(height: int, width: int, bands: int, max_frequency: float) -> Tensor:
    """Return Fourier features of pixel positions, in row-major order.

    For each axis: sin(pi f x) and cos(pi f x) for `bands` frequencies f from 1 to half the maximum,
    and x itself, with x from -1 to 1 (arXiv 2103.03206, section 3.2).

    Returns:
        (height x width, 2 (2 bands + 1)) float32
    """
    axes = [torch.linspace(-1, 1, size) for size in (height, width)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)  # (height, width, 2)
    frequencies = torch.linspace(1, max_frequency / 2, bands)
    angles = math.pi * grid[..., None] * frequencies  # (height, width, 2, bands)
    features = torch.cat([angles.sin(), angles.cos(), grid[..., None]], dim=-1)
    return features.flatten(2).flatten(0, 1)


def flip_and_shift(pixels: Tensor, flip: bool, shift: int, generator: torch.Generator) -> Tensor:
    """Flip and shift each image at random.

    Args:
        pixels: uint8 (batch, 3, height, width).
        flip: Whether half of the images are mirrored.
        shift: The most pixels that an image moves by; the border is repeated.
        generator: Source of randomness.

    Returns:
        uint8 (batch, 3, height, width)
    """
    if flip:
        mirrored = torch.rand(len(pixels), generator=generator) < 0.5
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels)
    return _shifted(pixels, shift, generator) if shift else pixels


def _shifted(pixels: Tensor, shift: int, generator: torch.Generator) -> Tensor:
    count, _, height, width = pixels.shape
    padded = functional.pad(pixels.float(), [shift] * 4, mode="replicate").to(pixels.dtype)
    offsets = torch.randint(2 * shift + 1, (2, count, 1), generator=generator)
    rows = offsets[0] + torch.arange(height)  # (batch, height)
    columns = offsets[1] + torch.arange(width)  # (batch, width)
    samples = torch.arange(count)[:, None, None]
    # Indexing puts the colours last: (batch, height, width, 3)
    return padded[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _as_picture(item: Picture | Pixels | Unreadable) -> Picture | None:
    if isinstance(item, Unreadable):
        return None
    return item if isinstance(item, Picture) else Picture(item, content_hash(item))


def _colours_first(picture: Pixels) -> Pixels:
    return np.array(picture.transpose(2, 0, 1), order="C")  # (3, height, width)
