"""Builders of miniature data sets in the layouts in which the real ones are published.

Each `make_...` writes what the published archives unpack to; `pack` makes those archives of it.
`make_encoder` writes a tiny BERT in the layout of a Hugging Face model.
"""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from crossback_core.data import TaskData, make_index, make_task
from crossback_core.data.index import check_index, family_of
from crossback_core.data.kind import KINDS
from crossback_core.data.kinds.mscoco import GROUPS as COCO_GROUPS
from crossback_core.data.kinds.oxford import GROUPS as OXFORD_GROUPS
from crossback_core.data.listing import list_samples
from crossback_core.section import keys_of

# What each published archive holds, by its published name.
ARCHIVES = {
    "cub": {
        "CUB_200_2011.tgz": ["CUB_200_2011", "attributes.txt"],
        "cvpr2016_cub.tar.gz": ["cvpr2016_cub"],
    },
    "mscoco": {
        "train2017.zip": ["train2017"],
        "val2017.zip": ["val2017"],
        "annotations_trainval2017.zip": ["annotations"],
    },
    "oxford": {"102flowers.tgz": ["jpg"], "cvpr2016_flowers.tar.gz": ["cvpr2016_flowers"]},
    "cifar100": {"cifar-100-python.tar.gz": ["cifar-100-python"]},
}

COLOURS = ["red", "green", "blue", "yellow", "purple", "orange", "white", "black", "grey", "brown"]
PARTS = ["wing", "beak", "breast", "tail", "crown", "petal", "leaf", "stem"]
WORDS = ["a", "an", "the", "this", "with", "has", "and", "of", "bird", "flower", ".", *PARTS]


def settings_of(kind: str, **changes: object) -> Any:
    """Return settings under which a miniature can be read."""
    values: dict[str, object] = {
        "image_size": 32,
        "encoder": "-",
        "text_length": 16,
        "groups": 0,
        "classes_per_group": 0,
        "samples_per_class": 0,
        "max_skipped": 0.0,
        "validation_fraction": 0.2,
    }
    settings = KINDS.find(kind).settings
    own = {key: value for key, value in values.items() if key in keys_of(settings)}
    return settings(kind=kind, **{"raw": "-"} | own | changes)


def index_of(raw: Path, settings: Any, *, seed: int = 0) -> pd.DataFrame:
    """Make the index of all tasks, those that share groups at once."""
    rows = KINDS.find(settings.kind).index(raw, settings)
    rows = rows.assign(task=rows["task"].astype(str))
    parts = []
    while len(rows):
        task = str(rows["task"].iloc[0])
        family = family_of(rows, task)
        own = {"settings": settings, "task": task, "seed": seed, "kept": {}}
        parts.append(make_index(family.reset_index(drop=True), **own)[0])
        rows = rows.drop(family.index)
    index = pd.concat(parts, ignore_index=True)
    check_index(index)
    return index


def indexed(
    raw: Path, settings: Any, task: str, *, kept: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the index of a task and of those that share its groups; return what is skipped, too."""
    rows = list_samples(raw, settings=settings, task=task)
    return make_index(rows, settings=settings, task=task, seed=0, kept=kept or {})


def task_of(
    index: pd.DataFrame, raw: Path, settings: Any, *members: str, **changes: Any
) -> tuple[TaskData, pd.DataFrame]:
    """Make a task of its members, whole unless told otherwise."""
    whole = {"task": members[0], "train_per_class": None, "seed": 0}
    return make_task(index, raw, settings=settings, members=members, **whole | changes)


def picture(kind: int, number: int, *, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Draw a picture (width, height) that tells its class by its colour: noise on it."""
    random = np.random.default_rng([kind, number])
    colour = np.random.default_rng(kind).integers(40, 216, 3)
    pixels = colour + random.integers(-40, 40, (size[1], size[0], 3))
    return Image.fromarray(pixels.astype(np.uint8))


def captions(kind: int, number: int, lines: int = 10) -> list[str]:
    """Write captions that tell their class by their words."""
    random = np.random.default_rng([kind, number, 1])
    own = [COLOURS[kind % 10], PARTS[kind // 10 % 8]]
    return [
        f"this bird has a {own[0]} {own[1]} and a {random.choice(COLOURS)} {random.choice(PARTS)} ."
        for _ in range(lines)
    ]


def _save(path: Path, kind: int, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(kind, number).save(path, quality=90)


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def make_cub(folder: Path, *, groups: int = 2, names: Sequence[str] = ()) -> Path:
    """Write CUB-200-2011 with its captions: groups of five classes of ten images.

    There is one class more than the groups need, and the second has an image too few: both are left
    out. `names` are those of the first classes, without their number.
    """
    words = [*names, *(f"Bird_{number}" for number in range(len(names) + 1, 5 * groups + 3))]
    classes = [f"{number:03}.{word}" for number, word in enumerate(words, 1)]
    images: list[tuple[int, str]] = []
    for kind, name in enumerate(classes, 1):
        for number in range(1, 10 + (kind != 2)):
            stem = f"{name}/{words[kind - 1]}_{number:04}_{kind * 1000 + number}"
            images.append((kind, f"{stem}.jpg"))
            _save(folder / "CUB_200_2011" / "images" / f"{stem}.jpg", kind, number)
            _write(folder / "cvpr2016_cub" / "text_c10" / f"{stem}.txt", captions(kind, number))
    write_cub_tables(folder, classes, images)
    return folder


def write_cub_tables(
    folder: Path, classes: Sequence[str], images: Sequence[tuple[int, str]]
) -> None:
    """Write the index files of CUB-200-2011 for images of (class from 1, path)."""
    inner = folder / "CUB_200_2011"
    numbered = list(enumerate(images, 1))
    _write(inner / "classes.txt", (f"{n} {name}" for n, name in enumerate(classes, 1)))
    _write(inner / "images.txt", (f"{n} {path}" for n, (_, path) in numbered))
    _write(inner / "image_class_labels.txt", (f"{n} {kind}" for n, (kind, _) in numbered))
    _write(folder / "attributes.txt", ["1 has_bill_shape::curved_(up_or_down)"])


def make_oxford(folder: Path, *, groups: int = 2, published: bool = False) -> Path:
    """Write Oxford-102 flowers with its captions, or `published` labels without either."""
    from scipy.io import savemat

    kinds = [kind for group in OXFORD_GROUPS[:groups] for kind in group]
    # Class after class, as published, with one class that no group has.
    labels = np.repeat([1, *kinds], 10)
    if published:
        labels = np.repeat(list(FLOWERS), list(FLOWERS.values()))
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "imagelabels.mat", {"labels": labels[None].astype(np.uint8)})
    for number, kind in enumerate(labels if not published else [], 1):
        _save(folder / "jpg" / f"image_{number:05}.jpg", int(kind), number)
        text = folder / "cvpr2016_flowers" / "text_c10" / f"class_{kind:05}"
        _write(text / f"image_{number:05}.txt", captions(int(kind), number))
    return folder


# Images of the classes of the six groups, as published.
FLOWERS = {
    **{51: 258, 72: 96, 82: 112, 60: 109, 77: 251, 65: 102, 58: 114, 56: 109},
    **{46: 196, 74: 171, 37: 108, 80: 105, 73: 194, 41: 127, 83: 131, 95: 128},
    **{89: 184, 81: 166, 75: 120, 76: 107, 94: 162, 88: 154, 78: 137, 43: 130},
}


def make_coco(folder: Path, *, val_per_class: int = 1) -> Path:
    """Write MSCOCO 2017, two groups of it: images, instances and captions.

    Each image has a second annotation of another category, and there are an image without
    annotations and one of a category that no group has.
    """
    names = ["person", *(name for group in COCO_GROUPS for name in group)]
    kinds = [names.index(name) + 1 for group in COCO_GROUPS[:2] for name in group]
    first = 9  # COCO's numbers are neither dense nor sorted
    for part, count in (("train2017", 10), ("val2017", val_per_class)):
        images = [(first + 7 * i, kind) for i, kind in enumerate([*kinds * count, 1, 0])]
        first = images[-1][0] + 1
        for number, kind in images:
            _save(folder / part / f"{number:012}.jpg", kind, number)
        _write_coco_tables(folder / "annotations", part, images[::-1], names)
    return folder


def _write_coco_tables(
    folder: Path, part: str, images: Sequence[tuple[int, int]], names: Sequence[str]
) -> None:
    """Write the two annotation files of a part; kind 0 stands for an image without annotation."""
    entries = [{"license": 1, "file_name": f"{n:012}.jpg", "id": n} for n, _ in images]
    head = {"licenses": [{"id": 1, "name": "none", "url": ""}], "images": entries}
    marked = [(n, kind) for n, kind in images if kind]
    pairs = marked + [(n, 1 + kind % len(names)) for n, kind in marked]
    outline = {"segmentation": [[1.0, 1.0, 9.5, 1.0, 9.5, 7.25]], "bbox": [1.0, 1.0, 8.5, 6.25]}
    annotations = [
        outline | {"image_id": n, "category_id": kind, "id": 100 * n + kind} for n, kind in pairs
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    texts = [
        {"image_id": n, "id": 10 * n + line, "caption": text}
        for n, kind in images
        for line, text in enumerate(captions(kind, n, 5))
    ]
    for file, lists in (
        ("instances", {"annotations": annotations, "categories": categories}),
        ("captions", {"annotations": texts}),
    ):
        _write(folder / f"{file}_{part}.json", [json.dumps(head | lists)])


def make_cifar100(folder: Path, *, groups: int = 3) -> Path:
    """Write CIFAR-100; its classes, five a group, are numbered across the groups, as published."""
    count = groups * 5
    meta = {
        "fine_label_names": [f"class_{n:02}" for n in range(count)],
        "coarse_label_names": [f"group_{n:02}" for n in range(groups)],
    }
    write_python2_pickle(folder / "cifar-100-python" / "meta", meta)
    for part, images in (("train", 8), ("test", 2)):
        fine = np.random.default_rng(images).permutation(np.repeat(np.arange(count), images))
        tiles = [picture(int(k), n, size=(32, 32)) for n, k in enumerate(fine)]
        content = {
            "filenames": [f"picture_s_{n:06}.png" for n in range(len(fine))],
            "batch_label": f"{part}ing batch 1 of 1",
            "fine_labels": fine.tolist(),
            "coarse_labels": (fine % groups).tolist(),
            "data": np.stack([np.array(tile).transpose(2, 0, 1).reshape(-1) for tile in tiles]),
        }
        write_python2_pickle(folder / "cifar-100-python" / part, content)
    return folder


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]  # the one in Python
    """Writes what Python 2 wrote: text as byte strings, NumPy's functions by their old names."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_bytes(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)

    def save_text(self, value: str) -> None:
        self.save_bytes(value.encode())

    def save_name(self, value: object, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(f"c{module}\n{name or value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text
    dispatch[type] = save_name
    dispatch[type(pickle.loads)] = save_name
    save_global = save_name


def write_python2_pickle(path: Path, content: object) -> None:
    """Write a pickle as Python 2 did."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        _Python2Pickler(file, protocol=2).dump(content)


def pack(kind: str, raw: Path, folder: Path) -> dict[str, Path]:
    """Make the published archives of a miniature, by name; single files are copied."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, members in ARCHIVES[kind].items():
        write = _pack_zip if name.endswith(".zip") else _pack_tar
        write(folder / name, raw, members)
    if kind == "oxford":
        shutil.copy(raw / "imagelabels.mat", folder)
    return {path.name: path for path in sorted(folder.iterdir())}


def _pack_tar(path: Path, raw: Path, members: Sequence[str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.add(raw / member, arcname=member)


def _pack_zip(path: Path, raw: Path, members: Sequence[str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            for file in [raw / member, *sorted((raw / member).rglob("*"))]:
                archive.write(file, file.relative_to(raw))


def make_encoder(folder: Path) -> Path:
    """Write a tiny BERT with random weights that knows the words of the captions."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *COLOURS, "##s"]
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)})
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"vocab_size": len(vocabulary), "intermediate_size": 32}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(BertConfig(max_position_embeddings=64, **sizes))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
