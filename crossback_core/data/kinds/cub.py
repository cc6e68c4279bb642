"""Reader of CUB-200-2011: photographs of birds (Wah et al., 2011), captions of Reed et al. (2016).

The folder holds what the two archives unpack to: CUB_200_2011/ (images/, images.txt, classes.txt,
image_class_labels.txt) and cvpr2016_cub/text_c10/. The published train_test_split.txt is not used:
each class is split by instance, so that an image and its caption share a split. With a test
fraction of .2 the test split is as large as published; validation is taken out of the published
80 % for training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.kind import check_published
from crossback_core.data.paired import paired_kind, rows_of_both_modalities
from crossback_core.data.settings import (
    ClassesPerGroup,
    ImageSize,
    PairedSettings,
    SamplesPerClass,
    groups_up_to,
)
from crossback_core.data.sources import RemoteFile, drive_file
from crossback_core.section import STRICT, WHOLE

IMAGES = "CUB_200_2011"
CAPTIONS = "cvpr2016_cub/text_c10"

_PUBLISHED = (28, 5, 60)  # groups, classes per group, samples per class

_PAGE = "https://data.caltech.edu/records/65de6-vp158"
FILES = (
    RemoteFile(
        name="CUB_200_2011.tgz",
        url=f"{_PAGE}/files/CUB_200_2011.tgz?download=1",
        page=_PAGE,
        checksum="md5:97eceeb196236b17998738112f37df78",
    ),
    drive_file("cvpr2016_cub.tar.gz", "0B0ywwgffWnLLZW9uVHNjb2JmNlE", "0-8y2UVmBHAlG26HafWYNoFQ"),
)


@dataclass(frozen=True, config=STRICT)
class CubSettings(PairedSettings):
    """Birds: tasks 1-28 photographs, 29-56 captions of the same five classes each."""

    image_size: ImageSize = 224
    groups: Annotated[int, groups_up_to(200), WHOLE] = 28
    classes_per_group: ClassesPerGroup = 5
    samples_per_class: SamplesPerClass = 60


def read_index(raw: Path, settings: CubSettings) -> pd.DataFrame:
    """List images and captions of the classes with exactly `samples_per_class` images.

    Those classes, sorted by the names of their folders, make groups of `classes_per_group`; a last
    smaller group is dropped. Tasks 1 to `groups` are the images of the groups, the tasks after
    them their captions. A setting of 0 takes all.

    Raises:
        FileNotFoundError: If an index file is missing.
        ValueError: If the index files contradict each other, or there are too few groups.
    """
    images = _read_images_list(raw / IMAGES)
    groups = _groups(images, raw, settings)
    tasks = {name: number for number, group in enumerate(groups, 1) for name in group}
    chosen = images[images["class"].isin(tasks)]
    instances = chosen.assign(
        task=chosen["class"].map(tasks).astype(int),
        image=f"{IMAGES}/images/" + chosen["name"] + chosen["suffix"],
        text=f"{CAPTIONS}/" + chosen["name"] + ".txt",
    ).sort_values(["task", "class", "name"])
    return rows_of_both_modalities(instances, raw, groups=len(groups))


def _read_images_list(folder: Path) -> pd.DataFrame:
    """Read the index files: the class (its folder), name and suffix of each image."""
    images = _read_pairs(folder / "images.txt")
    labels = _read_pairs(folder / "image_class_labels.txt")
    classes = _read_pairs(folder / "classes.txt")
    if images.keys() != labels.keys():
        number = min(images.keys() ^ labels.keys(), key=lambda key: (len(key), key))
        raise ValueError(
            f"{folder}: image {number} is in only one of images.txt and image_class_labels.txt"
        )
    for number, path in images.items():
        name, _, file = path.partition("/")
        no_folder = name in ("", ".", "..")
        if not file or "/" in file or no_folder or name != classes.get(labels[number]):
            raise ValueError(
                f"{folder / 'images.txt'}: image {number} is {path!r}, but its class in "
                f"image_class_labels.txt and classes.txt is {classes.get(labels[number])!r}"
            )
    paths = pd.Series(list(images.values()), dtype=str)
    parts = paths.str.extract(r"^(?P<name>(?P<class>[^/]+)/.+?)(?P<suffix>\.[^.]*)?$")
    return parts.fillna({"suffix": ""})


def _read_pairs(path: Path) -> dict[str, str]:
    """Read lines of a number, a space and a value."""
    pairs: dict[str, str] = {}
    for line in _lines(path):
        key, _, value = line.strip().partition(" ")
        if not key.isdecimal() or not value or key in pairs:
            raise ValueError(f"{path}: {line!r} is not a number of its own and a value")
        pairs[key] = value
    if not pairs:
        raise ValueError(f"{path} is empty")
    return pairs


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged or not text in UTF-8: {error}") from error


def _groups(images: pd.DataFrame, raw: Path, settings: CubSettings) -> list[list[str]]:
    """Return the classes of each group."""
    wanted = settings.groups
    size = settings.classes_per_group
    samples = settings.samples_per_class
    counts = images["class"].value_counts()
    names = sorted(counts[(counts == samples) | (samples == 0)].index)
    size = size or len(names)
    groups = [names[start : start + size] for start in range(0, len(names) - size + 1, size or 1)]
    if (wanted, size, samples) == _PUBLISHED:
        check_published(f"{raw}: groups of five classes of 60 images", len(groups), wanted)
    if len(groups) < max(wanted, 1):
        number = f"exactly {samples}" if samples else "any"
        raise ValueError(
            f"{raw}: {len(names)} of {len(counts)} classes have {number} images, which makes "
            f"{len(groups)} groups of {size}; {wanted or 'some'} are asked for: change groups, "
            "classes_per_group or samples_per_class"
        )
    return groups[: wanted or None]


KIND = paired_kind("cub", settings=CubSettings, index=read_index, files=FILES)
