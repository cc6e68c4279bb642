"""Tasks from the index: classes in order, splits as indexed, fewer training samples on demand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from miniature import TASKS, WIDTH, WORDS, gloss, tile
from miniatures import index_of, indexed, settings_of

from crossback_core.data import make_task
from crossback_core.data.contents import content_hash

SETTINGS = settings_of("icons")
SPLITS = ("train", "validation", "test")


@pytest.fixture
def make(raw, index):
    """Return `make_task` of the miniature; a task is made of itself by default."""

    def make(task, members=None, **changes):
        members = (task,) if members is None else members
        changes = {"train_per_class": None, "seed": 0} | changes
        return make_task(index, raw, settings=SETTINGS, task=task, members=members, **changes)[0]

    return make


def test_the_index_has_a_split_and_repeats_itself(raw, index):
    assert set(index["split"]) == set(SPLITS)
    assert index_of(raw, SETTINGS).equals(index)


@pytest.mark.parametrize("task", ["1", "3"])
def test_a_task_has_the_samples_of_the_index(make, index, task):
    data = make(task)
    assert (data.task, data.modality) == (task, TASKS[int(task) - 1]["modality"])
    assert data.classes == tuple(TASKS[int(task) - 1]["classes"])
    for name in SPLITS:
        split = getattr(data, name)
        rows = index[(index["task"] == task) & (index["split"] == name)]
        assert split.ids == tuple(rows["id"])
        assert [data.classes[label] for label in split.labels] == list(rows["class"])


def test_pixels_are_those_of_the_tiles(make):
    for split in (make("1").train, make("1").test):
        for name, pixels in zip(split.ids, split.values, strict=True):
            _, word, number = name.split("-")
            assert np.array_equal(pixels.permute(1, 2, 0), tile(word, int(number)))


def test_contents_are_what_was_read_whatever_is_made_of_it(raw, index):
    """Pictures before they are resized, texts before they are numbered."""
    small = replace(SETTINGS, image_size=8)
    for task in ("1", "3"):
        chosen = {"settings": small, "task": task, "members": (task,), "train_per_class": 2}
        data, _ = make_task(index, raw, seed=0, **chosen)
        for split in (data.train, data.validation, data.test):
            for name, content in zip(split.ids, split.contents, strict=True):
                word, number = name[2:].rsplit("-", 1)
                pieces = " ".join(gloss(word, int(number)))
                assert content == content_hash(tile(word, int(number)) if task == "1" else pieces)


def test_texts_are_the_embeddings_of_their_wordpieces(make, raw):
    table = np.load(raw / "embeddings.npy").astype(np.float32)
    for split in (make("3").train, make("3").validation):
        values, mask = split.inputs()
        for name, value, real in zip(split.ids, values, mask, strict=True):
            rows = [WORDS.index(word) for word in gloss(name.split("-")[1], int(name[-2:]))]
            assert np.array_equal(value[real], table[rows])


def test_a_joint_task_is_the_union_of_its_members(make):
    texts = make("9", members=("3", "4"))
    assert texts.channels == WIDTH and texts.test.ids == make("3").test.ids + make("4").test.ids
    joint = make("9", members=("2", "1"))
    assert joint.task == "9"
    assert joint.classes == ("cat", "dog", "ice cream", "bus")
    for name in SPLITS:
        parts = [getattr(make(task), name) for task in ("2", "1")]
        whole = getattr(joint, name)
        assert whole.ids == parts[0].ids + parts[1].ids
        assert torch.equal(whole.values, torch.cat([part.values for part in parts]))
        assert torch.equal(whole.labels, torch.cat([parts[0].labels, parts[1].labels + 2]))


@pytest.mark.parametrize("task", ["1", "4"])
def test_fewer_training_samples_leave_the_other_splits_whole(make, task):
    few, full = make(task, train_per_class=1), make(task)
    assert few.train.labels.bincount().tolist() == [1, 1]
    assert min(full.validation.labels.bincount()) > 1, "or there was nothing to cut"
    assert set(few.train.ids) < set(full.train.ids)
    assert (few.validation.ids, few.test.ids) == (full.validation.ids, full.test.ids)
    assert make(task, train_per_class=1000).train.ids == full.train.ids


def test_a_smaller_choice_is_part_of_a_larger_one_and_the_seed_decides(make):
    ids = [set(make("1", train_per_class=count).train.ids) for count in (1, 3, 5)]
    assert ids[0] < ids[1] < ids[2]
    chosen = {make("1", train_per_class=2, seed=seed).train.ids for seed in range(8)}
    assert len(chosen) > 1


def test_the_choice_of_a_class_is_the_same_in_a_joint_task(make):
    joint = make("9", members=("1", "2"), train_per_class=2)
    ids = make("1", train_per_class=2).train.ids + make("2", train_per_class=2).train.ids
    assert joint.train.ids == ids


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"task": "7"}, "unknown task '7'; known: 1, 2, 3, 4"),
        ({"task": "9", "members": ()}, "unknown task ''; known: 1, 2"),
        ({"task": "9", "members": ("1", "3")}, r"tasks \['1', '3'\] are not all of one modality"),
        ({"task": "9", "members": ("1", "2", "1")}, r"share the classes bus, ice cream"),
        ({"task": "1", "train_per_class": 0}, "train_per_class is 0: 1 or more"),
    ],
)
def test_a_task_that_cannot_be_made_says_why(make, arguments, words):
    with pytest.raises(ValueError, match=words):
        make(**arguments)


def test_a_data_set_that_is_not_there_or_of_an_unknown_kind_is_named(raw, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        indexed(tmp_path / "nowhere", SETTINGS, "1")
    with pytest.raises(ValueError, match="unknown kind of data set 'bird'; known: cifar100, cub"):
        indexed(raw, replace(SETTINGS, kind="bird"), "1")
    with pytest.raises(ValueError, match="icons: unknown task '5'; known: 1, 2, 3, 4"):
        indexed(raw, SETTINGS, "5")
