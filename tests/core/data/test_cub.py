"""CUB-200-2011 in its published layout: groups, tasks, captions, and what is wrong with a copy."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from miniatures import captions, index_of, indexed, make_cub, settings_of, task_of, write_cub_tables

from crossback_core.data.images import decode_picture
from crossback_core.data.kinds.cub import read_index
from crossback_core.data.listing import list_samples
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
    return index_of(raw, SETTINGS)


def test_groups_are_classes_with_exactly_so_many_images_in_order_of_their_folders(index):
    first = ["001.Black_footed_Albatross", "003.Ænhänger", *(f"00{n}.Bird_{n}" for n in (4, 5, 6))]
    second = [f"{n:03}.Bird_{n}" for n in range(7, 12)]
    names = index.groupby("task")["class"].unique().map(list).to_dict()
    assert names == {"1": first, "2": second, "3": first, "4": second}
    assert index.groupby("task")["modality"].first().tolist() == ["image"] * 2 + ["text"] * 2
    pairs = index.groupby("group")
    assert pairs["split"].nunique().max() == 1 and set(pairs.size()) == {2}
    assert pairs["modality"].nunique().min() == 2


def test_a_task_of_images_has_their_pixels(raw, index):
    data, skipped = task_of(index, raw, SETTINGS, "2", threads=2)
    assert skipped.empty and data.train.values.shape == (30, 3, 32, 32)
    for split in (data.train, data.validation, data.test):
        for id_, pixels in zip(split.ids, split.values, strict=True):
            path = raw / TABLES / "images" / f"{id_.removeprefix('i-')}.jpg"
            wanted = decode_picture(path.read_bytes(), size=32).pixels
            assert np.array_equal(pixels.permute(1, 2, 0), wanted)


def test_a_task_of_captions_has_their_tokens(raw, index, encoder):
    from transformers import AutoTokenizer

    settings = replace(SETTINGS, encoder=encoder)
    data, _ = task_of(index, raw, settings, "4")
    assert (data.modality, data.channels, data.train.values.shape) == ("text", 16, (30, 16))
    assert (data.train.values > 0).all()  # ten lines are longer than any text may be
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    rows: dict[int, int] = {}
    for id_, tokens in zip(data.test.ids, data.test.values.tolist(), strict=True):
        text = " ".join(captions(int(id_[2:5]), int(id_.split("_")[-2])))
        ids = tokenizer(text, truncation=True, max_length=16)["input_ids"]
        for token, row in zip(ids, tokens, strict=True):
            assert rows.setdefault(row, token) == token


# Settings (groups, classes per group, images per class), and the classes of each task they give.
SIZES = [
    ((1, 5, 10), [5] * 2),
    ((0, 5, 10), [5] * 4),
    ((0, 3, 10), [3] * 6),
    ((0, 0, 10), [11] * 2),
    ((1, 0, 0), [12] * 2),
    ((1, 1, 9), [1] * 2),
    ((3, 5, 10), "11 of 12 classes have exactly 10 images, which makes 2 groups of 5; 3 are"),
    ((0, 5, 1), "0 of 12 .* some are asked for: change groups"),
]


@pytest.mark.parametrize(("sizes", "wanted"), SIZES)
def test_other_sizes_can_be_asked_for_while_there_are_enough_classes(raw, sizes, wanted):
    groups, classes, samples = sizes
    settings = replace(
        SETTINGS, groups=groups, classes_per_group=classes, samples_per_class=samples
    )
    if isinstance(wanted, str):
        with pytest.raises(ValueError, match=wanted):
            read_index(raw, settings)
    else:
        found = read_index(raw, settings).groupby("task")["class"].nunique()
        assert found.to_dict() == dict(enumerate(wanted, 1))


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


@pytest.mark.parametrize("name", ["images.txt", "classes.txt"])
def test_a_table_in_another_encoding_is_named(raw, name):
    (raw / TABLES / name).write_bytes("1 Ænhänger".encode("latin-1"))
    with pytest.raises(ValueError, match=f"{name} is damaged or not text in UTF-8: .*0xc6"):
        read_index(raw, SETTINGS)


def test_names_are_those_of_any_data_set(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Ænhänger")
    raw = make_cub(tmp_path / "one", names=[decomposed])
    assert "001.Ænhänger" in set(list_samples(raw, settings=SETTINGS, task="1")["class"])
    raw = make_cub(tmp_path / "other", names=["a\x1b[2Jb"])
    with pytest.raises(ValueError, match=r"other: class '001.a\\x1b\[2Jb' has the invisible char"):
        list_samples(raw, settings=SETTINGS, task="1")


ALBATROSS = "image 1 is .*, but its class in .* is '001.Black_footed"


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        *(
            ("classes", line, r"classes.txt: '.*' is not a number of its own and a val")
            for line in ("", "one two", "7", "2 again")
        ),
        *(
            ("images", f"1 {path}", ALBATROSS)
            for path in (
                "003.Ænhänger/a.jpg",
                "a.jpg",
                "../001.Black_footed_Albatross/a.jpg",
                "/etc/passwd",
                "x/",
            )
        ),
        ("image_class_labels", None, r"image 1 is in only one of images\.txt and image_class"),
    ],
)
def test_a_table_with_a_wrong_first_line_is_refused(raw, name, line, words):
    path = raw / TABLES / f"{name}.txt"
    rest = path.read_text().splitlines()[1:]
    path.write_text("\n".join(rest if line is None else [line, *rest]))
    with pytest.raises(ValueError, match=words):
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


def test_what_cannot_be_used_is_skipped_and_reported(raw):
    names = spoil(raw)
    settings = replace(SETTINGS, max_skipped=0.1)
    parts = [indexed(raw, settings, task) for task in ("1", "3")]
    skipped = pd.concat([each for _, each in parts])
    assert list(skipped.columns) == ["task", "class", "source", "reason"]
    assert [(row.task, Path(row.source).stem, row.reason) for row in skipped.itertuples()] == [
        ("1", names[1], "unreadable image: the file is empty"),
        ("1", names[2], "missing image file"),
        ("3", names[3], "empty caption"),
        ("3", names[4], "missing caption file"),
    ]
    index = parts[0][0]
    assert len(index) == 96 and index.equals(parts[1][0])
    data, skipped = task_of(index, raw, settings, "1")
    (row,) = skipped.itertuples()
    assert row.source.endswith(f"{names[0]}.jpg") and row.reason.startswith("unreadable image: ")
    assert sum(len(getattr(data, name)) for name in SPLITS) == 47
    assert f"i-004.Bird_4/{names[0]}" not in data.train.ids + data.validation.ids + data.test.ids


def test_too_much_that_cannot_be_used_is_an_error(raw):
    names = spoil(raw)
    settings = replace(SETTINGS, max_skipped=0.02)
    for task in ("1", "3"):
        words = "2 of 50 samples cannot be used, more than max_skipped = 0.02 allows: .*Bird_4.*: "
        with pytest.raises(ValueError, match=words):
            indexed(raw, settings, task)
    index, _ = indexed(raw, replace(settings, max_skipped=0.04), "1")
    with pytest.raises(ValueError, match=f"1 of 48 samples cannot be used.*{names[0]}"):
        task_of(index, raw, settings, "1")


def test_a_long_list_of_what_cannot_be_used_is_cut(raw):
    for path in sorted((raw / TABLES / "images").glob("*/*.jpg"))[::2]:
        path.unlink()
    with pytest.raises(
        ValueError,
        match=r"25 of 50 samples cannot be used.*; \.\.\.; remove them, or raise max_skipped$",
    ) as caught:
        indexed(raw, SETTINGS, "1")
    assert str(caught.value).count("missing image file") == 5
    assert indexed(raw, SETTINGS, "3")[1].empty, "captions do without their pictures"


def test_a_class_without_a_readable_test_sample_is_refused(raw, index):
    for source in index.query("task == '1' and split == 'test'")["source"]:
        if "004.Bird_4" in source:
            (raw / source).write_bytes(b"no picture")
    words = r"class 004\.Bird_4 of task 1 has no readable test sample"
    with pytest.raises(ValueError, match=words):
        task_of(index, raw, replace(SETTINGS, max_skipped=0.5), "1")
