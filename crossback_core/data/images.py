"""Pictures as arrays of bytes."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from crossback_core.data.contents import content_hash

Pixels = npt.NDArray[np.uint8]

# No others: some of Pillow's decoders start programs (Ghostscript), many are rarely tested.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Times the wanted size that a picture is still decoded at before the final, exact resampling.
_REDUCING_GAP = 2
_WHITE = (255, 255, 255, 255)


class ReadsImages(Protocol):
    """Settings of a data set that reading pictures needs."""

    @property
    def image_size(self) -> int:
        """Height and width in pixels that pictures are brought to."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that was read.

    Attributes:
        pixels: RGB values (height, width, 3).
        content: Hash of what they were made of, see `content_hash`.
    """

    pixels: Pixels
    content: str


@dataclass(frozen=True)
class Unreadable:
    """Stands for a picture that cannot be read; `reason` is written as "what: details"."""

    reason: str


def read_picture_files(
    raw: Path, sources: Sequence[str], settings: ReadsImages, *, threads: int
) -> list[Picture | Unreadable]:
    """Read picture files, whose sources are paths under `raw`, at the configured size.

    Args:
        raw: The folder of the data set.
        sources: The files wanted.
        settings: Of the data set.
        threads: How many files are decoded at a time. (Pillow releases Python's lock.)

    Returns:
        The pictures, in the order of `sources`; the content of each is its file's bytes.
    """
    read = partial(_try_picture, size=settings.image_size)
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(read, [raw / source for source in sources]))


def _try_picture(path: Path, size: int) -> Picture | Unreadable:
    try:
        # Read first: an error of the disk must stop the work, one of the decoder must not.
        data = path.read_bytes()
    except FileNotFoundError:
        return Unreadable("missing image file")
    try:
        return Picture(decode_picture(data, size=size), content_hash(data))
    except ValueError as error:
        return Unreadable(f"unreadable image: {error}")


def file_problem(path: Path) -> str:
    """Say what is wrong with an image file, as far as that shows without decoding it."""
    try:
        return "" if path.stat().st_size else "unreadable image: the file is empty"
    except FileNotFoundError:
        return "missing image file"


def decode_picture(data: bytes, *, size: int) -> Pixels:
    """Decode a picture and bring it to a square of `size` pixels; its proportions are not kept.

    JPEG is decoded at a reduced scale where that is still large enough. EXIF orientation is
    followed, transparency is laid on white, 16-bit values lose their lower half, and of an
    animation the first frame is taken.

    Returns:
        RGB values (size, size, 3).

    Raises:
        ValueError: If it is not a picture of a known format, is damaged, or has more than
            `Image.MAX_IMAGE_PIXELS` pixels.
    """
    with _decoding(), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        _check_size(picture)
        turn = _UPRIGHT.get(_orientation(picture))
        picture.draft(None, (size * _REDUCING_GAP, size * _REDUCING_GAP))
        small = _as_rgb(picture).resize(
            (size, size), Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP
        )
        return np.array(small if turn is None else small.transpose(turn))


def fit_picture(pixels: Pixels, *, size: int) -> Picture:
    """Bring RGB values (height, width, 3), which are the content, to a square of `size` pixels."""
    content = content_hash(pixels)
    if pixels.shape[:2] == (size, size):
        return Picture(pixels, content)
    picture = Image.fromarray(pixels)
    return Picture(np.array(picture.resize((size, size), Image.Resampling.BILINEAR)), content)


def read_picture(path: Path) -> Pixels:
    """Decode a picture file at its own size.

    Returns:
        RGB values (height, width, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a picture or is damaged.
    """
    with _open(path) as picture:
        return np.array(_as_rgb(picture))


def picture_size(path: Path) -> tuple[int, int]:
    """Return height and width of a picture file without decoding it; raises like `read_picture`."""
    with _open(path) as picture:
        return picture.height, picture.width


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    try:
        with _decoding(), Image.open(path, formats=FORMATS) as picture:
            yield picture
    except ValueError as error:
        raise ValueError(f"{path} is not a picture or is damaged: {error}") from error


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
    """Raise ValueError for whatever Pillow raises on bytes that it cannot read."""
    try:
        yield
    except FileNotFoundError:
        raise
    except UnidentifiedImageError as error:
        raise ValueError("not a picture of a known format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(error)) from error
    except (OSError, SyntaxError, EOFError, LookupError, TypeError, struct.error) as error:
        # Pillow's decoders raise whatever they trip over.
        raise ValueError(str(error) or type(error).__name__) from error


def _check_size(picture: Image.Image) -> None:
    """Refuse giant pictures: Pillow itself only warns."""
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and picture.width * picture.height > most:
        raise ValueError(f"{picture.width} x {picture.height} pixels are more than {most}")


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation; a picture with damaged EXIF data stays as it is."""
    try:
        return int(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error):
        return 1


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # Pillow would cut 16-bit values off at 255
        return Image.fromarray((np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if picture.mode == "F":
        raise ValueError("pixels are floating point, whose range is not known")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, _WHITE), picture)
    return picture.convert("RGB")
