"""Reader of CIFAR-100 (Krizhevsky, 2009) in its 20 superclasses of five classes; images only.

The folder holds cifar-100-python/ with train, test and meta, pickles of Python 2. The published
test images are the test part; validation is taken out of the published training images.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.images import Picture, Pixels, fit_picture
from crossback_core.data.kind import (
    DatasetKind,
    check_published,
    file_and_number,
    numbered,
    spread,
)
from crossback_core.data.settings import (
    ClassesPerGroup,
    DatasetSettings,
    ImageSize,
    SamplesPerClass,
    groups_up_to,
)
from crossback_core.data.sources import RemoteFile
from crossback_core.section import STRICT, WHOLE
from crossback_core.storage.files import existing

FOLDER = "cifar-100-python"
PARTS = ("train", "test")
SIDE = 32  # pixels
_PUBLISHED = {"train": 500, "test": 100}  # images of each class

_HOST = "https://www.cs.toronto.edu/~kriz/"
FILES = (
    RemoteFile(
        name="cifar-100-python.tar.gz",
        url=f"{_HOST}cifar-100-python.tar.gz",
        page=f"{_HOST}cifar.html",
        checksum="md5:eb9058c3a382ffc7106e4002c42a8d85",
    ),
)


@dataclass(frozen=True, config=STRICT)
class Cifar100Settings(DatasetSettings):
    """The 20 superclasses of CIFAR-100, images only, five classes each."""

    image_size: ImageSize = 32
    groups: Annotated[int, groups_up_to(20), WHOLE] = 20
    classes_per_group: ClassesPerGroup = 5
    samples_per_class: SamplesPerClass = 0


def read_index(raw: Path, settings: Cifar100Settings) -> pd.DataFrame:
    """List the images of each superclass, superclasses and classes in alphabetical order.

    Fewer `groups` are the first superclasses, fewer `classes_per_group` the first classes of each;
    of more than `samples_per_class` images as many are taken, evenly spread over both parts.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or holds more than CIFAR-100, or there are too few groups.
    """
    images = pd.concat([_read_part(raw, part) for part in PARTS], ignore_index=True)
    groups = _groups(images, raw, settings)
    rows = []
    for task, group in enumerate(groups, 1):
        for name in group:
            own = images[images["class"] == name]
            kept = own.loc[spread(own.index.to_numpy(), settings.samples_per_class)]
            rows.append(kept.assign(task=task))
            if (settings.groups, settings.classes_per_group) == (20, 5):
                counts = own["part"].value_counts().to_dict()
                check_published(f"{raw}: images of class {name}", counts, _PUBLISHED)
    samples = pd.concat(rows, ignore_index=True).assign(modality="image")
    samples["part"] = samples["part"].where(samples["part"] == "test", "")
    return samples[["id", "task", "class", "modality", "group", "source", "part"]]


def _groups(images: pd.DataFrame, raw: Path, settings: Cifar100Settings) -> list[list[str]]:
    """Return the classes of each superclass."""
    pairs = images[["superclass", "class"]].drop_duplicates()
    twice = pairs["class"].duplicated()
    if twice.any():
        raise ValueError(f"{raw}: class {pairs['class'][twice].iloc[0]} is in two superclasses")
    found = [sorted(group) for _, group in sorted(pairs.groupby("superclass")["class"])]
    wanted = settings.groups or len(found)
    size = settings.classes_per_group
    groups = [group[: size or None] for group in found[:wanted]]
    if len(groups) < wanted or any(len(group) < size for group in groups):
        raise ValueError(
            f"{raw}: superclasses have {', '.join(map(str, map(len, found)))} classes; {wanted} "
            f"groups of {size or 'any number of'} classes are asked for"
        )
    return groups


def _read_part(raw: Path, part: str) -> pd.DataFrame:
    """Return the labels of one part, one row per image."""
    content = _read_pickle(raw, part, b"fine_labels", b"coarse_labels", b"data")
    names = _read_pickle(raw, "meta", b"fine_label_names", b"coarse_label_names")
    pixels = _pixels(content, raw, part)
    columns = {}
    for column, kind in (("class", b"fine"), ("superclass", b"coarse")):
        labels = content[kind + b"_labels"]
        words = names[kind + b"_label_names"]
        if len(labels) != len(pixels) or any(
            type(label) is not int or not 0 <= label < len(words) for label in labels
        ):
            raise ValueError(
                f"{raw / FOLDER / part}: {column} labels are not one of {len(words)} for each of "
                f"{len(pixels)} images"
            )
        columns[column] = [words[label].decode("utf-8", "replace") for label in labels]
    numbers = [f"{part}-{row:05}" for row in range(len(pixels))]
    sources = [f"{part}#{row}" for row in range(len(pixels))]
    frame = pd.DataFrame({**columns, "group": numbers, "source": sources, "part": part})
    return frame.assign(id="i-" + frame["group"])


def read_images(
    raw: Path, sources: Sequence[str], settings: Cifar100Settings, *, threads: int = 1
) -> list[Picture]:
    """Take the images named by `sources` out of the two parts."""
    read = cache(lambda part: _pixels(_read_pickle(raw, part, b"data"), raw, part))
    places = map(file_and_number, sources)
    return [fit_picture(read(part)[row], size=settings.image_size) for part, row in places]


def _pixels(content: dict[bytes, Any], raw: Path, part: str) -> Pixels:
    """Return the images of a part (images, height, width, 3)."""
    data = content[b"data"]
    if not isinstance(data, _Array) or data.values.shape[1:] != (3 * SIDE * SIDE,):
        raise ValueError(f"{raw / FOLDER / part}: data are not 3 x {SIDE} x {SIDE} bytes an image")
    return data.values.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _read_pickle(raw: Path, name: str, *wanted: bytes) -> dict[bytes, Any]:
    """Read entries of a file of CIFAR-100, without running code that it may hold."""
    path = existing(raw / FOLDER / name)
    try:
        with open(path, "rb") as file:
            content: Any = _Unpickler(file, encoding="bytes").load()
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path} is damaged or no file of CIFAR-100: {error}") from error
    for key in wanted:
        if not isinstance(content, dict) or not isinstance(content.get(key), list | _Array):
            raise ValueError(f"{path} is no file of CIFAR-100: it has no {key.decode()}")
    return dict(content)


class _DataType:
    """Stands for the only NumPy type in the files: bytes."""

    def __init__(self, code: bytes, *flags: object) -> None:
        if code != b"u1":
            raise pickle.UnpicklingError(f"array of type {code!r}")

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and the like, which bytes do not have."""


class _Array:
    """Stands for a NumPy array of bytes: NumPy's own code never sees what the file says of it."""

    values: Pixels

    def __setstate__(self, state: tuple[int, tuple[int, ...], _DataType, bool, bytes]) -> None:
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _DataType):
            raise pickle.UnpicklingError(f"array of type {kind!r}")
        self.values = np.frombuffer(data, np.uint8).reshape(shape, order="F" if fortran else "C")


def _new_array(*description: object) -> _Array:
    return _Array()


class _Unpickler(pickle.Unpickler):
    """Knows lists, dictionaries, numbers, strings and arrays of bytes."""

    _KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"): _new_array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _DataType,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self._KNOWN[module, name]


KIND = DatasetKind(
    name="cifar100",
    settings=Cifar100Settings,
    index=read_index,
    readers={"image": read_images},
    files=FILES,
    modality_of=lambda task, settings: "image",
    tasks=lambda settings: numbered(settings.groups),
)
