"""Pictures as arrays of bytes."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import stat
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from crossback_core.data.contents import content_hash
from crossback_core.wording import counted

logger = logging.getLogger(__name__)

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
REDUCING_GAP = 2
_LEAST_SIDE = 32  # pixels that a picture is brought to which is only looked at
_COPYING = threading.Lock()  # a picture is decoded when it is copied: two threads may have the same
_WHITE = (255, 255, 255, 255)

_SIXTEEN_BITS = re.compile(r";16[BLNR]")  # in Pillow's name for how a file holds its pixels
_PHOTOMETRIC = 262  # the tag of a TIFF file that says what its numbers mean
_WHITE_IS_ZERO = 0
_COLOUR_MAP = 320  # the tag of its palette
# The least of the brightest upper half of 16 bits that leaves more than four bits of a colour.
_LEAST_UPPER = 16


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
        bits: Of a file with more than 8 bits of grey: how many it uses, and so was scaled by.
    """

    pixels: Pixels
    content: str
    bits: int | None = None


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
        items = list(pool.map(read, [raw / source for source in sources]))
    _tell_bits(items)
    return items


def _tell_bits(items: Sequence[Picture | Unreadable]) -> None:
    """Log by which bits pictures were scaled: that of several is a warning."""
    found = Counter(item.bits for item in items if isinstance(item, Picture) and item.bits)
    if found:
        logger.log(
            logging.WARNING if len(found) > 1 else logging.INFO,
            "pictures of more than 8 bits are scaled by the bits that each uses: %s",
            ", ".join(
                f"{bits} bits in {counted(count, 'picture')}"
                for bits, count in sorted(found.items())
            ),
        )


def _try_picture(path: Path, size: int) -> Picture | Unreadable:
    try:
        # Read first: an error of the disk must stop the work, one of the decoder must not.
        data = path.read_bytes()
    except FileNotFoundError:
        return Unreadable("missing image file")
    try:
        return decode_picture(data, size=size)
    except ValueError as error:
        return Unreadable(f"unreadable image: {error}")


def file_problem(path: Path) -> str:
    """Say what is wrong with an image file, as far as that shows without decoding it."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return "unreadable image: it is no plain file"
        return "" if found.st_size else "unreadable image: the file is empty"
    except FileNotFoundError:
        return "missing image file"


def undecodable(raw: Path, sources: Iterable[str], *, threads: int) -> Iterator[str]:
    """Yield what is wrong with each of some picture files, "" if nothing is; keep no picture.

    Each is decoded, as small as that can be: one that was cut off opens like a whole one.
    """

    def problem(source: str) -> str:
        found = _try_picture(raw / source, _LEAST_SIDE)
        return found.reason if isinstance(found, Unreadable) else ""

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(problem, sources)


def decode_picture(data: bytes, *, size: int) -> Picture:
    """Decode a picture and bring it to a square of `size` pixels; its proportions are not kept.

    JPEG is decoded at a reduced scale where that is still large enough. The orientation that the
    file states is followed, transparency is laid on white, and of an animation the first frame is
    taken. Grey of more than 8 bits is scaled by the bits in use: 8, 10, 12 and so on, by the
    brightest pixel. Of colours of 16 bits the upper half is taken.

    Returns:
        RGB values (size, size, 3).

    Raises:
        ValueError: If it is not a picture of a known format, is damaged, or has more than
            `Image.MAX_IMAGE_PIXELS` pixels; or its values have a range that is not known.
    """
    with _decoding(), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        _check_size(picture)
        picture.draft(None, (size * REDUCING_GAP, size * REDUCING_GAP))
        pixels, bits = _reduced(picture, size)
    return Picture(pixels, content_hash(data), bits)


def take_picture(picture: Image.Image, *, size: int) -> Picture:
    """Bring an open picture to a square of `size` pixels, as `decode_picture` does with a file.

    A JPEG is not decoded at a reduced scale, so its pixels may differ a little from those of its
    file. The picture itself stays as it is.

    Raises:
        ValueError: As `decode_picture`.
    """
    with _decoding():
        _check_size(picture)
        with _COPYING:
            own = picture.copy()
        pixels, bits = _reduced(own, size)
    return Picture(pixels, content_hash(pixels), bits)


def _reduced(picture: Image.Image, size: int) -> tuple[Pixels, int | None]:
    """Return RGB values (size, size, 3), upright, and the bits as of `_as_rgb`."""
    colours, bits = _as_rgb(picture)
    small = colours.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
    # Not before it is decoded: that turns a TIFF picture upright, and then it says so.
    turn = _UPRIGHT.get(_orientation(picture))
    return np.array(small if turn is None else small.transpose(turn)), bits


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
        return np.array(_as_rgb(picture)[0])


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
    except (FileNotFoundError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ValueError("not a picture of a known format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # Pillow's decoders raise whatever they trip over
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
    except Exception:  # as above
        return 1


def _as_rgb(picture: Image.Image) -> tuple[Image.Image, int | None]:
    """Decode to 8 bits a colour, and say how many bits were in use where the file has more."""
    deep = any(_SIXTEEN_BITS.search(str(tile.args)) for tile in getattr(picture, "tile", ()))
    if picture.mode == "F":
        raise _not_8_bits("its pixels are floating point, whose range is not known")
    if picture.mode.startswith("I") or deep:
        _check_meaning(picture)
    if picture.mode.startswith("I"):
        return _from_grey(np.asarray(picture))
    if deep:
        _check_upper(picture)
    if picture.mode == "P":
        _mend_palette(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, _WHITE), picture)
    return picture.convert("RGB"), None


def _mend_palette(picture: Image.Image) -> None:
    """Read the palette of a TIFF file that has it in 8 bits: Pillow takes it for one of 16."""
    colours = getattr(picture, "tag_v2", {}).get(_COLOUR_MAP, ())
    if colours and max(colours) < 256:
        picture.load()
        picture.putpalette(bytes(colours), "RGB;L")  # all red values, all green, all blue


def _from_grey(values: npt.NDArray[np.integer]) -> tuple[Image.Image, int]:
    """Scale grey (height, width) of 16 or 32 bits by the bits in use: 8, 10, 12 and so on."""
    if values.min() < 0:  # as Pillow has the larger ones of 32 bits without a sign
        raise _not_8_bits("it holds values below 0 or beyond 2^31 - 1")
    used = max(8, int(values.max()).bit_length())
    bits = min(used + used % 2, 31)
    grey = (values >> (bits - 8)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB"), bits


def _check_meaning(picture: Image.Image) -> None:
    """Refuse what Pillow passes over in pictures of more than 8 bits."""
    if "transparency" in picture.info:
        raise _not_8_bits("one of its colours of 16 bits is transparent")
    if getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise _not_8_bits("0 is white in it, and it has more than 8 bits")


def _check_upper(picture: Image.Image) -> None:
    """Refuse colours of 16 bits that use the lower ones only, which Pillow drops."""
    values = np.asarray(picture)  # (height, width, bands)
    if picture.has_transparency_data and values[..., -1].min() == 255:  # opaque: that tells nothing
        values = values[..., :-1]
    if values.max() < _LEAST_UPPER:
        raise _not_8_bits("only the lower of its 16 bits a colour are in use")


def _not_8_bits(problem: str) -> ValueError:
    return ValueError(f"{problem}: save it with 8 bits a colour")
