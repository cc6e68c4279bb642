"""The reader of the icons data set: what it reads, and what it says of damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from miniature import GLOSSES, TASKS, TILES, WIDTH, WORDS, gloss, tile
from miniatures import settings_of
from PIL import Image

from crossback_core.data.kind import task_names
from crossback_core.data.kinds.icons import IconsSettings, read_images, read_index, read_texts
from crossback_core.data.settings import DatasetSettings

SETTINGS = settings_of("icons")


def set_first(path: Path, column: str, value: str) -> None:
    """Change a cell of the first row of a CSV file."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[0, column] = value
    frame.to_csv(path, index=False)


def read(raw: Path) -> None:
    """Read the index, a picture and a text."""
    read_index(raw, SETTINGS)
    read_images(raw, ["images/cat.png#0"], SETTINGS)
    read_texts(raw, ["texts.csv#0"], SETTINGS)


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
        assert np.array_equal(picture.pixels, tile(row.id.split("-")[1], number))


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
        read(raw)


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


@pytest.mark.parametrize("kept", [0, 9000])
def test_a_damaged_sheet_is_named(raw, kept):
    sheet = raw / "images" / "cat.png"
    sheet.write_bytes(sheet.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"cat\.png is not a picture or is damaged"):
        read(raw)


@pytest.mark.parametrize("name", ["images.csv", "texts.csv"])
def test_a_table_without_columns_or_rows_is_named(raw, name):
    whole = (raw / name).read_text()
    head = whole.partition("\n")[0]
    damages = {"": "is empty", head: "has no row below its header"}
    damages[whole + "one more\n"] = f": row {whole.count(chr(10))} has too few values"
    for column in ("class", "group", "id"):
        damages[whole.replace(column, "other", 1)] = f"lacks the column {column}; its col"
    for content, words in damages.items():
        (raw / name).write_text(content)
        with pytest.raises(ValueError, match=f"{name}:? ?{words}"):
            read(raw)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("images.csv/tile", "", "images.csv: row 1: tile '' is not a whole number"),
        ("images.csv/tile", "1.5", "images.csv: row 1: tile '1.5' is not a whole number"),
        ("images.csv/tile", "-1", "images.csv: row 1: tile '-1' is not a whole number"),
        ("images.csv/tile", "1", "images.csv: the tiles of class 'ice cream' are not 0 to 11"),
        ("texts.csv/tokens", "a zebra", "texts.csv#0: wordpiece 'zebra' is not in the vocabulary"),
        ("texts.csv/tokens", "a [PAD]", r"texts.csv#0: wordpiece '\[PAD\]' is not in the vocabul"),
        ("texts.csv/tokens", " ", "texts.csv#0: the text has no wordpiece"),
    ],
)
def test_a_wrong_cell_is_named(raw, place, value, words):
    name, _, column = place.partition("/")
    set_first(raw / name, column, value)
    with pytest.raises(ValueError, match=words):
        read(raw)


def test_tasks_are_called_by_the_names_that_they_have(raw, tmp_path):
    tasks = [TASKS[0] | {"name": "road"}, *TASKS[1:]]
    (raw / "tasks.yaml").write_text(yaml.safe_dump(tasks))
    given = {"kind": "icons", "raw": str(raw)}
    named = {str(each["task"]): each["name"] for each in tasks if "name" in each}
    assert task_names(IconsSettings(**given)) == named and named["1"] == "road"
    assert task_names(DatasetSettings(kind="folder", raw=str(raw))) == {}
    assert task_names(IconsSettings(**given | {"raw": str(tmp_path / "nowhere")})) == {}


NO_TASK = r"\{.*\} is not a task: it needs"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "is not a list of tasks"),
        ("[]", "is not a list of tasks"),
        ("- bus", "'bus' is not a task"),
        ("- [", "is not YAML"),
        ({"classes": ["bus", "zeppelin"]}, "class 'zeppelin' of task 1 has no sample"),
        ({"task": 0}, NO_TASK),
        ({"task": "1"}, NO_TASK),
        ({"task": True}, NO_TASK),
        ({"modality": "sound"}, NO_TASK),
        ({"classes": []}, NO_TASK),
        ({"classes": "bus"}, NO_TASK),
        ({"classes": ["bus", False]}, NO_TASK),
        ({"name": 12}, NO_TASK),
    ],
)
def test_a_wrong_list_of_tasks_is_shown(raw, content, words):
    if isinstance(content, dict):  # changes of the first task
        content = yaml.safe_dump([TASKS[0] | content, *TASKS[1:]])
    (raw / "tasks.yaml").write_text(content)
    with pytest.raises(ValueError, match=rf"tasks\.yaml:? {words}"):
        read(raw)
