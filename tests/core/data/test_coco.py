"""MSCOCO 2017 in its published layout: one category an image, val2017 as the test, all captions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from miniatures import captions, index_of, indexed, make_coco, settings_of, task_of

from crossback_core.data.kinds.mscoco import read_index

SETTINGS = settings_of("mscoco", groups=2, classes_per_group=4)


@pytest.fixture
def raw(tmp_path):
    """Two groups; ten images of each category in train2017, one in val2017."""
    return make_coco(tmp_path / "mscoco")


def change(path: Path, function: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite an annotation file through a function that changes its content."""
    content = json.loads(path.read_text())
    function(content)
    path.write_text(json.dumps(content))


def instances(raw: Path, part: str = "train2017", name: str = "instances") -> Path:
    return raw / "annotations" / f"{name}_{part}.json"


def test_groups_are_the_published_categories(raw):
    index = index_of(raw, SETTINGS)
    names = index.groupby("task")["class"].unique().map(list).to_dict()
    assert set(index["class"].value_counts()) == {22}  # no image without annotation
    accessory = ["handbag", "umbrella", "backpack", "tie"]
    animals = ["bird", "sheep", "cow", "horse"]
    assert names == {"1": accessory, "2": animals, "3": accessory, "4": animals}


def test_an_image_belongs_to_the_category_of_its_first_annotation(raw):
    assert read_index(raw, SETTINGS).set_index("id")["class"]["i-000000000009"] == "handbag"
    change(instances(raw), lambda content: content["annotations"].reverse())
    assert read_index(raw, SETTINGS).set_index("id")["class"]["i-000000000009"] == "umbrella"


def test_the_test_part_is_val2017_and_as_many_more_as_make_a_fifth(raw):
    index = index_of(raw, SETTINGS)
    images = index[index["modality"] == "image"]
    for _, part in images.groupby(["task", "class"]):
        test = part[part["split"] == "test"]["source"]
        # ceil(.2 x 10) = 2 in all, one of which is of val2017 already.
        assert sorted(test.str.partition("/")[0]) == ["train2017", "val2017"]
        assert Counter(part["split"]) == {"train": 7, "validation": 2, "test": 2}


def test_a_large_enough_val2017_stays_as_it_is(tmp_path):
    raw = make_coco(tmp_path, val_per_class=4)
    index = index_of(raw, SETTINGS)
    images = index[index["modality"] == "image"]
    of_val = images["source"].str.startswith("val2017")
    assert (images["split"] == "test").equals(of_val)


def test_all_captions_of_an_image_are_one_text(raw, encoder):
    from transformers import AutoTokenizer

    settings = replace(SETTINGS, encoder=encoder, text_length=200)
    index = index_of(raw, settings)
    data, skipped = task_of(index, raw, settings, "4")
    assert skipped.empty and len(data.train) == 28
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    kinds = dict(bird=6, sheep=7, cow=8, horse=9)
    names = index.set_index("id")["class"]
    for id_, tokens in zip(data.test.ids, data.test.values, strict=True):
        wanted = tokenizer(" ".join(captions(kinds[names[id_]], int(id_[2:]), 5)))["input_ids"]
        assert int((tokens > 0).sum()) == len(wanted)


def test_empty_and_missing_captions_and_images_are_skipped(raw):
    def spoil(content: dict[str, Any]) -> None:
        mine = [entry for entry in content["annotations"] if entry["image_id"] in (9, 16)]
        for entry in mine:
            entry["caption"] = " \n"
        content["annotations"] = [e for e in content["annotations"] if e["image_id"] != 16]

    change(instances(raw, name="captions"), spoil)
    (raw / "train2017" / "000000000023.jpg").unlink()
    settings = replace(SETTINGS, max_skipped=0.1)
    for task, reason, numbers in (
        ("1", "missing image file", [23]),
        ("3", "empty caption", [9, 16]),
    ):
        skipped = indexed(raw, settings, task)[1]
        assert set(skipped["reason"]) == {reason}
        assert skipped["source"].str.extract(r"(\d{12})")[0].astype(int).tolist() == numbers


def test_smaller_sizes_can_be_asked_for(raw):
    samples = read_index(raw, replace(SETTINGS, groups=1, classes_per_group=2, samples_per_class=6))
    assert samples.groupby(["task", "class"]).size().tolist() == [6, 6, 6, 6]
    # Evenly spread, so that both parts are there.
    assert samples["source"].str.startswith("val2017").sum() == 2


def test_the_published_sizes_need_all_images(raw):
    words = "COCO images: .*82.* in the data, .*118287.* as published"
    with pytest.raises(ValueError, match=words):
        read_index(raw, replace(SETTINGS, groups=15))
    with pytest.raises(ValueError, match="no image's first annotation is of category 'elephant'"):
        read_index(raw, replace(SETTINGS, groups=3))


@pytest.mark.parametrize("name", ["instances", "captions"])
def test_a_truncated_or_missing_file_is_named(raw, name):
    path = instances(raw, "val2017", name)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=rf"{name}_val2017\.json is damaged or not JSON"):
        read_index(raw, SETTINGS)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name}_val2017\.json does not exist"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
@pytest.mark.parametrize("value", [None, {}, ["a"], [{"id": 1}], [{"image_id": "1"}]])
def test_a_list_that_is_not_as_published_is_named(raw, key, value):
    change(instances(raw), lambda content: content.update({key: value}))
    with pytest.raises(ValueError, match=f"has no list of {key} as COCO has it"):
        read_index(raw, SETTINGS)
    instances(raw).write_text("[]")
    with pytest.raises(ValueError, match="has no list of images as COCO has it"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize(
    ("key", "entry", "words"),
    [
        ("annotations", {"category_id": 999}, "of the unknown category 999"),
        ("images", {"file_name": "../../x.jpg"}, r"'\.\./\.\./x\.jpg' is not the name of an image"),
    ],
)
def test_a_wrong_entry_is_named(raw, key, entry, words):
    change(instances(raw), lambda content: content[key][0].update(entry))
    with pytest.raises(ValueError, match=words):
        read_index(raw, SETTINGS)
