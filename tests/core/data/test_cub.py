"""CUB-200-2011 in its published layout: groups, tasks, captions, and what is wrong with a copy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from miniatures import captions, make_cub, settings_of, task_of, write_cub_tables

from crossback_core.data import make_index
from crossback_core.data.images import decode_picture
from crossback_core.data.kinds.cub import read_index
from crossback_core.data.settings import SPLITS

SETTINGS = settings_of("cub", groups=2, classes_per_group=5, samples_per_class=10)
TABLES = Path("CUB_200_2011")
PUBLISHED = replace(SETTINGS, groups=28, samples_per_class=60)


@pytest.fixture
def raw(tmp_path):
    """Two groups of five classes of ten images; one class more, one with an image too few."""
    return make_cub(tmp_path / "cub", names=["Black_footed_Albatross", "Small", "Ænhänger"])


@pytest.fixture
def index(raw):
    return make_index(raw, settings=SETTINGS, seed=0)[0]


def replace_line(path: Path, number: int, line: str | None) -> None:
    """Replace a line of a file, or remove it."""
    lines = path.read_text().splitlines()
    lines[number : number + 1] = [] if line is None else [line]
    path.write_text("".join(line + "\n" for line in lines))


def test_groups_are_classes_with_exactly_so_many_images_in_order_of_their_folders(index):
    first = ["001.Black_footed_Albatross", "003.Ænhänger", *(f"00{n}.Bird_{n}" for n in (4, 5, 6))]
    second = [f"{n:03}.Bird_{n}" for n in range(7, 12)]
    names = index.groupby("task")["class"].unique().map(list).to_dict()
    assert names == {1: first, 2: second, 3: first, 4: second}
    assert index.groupby("task")["modality"].first().tolist() == ["image"] * 2 + ["text"] * 2


def test_an_image_and_its_caption_share_a_split(index):
    assert index.groupby("group")["split"].nunique().max() == 1
    assert set(index["group"].value_counts()) == {2}
    assert index.groupby("group")["modality"].nunique().min() == 2


def test_sixty_images_a_class_are_split_as_published(tmp_path):
    raw = make_cub(tmp_path, groups=1, classes_per_group=2, images_per_class=60)
    settings = replace(SETTINGS, groups=1, classes_per_group=2, samples_per_class=60)
    index = make_index(raw, settings=settings, seed=3)[0]
    for _, part in index.groupby(["task", "class"]):
        assert Counter(part["split"]) == {"train": 36, "validation": 12, "test": 12}


def test_a_task_of_images_has_their_pixels(raw, index):
    data, skipped = task_of(index, raw, SETTINGS, 2, threads=2)
    assert skipped.empty and data.train.values.shape == (30, 3, 32, 32)
    for split in (data.train, data.validation, data.test):
        for id_, pixels in zip(split.ids, split.values, strict=True):
            path = raw / TABLES / "images" / f"{id_.removeprefix('i-')}.jpg"
            wanted = decode_picture(path.read_bytes(), size=32)
            assert np.array_equal(pixels.permute(1, 2, 0), wanted)


@pytest.mark.parametrize("representation", ["tokens", "contextual"])
def test_a_task_of_captions_has_their_tokens(raw, index, encoder, representation):
    from transformers import AutoTokenizer

    settings = replace(SETTINGS, encoder=encoder, representation=representation, text_length=16)
    data, _ = task_of(index, raw, settings, 4)
    assert (data.modality, data.channels, data.train.values.shape) == ("text", 16, (30, 16))
    assert (data.train.values > 0).all()  # ten lines are longer than any text may be
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    rows: dict[int, int] = {}
    for id_, tokens in zip(data.test.ids, data.test.values.tolist(), strict=True):
        text = " ".join(captions(int(id_[2:5]), int(id_.split("_")[-2])))
        ids = tokenizer(text, truncation=True, max_length=16)["input_ids"]
        for token, row in zip(ids, tokens, strict=True):
            assert rows.setdefault(row, token) == token
    if representation == "contextual":
        assert len(data.train.table) == 1 + 50 * 16


def test_fewer_groups_of_other_sizes_can_be_asked_for(raw):
    def tasks(**changes: int) -> dict[int, int]:
        samples = read_index(raw, replace(SETTINGS, **changes))
        return samples.groupby("task")["class"].nunique().to_dict()

    assert tasks(groups=1) == {1: 5, 2: 5}
    assert tasks(groups=0) == {1: 5, 2: 5, 3: 5, 4: 5}
    assert tasks(groups=0, classes_per_group=3) == {task: 3 for task in range(1, 7)}
    assert tasks(groups=0, classes_per_group=0) == {1: 11, 2: 11}
    assert tasks(groups=1, classes_per_group=0, samples_per_class=0) == {1: 12, 2: 12}
    assert tasks(groups=1, classes_per_group=1, samples_per_class=9) == {1: 1, 2: 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"groups": 3}, "11 of 12 classes have exactly 10 images, which makes 2 groups of 5; 3 "),
        ({"groups": 0, "samples_per_class": 1}, "0 of 12 .* some are asked for: change groups"),
    ],
)
def test_too_few_groups_are_refused(raw, changes, words):
    with pytest.raises(ValueError, match=words):
        read_index(raw, replace(SETTINGS, **changes))


def test_with_the_published_sizes_there_are_exactly_28_groups(tmp_path):
    classes = [f"{number:03}.Bird" for number in range(1, 146)]
    for groups in (27, 28, 29):
        names = classes[: 5 * groups]
        images = [
            (kind, f"{name}/{n}.jpg") for kind, name in enumerate(names, 1) for n in range(60)
        ]
        write_cub_tables(tmp_path, names, images)
        if groups == 28:
            assert read_index(tmp_path, PUBLISHED)["task"].unique().tolist() == [*range(1, 57)]
            continue
        with pytest.raises(ValueError, match=f"images: {groups} in the data, 28 as published. Is "):
            read_index(tmp_path, PUBLISHED)


@pytest.mark.parametrize("name", ["images.txt", "image_class_labels.txt", "classes.txt"])
def test_a_missing_or_empty_table_is_named(raw, name):
    (raw / TABLES / name).write_text("")
    with pytest.raises(ValueError, match=f"{name} is empty"):
        read_index(raw, SETTINGS)
    (raw / TABLES / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize("line", ["", "one two", "7", "2 again"])
def test_a_damaged_line_is_shown(raw, line):
    replace_line(raw / TABLES / "classes.txt", 0, line)
    with pytest.raises(ValueError, match=r"classes.txt: '.*' is not a number of its own and a val"):
        read_index(raw, SETTINGS)


def test_tables_of_different_images_are_refused(raw):
    replace_line(raw / TABLES / "image_class_labels.txt", 4, None)
    with pytest.raises(ValueError, match=r"image 5 is in only one of images\.txt and image_class"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize(
    "path",
    ["003.Ænhänger/a.jpg", "a.jpg", "../001.Black_footed_Albatross/a.jpg", "/etc/passwd", "x/"],
)
def test_an_image_in_the_folder_of_another_class_is_shown(raw, path):
    replace_line(raw / TABLES / "images.txt", 0, f"1 {path}")
    with pytest.raises(ValueError, match="image 1 is .*, but its class in .* is '001.Black_footed"):
        read_index(raw, SETTINGS)


def spoil(raw: Path) -> list[str]:
    """Make one image corrupt, one empty, one missing, one caption empty and one missing."""
    images = raw / TABLES / "images" / "004.Bird_4"
    texts = raw / "cvpr2016_cub" / "text_c10" / "004.Bird_4"
    names = sorted(path.stem for path in images.iterdir())
    corrupt = images / f"{names[0]}.jpg"
    corrupt.write_bytes(corrupt.read_bytes()[:-300])
    (images / f"{names[1]}.jpg").write_bytes(b"")
    (images / f"{names[2]}.jpg").unlink()
    (texts / f"{names[3]}.txt").write_text(" \n\n")
    (texts / f"{names[4]}.txt").unlink()
    return names


def test_what_cannot_be_used_is_skipped_and_reported(raw, caplog):
    names = spoil(raw)
    settings = replace(SETTINGS, max_skipped=0.1)
    index, skipped = make_index(raw, settings=settings, seed=0)
    assert list(skipped.columns) == ["task", "class", "source", "reason"]
    assert [(row.task, Path(row.source).stem, row.reason) for row in skipped.itertuples()] == [
        (1, names[1], "unreadable image: the file is empty"),
        (1, names[2], "missing image file"),
        (3, names[3], "empty caption"),
        (3, names[4], "missing caption file"),
    ]
    assert "skipped 1 of 200 samples: empty caption" in caplog.text
    assert len(index) == 196
    data, skipped = task_of(index, raw, settings, 1)
    (row,) = skipped.itertuples()
    assert row.source.endswith(f"{names[0]}.jpg") and row.reason.startswith("unreadable image: ")
    assert "skipped 1 of 48 samples: unreadable image" in caplog.text
    assert sum(len(getattr(data, name)) for name in SPLITS) == 47
    assert f"i-004.Bird_4/{names[0]}" not in data.train.ids + data.validation.ids + data.test.ids


def test_too_much_that_cannot_be_used_is_an_error(raw):
    names = spoil(raw)
    words = "4 of 200 samples cannot be used, more than max_skipped = 0.01 allows: .*Bird_4.*: "
    with pytest.raises(ValueError, match=words):
        make_index(raw, settings=replace(SETTINGS, max_skipped=0.01), seed=0)
    settings = replace(SETTINGS, max_skipped=0.02)
    index = make_index(raw, settings=settings, seed=0)[0]
    with pytest.raises(ValueError, match=f"1 of 48 samples cannot be used.*{names[0]}"):
        task_of(index, raw, settings, 1)


def test_a_long_list_of_what_cannot_be_used_is_cut(raw):
    for path in (raw / TABLES / "images").glob("*/*.jpg"):
        path.unlink()
    with pytest.raises(ValueError, match=r"100 of 200 samples cannot be used.*; \.\.\.$") as caught:
        make_index(raw, settings=replace(SETTINGS, max_skipped=0.2), seed=0)
    assert str(caught.value).count("missing image file") == 5


def test_a_class_without_a_readable_test_sample_is_refused(raw, index):
    for source in index.query("task == 1 and split == 'test'")["source"]:
        if "004.Bird_4" in source:
            (raw / source).write_bytes(b"no picture")
    words = r"class 004\.Bird_4 of task 1 has no readable test sample"
    with pytest.raises(ValueError, match=words):
        task_of(index, raw, replace(SETTINGS, max_skipped=0.5), 1)
