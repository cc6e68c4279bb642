"""Reader of MSCOCO 2017 (Lin et al., 2014): one category an image, all captions of it.

The folder holds train2017/, val2017/ and annotations/ with instances_*.json and captions_*.json.
An image belongs to the category of its first annotation; fifteen groups of four categories are
fixed. As published, val2017 is the test part. Where it has less than a fifth of a category's
images in train2017, images drawn with seed 42 move over until it has that fifth, rounded up. As
published, all the rest trains; here validation is taken out of it. An image and its captions share
a split.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic.dataclasses import dataclass

from crossback_core.data.encoder import encode
from crossback_core.data.kind import check_published, file_and_number, spread
from crossback_core.data.paired import (
    chosen_groups,
    draw_test,
    paired_kind,
    rows_of_both_modalities,
)
from crossback_core.data.settings import (
    ClassesPerGroup,
    PairedSettings,
    SamplesPerClass,
    groups_up_to,
)
from crossback_core.data.sources import RemoteFile
from crossback_core.data.text import Texts, join_captions
from crossback_core.section import STRICT, WHOLE
from crossback_core.storage.files import existing

PARTS = ("train2017", "val2017")

GROUPS = (
    ("handbag", "umbrella", "backpack", "tie"),
    ("bird", "sheep", "cow", "horse"),
    ("elephant", "dog", "zebra", "giraffe"),
    ("sink", "oven", "refrigerator", "microwave"),
    ("cell phone", "tv", "remote", "laptop"),
    ("banana", "carrot", "broccoli", "donut"),
    ("orange", "cake", "apple", "pizza"),
    ("chair", "dining table", "potted plant", "couch"),
    ("book", "vase", "clock", "teddy bear"),
    ("bottle", "cup", "bowl", "wine glass"),
    ("traffic light", "bench", "stop sign", "fire hydrant"),
    ("kite", "skis", "sports ball", "surfboard"),
    ("skateboard", "tennis racket", "baseball glove", "baseball bat"),
    ("car", "motorcycle", "boat", "truck"),
    ("bicycle", "bus", "airplane", "train"),
)
_PUBLISHED = {"train2017": 118_287, "val2017": 5_000}  # images in the annotations

_HOST = "http://images.cocodataset.org"
_PAGE = "https://cocodataset.org/#download"
FILES = (
    RemoteFile(
        name="train2017.zip",
        url=f"{_HOST}/zips/train2017.zip",
        page=_PAGE,
        checksum="md5:cced6f7f71b7629ddf16f17bbcfab6b2",
    ),
    RemoteFile(
        name="val2017.zip",
        url=f"{_HOST}/zips/val2017.zip",
        page=_PAGE,
        checksum="md5:442b8da7639aecaf257c1dceb8ba8c80",
    ),
    RemoteFile(
        name="annotations_trainval2017.zip",
        url=f"{_HOST}/annotations/annotations_trainval2017.zip",
        page=_PAGE,
        checksum="md5:f4bbac642086de4f52a3fdda2de5fa2c",
    ),
)


@dataclass(frozen=True, config=STRICT)
class MscocoSettings(PairedSettings):
    """MSCOCO 2017: tasks 1-15 photographs, 16-30 captions of the same four categories each."""

    groups: Annotated[int, groups_up_to(len(GROUPS)), WHOLE] = 15
    classes_per_group: ClassesPerGroup = 4
    samples_per_class: SamplesPerClass = 0


def read_index(raw: Path, settings: MscocoSettings) -> pd.DataFrame:
    """List images and captions of the groups: tasks 1 to 15 images, 16 to 30 captions.

    Fewer `groups` are the first ones, fewer `classes_per_group` the first of each; of more than
    `samples_per_class` images as many are taken, evenly spread over train2017 and val2017. The
    test fraction is that of a category's images in train2017, as published.

    Raises:
        FileNotFoundError: If an annotation file is missing.
        ValueError: If it is damaged, or a category has no image.
    """
    groups = chosen_groups(GROUPS, settings)
    tasks = {name: task for task, group in enumerate(groups, 1) for name in group}
    images = pd.concat([_read_images_list(raw, part) for part in PARTS], ignore_index=True)
    if (settings.groups, settings.classes_per_group) == (15, 4):
        check_published("COCO images", images["part"].value_counts().to_dict(), _PUBLISHED)
    classes = []
    for name, task in tasks.items():
        rows = images[images["class"] == name]
        if rows.empty:
            raise ValueError(f"{raw}: no image's first annotation is of category {name!r}")
        rows = rows.loc[spread(rows.index.to_numpy(), settings.samples_per_class)]
        classes.append(_with_test_part(rows, name, settings.test_fraction).assign(task=task))
    instances = pd.concat(classes, ignore_index=True)
    texts = _captions(raw, instances["text"].tolist())
    problems = ["" if text else "empty caption" for text in texts]
    return rows_of_both_modalities(instances, raw, groups=len(groups), text_problems=problems)


def _read_images_list(raw: Path, part: str) -> pd.DataFrame:
    """Read one instances file: name, class (None without annotation) and sources of each image."""
    path = raw / "annotations" / f"instances_{part}.json"
    content = _read_json(path, ("images", "annotations", "categories"))
    categories = dict(content["categories"])
    first: dict[int, int] = {}
    for image, category in content["annotations"]:
        first.setdefault(image, category)
    rows = []
    for number, file in content["images"]:
        if Path(file).name != file:
            raise ValueError(f"{path}: {file!r} is not the name of an image file")
        if number in first and first[number] not in categories:
            raise ValueError(f"{path}: image {number} is of the unknown category {first[number]}")
        rows.append((f"{number:012}", categories.get(first.get(number)), f"{part}/{file}"))
    frame = pd.DataFrame(rows, columns=["name", "class", "image"]).sort_values("name")
    captions = f"annotations/captions_{part}.json#"
    return frame.assign(text=captions + frame["name"], part=part)


def _with_test_part(rows: pd.DataFrame, name: str, fraction: float) -> pd.DataFrame:
    """Make val2017 the test part of a category, and move images over until it is large enough."""
    test = rows["part"] == PARTS[1]
    train = rows["name"][~test].to_numpy()
    stream = zlib.crc32(name.encode())
    test |= rows["name"].isin(draw_test(train, fraction, stream=stream, less=int(test.sum())))
    return rows.assign(part=test.map({True: "test", False: ""}))


def read_texts(
    raw: Path, sources: Sequence[str], settings: MscocoSettings, *, threads: int
) -> Texts:
    """Read all captions of each image named by `sources`, as one text each."""
    return encode(_captions(raw, sources), settings)


def _captions(raw: Path, sources: Sequence[str]) -> list[str]:
    """Return the captions of images, in the order of the file; "" where an image has none."""
    read = cache(lambda file: _captions_by_image(raw / file))
    texts = []
    for file, number in map(file_and_number, sources):
        lines = [line for caption in read(file)[number] for line in caption.splitlines()]
        texts.append(join_captions(lines))
    return texts


def _captions_by_image(path: Path) -> defaultdict[int, list[str]]:
    captions: defaultdict[int, list[str]] = defaultdict(list)
    for image, caption in _read_json(path, ("annotations",))["annotations"]:
        captions[image].append(caption)
    return captions


def _read_json(path: Path, wanted: Sequence[str]) -> dict[str, list[Any]]:
    """Read lists of an annotation file, reduced entry by entry to what is needed.

    The instances of train2017 are 450 MB of text, most of it outlines; as Python objects all of
    it would take several times that.
    """
    existing(path)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file, object_hook=_reduce)
    except ValueError as error:
        raise ValueError(f"{path} is damaged or not JSON: {error}") from error
    for key in wanted:
        items = content.get(key) if isinstance(content, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, tuple) for item in items):
            raise ValueError(f"{path} has no list of {key} as COCO has it")
    return {key: content[key] for key in wanted}


def _reduce(entry: dict[str, Any]) -> Any:
    """Reduce an annotation, a caption, an image or a category to a pair; leave the rest out."""
    if "annotations" in entry:
        return entry
    pairs = (("image_id", "category_id", int), ("image_id", "caption", str))
    for key, value, kind in (*pairs, ("id", "file_name", str), ("id", "name", str)):
        if isinstance(entry.get(key), int) and isinstance(entry.get(value), kind):
            return entry[key], entry[value]
    return None


KIND = paired_kind(
    "mscoco", settings=MscocoSettings, index=read_index, files=FILES, read_texts=read_texts
)
