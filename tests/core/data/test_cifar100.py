"""CIFAR-100 in its published layout, read without running what a pickle may hold."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from miniatures import index_of, make_cifar100, picture, settings_of, task_of, write_python2_pickle

from crossback_core.data.kinds.cifar100 import read_images, read_index
from crossback_core.data.settings import SPLITS

SETTINGS = settings_of("cifar100", groups=3, classes_per_group=5)


@pytest.fixture
def raw(tmp_path):
    """Three superclasses of five classes; eight training and two test images a class."""
    return make_cifar100(tmp_path / "cifar100")


def content_of(raw: Path, name: str = "train") -> dict[str, object]:
    """Return what a file holds, as Python 3 shows it."""
    with open(raw / "cifar-100-python" / name, "rb") as file:
        content = pickle.load(file, encoding="latin1")
    return dict(content)


def test_superclasses_are_tasks_in_order_and_the_published_test_images_are_the_test_part(raw):
    index = index_of(raw, SETTINGS)
    names = index.groupby("task")["class"].unique().map(list).to_dict()
    assert names == {str(n + 1): [f"class_{k:02}" for k in range(n, 15, 3)] for n in range(3)}
    assert set(index["modality"]) == {"image"}
    assert (index["split"] == "test").equals(index["source"].str.startswith("test#"))
    for _, part in index.groupby(["task", "class"]):
        assert Counter(part["split"]) == {"train": 6, "validation": 2, "test": 2}


def test_pixels_are_those_of_the_picture_and_there_are_no_texts(raw):
    index = index_of(raw, SETTINGS)
    data, skipped = task_of(index, raw, SETTINGS, "2")
    assert skipped.empty
    for name in SPLITS:
        split = getattr(data, name)
        for label, id_, pixels in zip(split.labels, split.ids, split.values, strict=True):
            kind = int(data.classes[label].removeprefix("class_"))
            wanted = np.array(picture(kind, int(id_.split("-")[2]), size=(32, 32)))
            assert np.array_equal(pixels.permute(1, 2, 0), wanted)
    pictures = read_images(raw, ["train#3", "test#0"], replace(SETTINGS, image_size=16))
    assert [item.pixels.shape for item in pictures] == [(16, 16, 3)] * 2
    message = "kind cifar100 has no samples of modality 'text', only of image"
    with pytest.raises(ValueError, match=message):
        task_of(index.assign(modality="text"), raw, SETTINGS, "1")


def test_smaller_sizes_can_be_asked_for_but_not_larger_ones(raw):
    samples = read_index(raw, replace(SETTINGS, groups=2, classes_per_group=3, samples_per_class=5))
    assert samples.groupby(["task", "class"]).size().tolist() == [5] * 6
    assert (samples["part"] == "test").sum() == 6
    for changes in ({"groups": 4}, {"classes_per_group": 6}):
        with pytest.raises(ValueError, match=r"have 5, 5, 5 classes; . groups of . classes"):
            read_index(raw, replace(SETTINGS, **changes))


def test_the_published_sizes_need_all_images(tmp_path):
    raw = make_cifar100(tmp_path, groups=20)
    words = r"class class_00: \{'train': 8, 'test': 2\} in the data, \{'train': 500, 'test': 100\}"
    with pytest.raises(ValueError, match=words):
        read_index(raw, replace(SETTINGS, groups=20))


class Hostile:
    """Runs a program when it is unpickled by a careless reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        """Return the call that unpickling makes: of a program."""
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(("name", "protocol"), [("train", 0), ("test", 2), ("meta", 4)])
def test_a_hostile_file_runs_nothing(raw, tmp_path, name, protocol):
    victim = tmp_path / "was here"
    content = pickle.dumps({"data": Hostile(victim), "fine_labels": []}, protocol=protocol)
    (raw / "cifar-100-python" / name).write_bytes(content)
    words = rf"{name} is damaged or no file of .*asks for posix\.system"
    with pytest.raises(ValueError, match=words):
        read_index(raw, SETTINGS)
    assert not victim.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x94\x8c\x0cndarray.dump\x94\x93.",
        b"(cos\nsystem\nS'true'\no.",
        b"P1\n.",
    ],
)
def test_only_what_cifar_needs_is_known(raw, code):
    (raw / "cifar-100-python" / "meta").write_bytes(code)
    with pytest.raises(ValueError, match="meta is damaged or no file of CIFAR-100"):
        read_index(raw, SETTINGS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "changes",
    [
        {"data": np.zeros((120, 3072), dtype=np.float32)},
        {"data": np.zeros((120, 3071), dtype=np.uint8)},
        {"data": np.array([None, []], dtype=object)},
        {"data": [1, 2]},
        {"fine_labels": [0]},
        {"fine_labels": [99] * 120},
        {"fine_labels": [-1] * 120},
        {"fine_labels": ["0"] * 120},
        {"coarse_labels": {}},
        {"coarse_labels": [*range(3)] * 40},
    ],
)
def test_content_that_is_not_as_published_is_refused(raw, changes):
    content = content_of(raw)
    write_python2_pickle(raw / "cifar-100-python" / "train", content | changes)
    with pytest.raises(ValueError, match=r"train|is in two superclasses"):
        read_index(raw, SETTINGS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_array_stored_by_columns_is_read(raw):
    (before,) = read_images(raw, ["train#5"], SETTINGS)
    content = content_of(raw)
    columns = np.asfortranarray(content["data"])
    write_python2_pickle(raw / "cifar-100-python" / "train", content | {"data": columns})
    (after,) = read_images(raw, ["train#5"], SETTINGS)
    assert np.array_equal(after.pixels, before.pixels) and after.content == before.content


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_a_missing_or_truncated_file_is_named(raw, name):
    path = raw / "cifar-100-python" / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"{name} is damaged or no file of CIFAR-100"):
        read_index(raw, SETTINGS)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} does not exist"):
        read_index(raw, SETTINGS)
