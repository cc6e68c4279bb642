import os
import unicodedata
from dataclasses import replace
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from miniatures import index_of, indexed, picture, settings_of, task_of

from crossback_core.data.contents import Seen, content_hash
from crossback_core.data.kinds.folder import read_index, sources, task_ids
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.settings import DatasetSettings

BIRDS = {"sparrow": 1, "Ärger & Söhne": 2}
SEAS = {"north sea": 3, "east sea": 4}


def write(path: Path, content: tuple[int, int] | str) -> None:
    """Write a picture (class, number) or a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        picture(*content).save(path)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two image tasks and a text task; pictures and texts of the birds belong together."""
    for task, classes in (("birds", BIRDS), ("seas", SEAS)):
        for (name, kind), number in product(classes.items(), range(8)):
            ending = ("jpg", "PNG", "webp", "jpeg")[number % 4]
            write(tmp_path / "images" / task / name / f"{number}.{ending}", (kind, number))
    for name, number in product(BIRDS, range(8)):
        write(tmp_path / "texts" / "birds" / name / f"{number}.txt", "a red wing")
    return tmp_path


@pytest.fixture
def settings(raw: Path) -> DatasetSettings:
    return settings_of("folder", raw=str(raw), image_size=8)


def test_tasks_are_called_by_modality_and_name_images_first(raw, settings):
    rows = read_index(raw, settings)
    classes = rows.groupby("task")["class"].unique().map(sorted).to_dict()
    wanted = {"image-birds": BIRDS, "image-seas": SEAS, "text-birds": BIRDS}
    assert classes == {name: sorted(each) for name, each in wanted.items()}
    assert list(rows["task"].unique()) == list(task_ids(settings)) == list(wanted)
    assert (rows["task"].str.partition("-")[0] == rows["modality"]).all()
    assert rows["id"].str.match(r"[it]-(birds|seas)/").all()


def test_a_picture_and_its_text_share_a_split(raw, settings):
    birds, skipped = indexed(raw, settings, "image-birds")
    assert set(birds["task"]) == {"image-birds", "text-birds"}
    assert birds.groupby("group").size().eq(2).all()
    assert birds.groupby("group")["split"].nunique().eq(1).all()
    assert skipped.empty


def test_tasks_are_read(raw, encoder):
    settings = settings_of("folder", raw=str(raw), image_size=8, encoder=encoder)
    index = index_of(raw, settings)
    seas, birds = (task_of(index, raw, settings, task)[0] for task in ("image-seas", "text-birds"))
    assert seas.classes == ("east sea", "north sea")
    assert seas.train.values.shape[1:] == (3, 8, 8)
    assert birds.train.values.shape[1] == 5


def test_what_is_no_sample_is_left_out_or_refused(raw, settings, caplog):
    count = len(read_index(raw, settings))
    birds = raw / "images" / "birds"
    (birds / ".cache").mkdir()
    for name in ("sparrow/notes.md", "sparrow/.hidden.jpg", ".cache/0.jpg"):
        (birds / name).touch()
    assert len(read_index(raw, settings)) == count
    assert "1 other files are left out, the first is images/birds/sparrow/notes.md" in caplog.text
    write(raw / "images" / "alone" / "one" / "0.jpg", (1, 1))
    with pytest.raises(ValueError, match="task image-alone has 1 class, one: not two"):
        indexed(raw, settings, "image-alone")
    (raw / "empty").mkdir()
    for use in (lambda it: read_index(Path(it.raw), it), task_ids):
        with pytest.raises(ValueError, match=r"has no samples: wanted are images/<task>/<class>"):
            use(replace(settings, raw=str(raw / "empty")))


def test_empty_files_are_skipped_with_a_reason(raw):
    (raw / "images" / "birds" / "sparrow" / "0.jpg").write_bytes(b"")
    write(raw / "texts" / "birds" / "sparrow" / "1.txt", " \n")
    settings = settings_of("folder", raw=str(raw), max_skipped=0.1)
    for task, source, reason in (
        ("image-birds", "images/birds/sparrow/0.jpg", "unreadable image: the file is empty"),
        ("text-birds", "texts/birds/sparrow/1.txt", "empty caption"),
    ):
        assert indexed(raw, settings, task)[1].to_numpy().tolist() == [
            [task, "sparrow", source, reason]
        ]


@pytest.fixture
def table() -> pd.DataFrame:
    """An image task and a text task in a table; some texts are files."""
    rows = []
    for number in range(20):
        kind, place = "ab"[number % 2], str(number // 2)
        rows.append(("pictures", kind, f"p/{number}.jpg", "", place, ""))
        text, path = ("", f"p/{number}.txt") if number < 4 else ("a red, red\nwing", "")
        rows.append(("words", kind, path, text, place, ""))
    return pd.DataFrame(rows, columns=["task", "class", "path", "text", "group", "split"])


@pytest.fixture
def tabled(tmp_path: Path) -> Path:
    """The files that the table names."""
    for number in range(20):
        write(tmp_path / "p" / f"{number}.jpg", (number % 2, number))
        write(tmp_path / "p" / f"{number}.txt", "the beak")
    return tmp_path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_is_read(tabled, table, encoder, ending):
    path = tabled / f"samples.{ending}"
    if ending == "csv":
        table.to_csv(path, index=False)
    else:
        table.replace("", None).to_parquet(path)
    settings = settings_of("folder", raw=str(tabled), encoder=encoder)
    index = index_of(tabled, settings)
    assert index.groupby("group")["split"].nunique().eq(1).all()
    assert set(index["group"]) == {str(number) for number in range(10)}
    pictures, _ = task_of(index, tabled, settings, "image-pictures")
    words, _ = task_of(index, tabled, settings, "text-words")
    lengths = {len(row[row > 0]) for row in words.train.values}
    assert pictures.modality == "image" and lengths <= {4, 6, 7}


def test_a_column_of_splits_decides_and_test_alone_leaves_the_rest_to_the_seed(tabled, table):
    wanted = ["train", "train", "validation", "test", "train"] * 8
    whole = table.sort_values(["task", "class"], kind="stable").assign(split=wanted, group="")
    own = whole["text"] + whole.index.astype(str)
    whole["text"] = own.where(whole["text"] != "", "")  # two of one text would be one group
    whole.to_csv(tabled / "samples.csv", index=False)
    index = index_of(tabled, settings_of("folder", raw=str(tabled)))
    assert list(index["split"]) == wanted
    tests = table["group"].isin(["0", "1"])
    table.assign(split=tests.map({True: "test", False: ""})).to_csv(tabled / "samples.csv")
    index = index_of(tabled, settings_of("folder", raw=str(tabled)))
    assert set(index[index["split"] == "test"]["group"]) == {"0", "1"}
    assert set(index["split"]) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"split": "dev"}, "the values of split are 'dev'; give each row one of train"),
        ({"text": "the beak"}, "row 1 has a path and a text; one of them is wanted"),
        ({"class": ""}, "row 1 has no class"),
    ],
)
def test_a_table_that_is_none_is_refused(tabled, table, change, problem):
    table.assign(**change).to_csv(tabled / "samples.csv", index=False)
    settings = settings_of("folder", raw=str(tabled))
    with pytest.raises(ValueError, match=problem):
        read_index(tabled, settings)
    table[["group", "class"]].to_csv(tabled / "samples.csv", index=False)
    with pytest.raises(ValueError, match="samples.csv lacks the column task, path or text"):
        read_index(tabled, settings)
    table.to_parquet(tabled / "samples.parquet")
    with pytest.raises(ValueError, match=r"has both samples\.csv and samples\.parquet"):
        read_index(tabled, settings)


def test_a_missing_file_and_an_empty_text_are_skipped(tabled, table):
    table.loc[39, "text"] = "  "
    table.to_csv(tabled / "samples.csv", index=False)
    (tabled / "p" / "3.jpg").unlink()
    settings = settings_of("folder", raw=str(tabled), max_skipped=0.1)
    reasons = [indexed(tabled, settings, each)[1]["reason"].tolist() for each in task_ids(settings)]
    assert reasons == [["missing image file"], ["empty text"]]


def test_rows_of_a_table_are_told_by_what_they_hold_not_by_their_place(tabled, table):
    """A text above the others leaves the other tasks as they are, and the other rows' names."""
    settings = settings_of("folder", raw=str(tabled))
    table["text"] = table["text"].where(table["text"] == "", table.index.astype(str) + " wings")
    table["group"] = ""
    found = []
    first = pd.DataFrame([("notes", "a", "", "new", "", "")], columns=table.columns)
    for number, rows in enumerate((table, pd.concat([first, table]))):
        path = tabled / "samples.csv"
        rows.to_csv(path, index=False)
        os.utime(path, (number, number))  # two tables within a tick would be taken for one
        tasks = {task: sources(tabled, task) for task in ("image-pictures", "text-words")}
        found.append((tasks, read_index(tabled, settings).query("task != 'text-notes'")))
    assert found[0][0] == found[1][0]
    assert found[0][1].equals(found[1][1].reset_index(drop=True))
    assert (
        found[0][1]
        .query("modality == 'text'")["source"]
        .str.match(r"samples\.csv#[0-9a-f]{16}$|p/\d\.txt$")
        .all()
    )


def test_what_a_table_lists_twice_is_one_group(tabled, table):
    """A copy of a test sample in the training split would be known by heart."""
    table["group"] = ""
    pd.concat([table, table]).to_csv(tabled / "samples.csv", index=False)
    rows = read_index(tabled, settings_of("folder", raw=str(tabled)))
    assert rows["id"].is_unique
    assert rows.query("modality == 'image'").groupby("group").size().eq(2).all()
    assert rows["group"].equals(rows["source"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"task": "my pets"}, r"task 'my pets' has the character ' ' \(U\+0020\): rename it"),
        (
            {"class": "a\u200b"},
            r"class 'a.*' has the invisible character .* \(U\+200B\)",
        ),
        ({"group": "\ufeffa"}, r"group .* has the invisible character .* \(U\+FEFF\): rename it"),
    ],
)
def test_names_of_a_table_are_checked(tabled, table, change, problem):
    table.assign(**change).to_csv(tabled / "samples.csv", index=False)
    with pytest.raises(ValueError, match=problem):
        read_index(tabled, settings_of("folder", raw=str(tabled)))


def test_names_of_folders_are_checked_for_the_tasks_that_are_read(raw, settings):
    write(raw / "images" / "my pets" / "one" / "0.jpg", (1, 1))
    for use in (task_ids, lambda it: read_index(raw, it)):
        with pytest.raises(ValueError, match=r"task 'my pets' has the character ' ' \(U\+0020\)"):
            use(settings)
    assert len(indexed(raw, settings, "image-seas")[0]) == 16, "nor do they stop another"


def test_one_name_in_two_unicode_forms_is_one_name(raw, settings):
    """File systems of a Mac keep names decomposed, those of others as they were given."""
    for name in ("Ärger & Söhne", "sparrow"):
        (raw / "texts" / "birds" / name).rename(
            raw / "texts" / "birds" / unicodedata.normalize("NFD", name)
        )
    (raw / "texts" / "birds").rename(raw / "texts" / "birds ")
    index, _ = indexed(raw, settings, "text-birds")
    assert index.groupby("group")["modality"].nunique().eq(2).all()
    assert set(index["class"]) == set(BIRDS)


def test_tasks_that_differ_in_case_are_refused(raw, settings):
    write(raw / "images" / "Seas" / "one" / "0.jpg", (1, 1))
    with pytest.raises(ValueError, match="'image-Seas' and 'image-seas' differ only in case"):
        task_ids(settings)


def test_files_of_any_modality_are_read(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "workflow" / "signals"))
    signals = import_module("signals")
    monkeypatch.setitem(MODALITIES._added, "signal", signals.SIGNAL)
    for name in ("high", "low"):
        for number in range(9):
            path = tmp_path / "signals" / "hum" / name / f"{number}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.full(64, number, dtype=np.float32))
    settings = settings_of("folder", raw=str(tmp_path))
    index = index_of(tmp_path, settings)
    assert set(index["modality"]) == {"signal"}
    task, _ = task_of(index, tmp_path, settings, "signal-hum")
    assert task.modality == "signal" and task.train.values.shape[1:] == (64,)
    numbers = [[int(id_[-5]) for id_ in part.ids] for part in (task.train, task.validation)]
    hashes = {n: content_hash(np.full(64, n, dtype=np.float32).tobytes()) for n in range(9)}
    assert task.seen == Seen(*(frozenset(hashes[n] for n in each) for each in numbers))
