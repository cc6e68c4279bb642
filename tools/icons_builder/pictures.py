"""Icons: which belong to a class, how they are drawn, and which of them are kept."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from icons_builder.classes import ClassList, shuffle_key

Pixels = NDArray[np.uint8]

SIZE = 32  # pixels, width and height of a picture
THUMBNAIL = 16  # pixels, width and height of what is compared for near-duplicates
BLANK_BELOW = 4.0  # standard deviation of the pixels, 0 to 255
SAME_BELOW = 0.02  # mean difference of two thumbnails, 0 to 1

LICENCES = frozenset(
    {
        "MIT",
        "Apache-2.0",
        "ISC",
        "CC0-1.0",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "OFL-1.1",
        "BSD-3-Clause",
        "MPL-2.0",
        "Unlicense",
    }
)
LEFT_OUT_CATEGORIES = frozenset({"Logos", "Flags / Maps", "Programming"})

_STYLES = (
    "outline outlined outlines line lined linear fill filled solid bold duotone duo twotone "
    "thin light regular medium sharp rounded round baseline flat stroke remix alt simple f o "
    "one two three 1 2 3 4 5 6 01 02 03 04 05 06 8 10 12 14 15 16 18 20 24 28 32 48"
)
STYLE_WORDS = frozenset(_STYLES.split())


@dataclass(frozen=True)
class Icon:
    """One icon of one set, as SVG."""

    prefix: str
    name: str
    svg: str

    @property
    def source(self) -> str:
        """Set and name, as in "mdi:car"."""
        return f"{self.prefix}:{self.name}"


@dataclass(frozen=True)
class Picture:
    """A drawn icon."""

    icon: Icon
    pixels: Pixels


def usable(info: dict[str, Any]) -> bool:
    """Whether a set's licence and category allow its icons into the data set."""
    licence = info["license"].get("spdx")
    return licence in LICENCES and info.get("category") not in LEFT_OUT_CATEGORIES


def plain_name(name: str) -> str:
    """Return an icon's name without the style words in front and at the end.

    Args:
        name: As in the set: "outline-bus-24", "bus-two-tone".

    Returns:
        What the icon shows: "bus". A name of style words only keeps its first word.
    """
    words = name.replace("two-tone", "twotone").split("-")
    while len(words) > 1 and words[-1] in STYLE_WORDS:
        words.pop()
    while len(words) > 1 and words[0] in STYLE_WORDS:
        words.pop(0)
    return "-".join(words)


def svg_of(icon: dict[str, Any], icon_set: dict[str, Any]) -> str:
    """Return an icon's body as a whole SVG file, framed as the icon says, or else its set."""
    left, top, width, height = (
        icon.get(key, icon_set.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{SIZE}" height="{SIZE}" viewBox="{left} {top} {width} {height}">'
        f"{icon['body']}</svg>"
    )


def wanted_icons(icon_set: dict[str, Any], names: frozenset[str]) -> list[Icon]:
    """Icons of one set whose plain name is asked for; hidden and animated ones are left out."""
    return [
        Icon(icon_set["prefix"], name, svg_of(icon, icon_set))
        for name, icon in icon_set["icons"].items()
        if plain_name(name) in names and not icon.get("hidden") and not is_animated(icon["body"])
    ]


def is_animated(body: str) -> bool:
    """Whether an SVG body moves."""
    return "<animate" in body or "<set " in body


def is_blank(pixels: Pixels) -> bool:
    """Whether next to nothing is to be seen."""
    return float(pixels.std()) < BLANK_BELOW


def thumbnail(pixels: Pixels) -> NDArray[np.float32]:
    """Return a small grey version, flattened, values 0 to 1."""
    image = (
        Image.fromarray(pixels).convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    )
    return np.asarray(image, dtype=np.float32).ravel() / np.float32(255)


def same_as(thumbnails: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which thumbnails (n, pixels) are near-duplicates of another one (pixels,)."""
    same: NDArray[np.bool_] = np.abs(thumbnails - other).mean(axis=1) < SAME_BELOW
    return same


def distinct(pictures: Iterable[Picture]) -> list[Picture]:
    """Pictures that are neither blank nor a near-duplicate of an earlier one."""
    kept: list[Picture] = []
    seen = np.empty((0, THUMBNAIL * THUMBNAIL), dtype=np.float32)
    for picture in pictures:
        small = thumbnail(picture.pixels)
        if not is_blank(picture.pixels) and not same_as(seen, small).any():
            kept.append(picture)
            seen = np.vstack([seen, small])
    return kept


def in_turns(queues: Iterable[Sequence[Picture]]) -> list[Picture]:
    """Return the first of each queue, then the second of each, and so on."""
    turns = chain.from_iterable(zip_longest(*queues))
    return [picture for picture in turns if picture is not None]


def round_robin(pictures: Iterable[Picture], classes: ClassList) -> list[Picture]:
    """Pictures in turns from every family of sets, so that a class's first ones are from many.

    The order of the families is the same for all classes: classes then share their families, which
    lets a split by family be even in every class and keeps a style from giving a class away.
    """
    seed = classes.seed
    queues = defaultdict(list)
    for picture in sorted(pictures, key=lambda p: shuffle_key(seed, p.icon.source)):
        queues[classes.family(picture.icon.prefix)].append(picture)
    return in_turns([queues[key] for key in sorted(queues, key=lambda k: shuffle_key(seed, k))])
