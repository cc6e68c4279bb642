"""The reader of the icons data set: what it reads, and what it says of damaged files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from miniature import GLOSSES, TASKS, TILES, WIDTH, WORDS, gloss, tile
from miniatures import settings_of
from PIL import Image

from crossback_core.data.kinds.icons import read_images, read_index, read_texts

SETTINGS = settings_of("icons")


def change_csv(path: Path, function: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Rewrite a CSV file through a function of its frame."""
    function(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


def set_first(column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a change of one cell of the first row."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[0, column] = value
        return frame

    return change


def set_tasks(raw: Path, **changes: object) -> None:
    """Rewrite tasks.yaml with other entries in its first task."""
    (raw / "tasks.yaml").write_text(yaml.safe_dump([TASKS[0] | changes, *TASKS[1:]]))


def test_the_index_has_every_sample_of_every_task(raw):
    index = read_index(raw, SETTINGS)
    assert list(index.columns) == ["id", "task", "class", "modality", "group", "source"]
    assert len(index) == 4 * TILES + 4 * GLOSSES
    for task in TASKS:
        rows = index[index["task"] == task["task"]]
        assert list(rows["class"].unique()) == task["classes"]
        assert set(rows["modality"]) == {task["modality"]}
    (raw / "tasks.yaml").write_text(yaml.safe_dump(TASKS[1:]))
    assert set(read_index(raw, SETTINGS)["task"]) == {2, 3, 4}


def test_each_source_leads_to_its_picture(raw):
    rows = read_index(raw, SETTINGS).query("modality == 'image'").sample(frac=1, random_state=0)
    for row, picture in zip(
        rows.itertuples(), read_images(raw, list(rows["source"]), SETTINGS), strict=True
    ):
        number = int(row.id.rpartition("-")[2])
        assert np.array_equal(picture, tile(row.id.split("-")[1], number))


def test_each_source_leads_to_its_text(raw):
    rows = read_index(raw, SETTINGS).query("modality == 'text'").sample(frac=1, random_state=0)
    texts = read_texts(raw, list(rows["source"]), SETTINGS)
    assert texts.embeddings.shape == (len(WORDS), WIDTH)
    for name, ids in zip(rows["id"], texts.ids, strict=True):
        _, word, number = name.split("-")
        assert [WORDS[row] for row in ids] == gloss(word, int(number))


@pytest.mark.parametrize(
    "name",
    ["tasks.yaml", "images.csv", "texts.csv", "images/cat.png", "vocabulary.txt", "embeddings.npy"],
)
def test_a_missing_file_is_named(raw, name):
    (raw / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        read_index(raw, SETTINGS)
        read_texts(raw, ["texts.csv#0"], SETTINGS)


@pytest.mark.parametrize("height", [32, 96])
def test_a_sheet_of_another_size_is_named(raw, height):
    Image.new("RGB", (320, height)).save(raw / "images" / "ice-cream.png")
    with pytest.raises(ValueError, match=rf"ice-cream\.png has {height} x 320 .*need 64 x 320"):
        read_index(raw, SETTINGS)


def test_what_lies_beyond_the_files_is_named(raw):
    with pytest.raises(ValueError, match=r"cat\.png#20: the sheet of shape \(64, 320, 3\) has no"):
        read_images(raw, ["images/cat.png#20"], SETTINGS)
    with pytest.raises(ValueError, match=r"texts\.csv has 40 rows, row 40 was asked for"):
        read_texts(raw, ["texts.csv#40"], SETTINGS)


def test_a_damaged_sheet_is_named(raw):
    sheet = raw / "images" / "cat.png"
    sheet.write_bytes(sheet.read_bytes()[:9000])
    with pytest.raises(ValueError, match=r"cat\.png is not a picture or is damaged"):
        read_images(raw, ["images/cat.png#0"], SETTINGS)
    sheet.write_bytes(b"")
    with pytest.raises(ValueError, match=r"cat\.png is not a picture or is damaged"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize("name", ["images.csv", "texts.csv"])
def test_a_table_without_columns_or_rows_is_named(raw, name):
    whole = (raw / name).read_text()
    for column in ("class", "group", "id"):
        change_csv(raw / name, lambda frame, gone=column: frame.drop(columns=gone))
        with pytest.raises(ValueError, match=f"{name} lacks the columns {column}"):
            read_index(raw, SETTINGS)
        (raw / name).write_text(whole)
    change_csv(raw / name, lambda frame: frame.iloc[:0])
    with pytest.raises(ValueError, match=f"{name} lists no sample"):
        read_index(raw, SETTINGS)
    (raw / name).write_text("")
    with pytest.raises(ValueError, match=f"{name} is empty or damaged"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "tile '' is not a whole number"),
        ("1.5", "tile '1.5' is not a whole number"),
        ("-1", "tile '-1' is not a whole number"),
        ("1", "the tiles of class 'ice cream' are not 0 to 11"),
    ],
)
def test_a_wrong_tile_is_named(raw, value, words):
    change_csv(raw / "images.csv", set_first("tile", value))
    with pytest.raises(ValueError, match=f"images.csv: {words}"):
        read_index(raw, SETTINGS)


def test_an_unknown_class_is_named(raw):
    set_tasks(raw, classes=["bus", "zeppelin"])
    with pytest.raises(ValueError, match=r"tasks\.yaml: class 'zeppelin' of task 1 has no sample"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize(
    "changes",
    [
        {"task": 0},
        {"task": "1"},
        {"task": True},
        {"modality": "sound"},
        {"classes": []},
        {"classes": "bus"},
        {"classes": ["bus", False]},
    ],
)
def test_an_entry_that_is_no_task_is_shown(raw, changes):
    set_tasks(raw, **changes)
    with pytest.raises(ValueError, match=r"tasks\.yaml: \{.*\} is not a task: it needs"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "is not a list of tasks"),
        ("[]", "is not a list of tasks"),
        ("- bus", "'bus' is not a task"),
        ("- [", "is not YAML"),
    ],
)
def test_a_task_file_without_tasks_is_named(raw, content, words):
    (raw / "tasks.yaml").write_text(content)
    with pytest.raises(ValueError, match=rf"tasks\.yaml:? {words}"):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a zebra", "wordpiece 'zebra' is not in the vocabulary"),
        ("a [PAD]", r"wordpiece '\[PAD\]' is not in the vocabulary"),
        (" ", "the text has no wordpiece"),
    ],
)
def test_a_text_without_embeddings_is_named(raw, value, words):
    change_csv(raw / "texts.csv", set_first("tokens", value))
    with pytest.raises(ValueError, match=rf"texts\.csv#0: {words}"):
        read_texts(raw, ["texts.csv#0"], SETTINGS)
