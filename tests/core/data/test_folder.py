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
from PIL import Image

from crossback_core.data import load_index, save_index
from crossback_core.data.contents import Seen, content_hash
from crossback_core.data.images import FORMATS
from crossback_core.data.kinds.folder import list_unread, read_index, sources, task_ids
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.settings import DatasetSettings

BIRDS = {"sparrow": 1, "Ärger & Söhne": 2}
SEAS = {"north sea": 3, "east sea": 4}
WINGS = {"a": "a red, red\nwing", "b": "red, red\na wing"}


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


def test_what_is_no_sample_is_listed_and_what_systems_leave_is_not(raw, settings):
    index, _ = indexed(raw, settings, "image-birds")
    birds = raw / "images" / "birds"
    (birds / ".cache").mkdir()
    names = ["sparrow/notes.md", "todo.txt", "sparrow/scans/\x1bnotes"]
    for name in (*names, "sparrow/Thumbs.db", "sparrow/.hidden.jpg", ".cache/0.jpg", "desktop.ini"):
        (birds / name).parent.mkdir(exist_ok=True)
        (birds / name).touch()
    again, skipped = indexed(raw, settings, "image-birds")
    assert again.reset_index(drop=True).equals(index.reset_index(drop=True)), (
        "nothing of it counts, even where nothing may be skipped"
    )
    assert sorted(skipped["source"]) == [
        "images/birds/sparrow/notes.md",
        "images/birds/sparrow/scans/\\x1bnotes",
        "images/birds/todo.txt",
    ]
    assert skipped["reason"].str.match(r"no sample: (\.md|\.txt|no suffix) is none of \.").all()


def test_there_is_nothing(raw, settings):
    (raw / "empty").mkdir()
    (raw / "empty" / "pictures").mkdir()
    for use in (lambda it: read_index(Path(it.raw), it), task_ids):
        with pytest.raises(ValueError, match="no samples: wanted are images/<task>.*are pictures$"):
            use(replace(settings, raw=str(raw / "empty")))


@pytest.mark.parametrize("suffix", [".tif", ".JFIF", ".bmp", ".gif", ".ppm", ".apng"])
def test_pictures_of_any_suffix_that_is_decoded_are_read(raw, settings, suffix):
    for number in range(4):
        path = raw / "images" / "seas" / "north sea" / f"other{number}{suffix}"
        picture(1, 20 + number).save(path, format="JPEG" if "J" in suffix else None)
    index = index_of(raw, settings)
    task, skipped = task_of(index, raw, settings, "image-seas")
    assert len(skipped) == 0 and sum(map(len, (task.train, task.validation, task.test))) == 20


def test_the_suffixes_of_pictures_are_those_of_the_decoders():
    known = {end for end, name in Image.registered_extensions().items() if name in FORMATS}
    assert set(MODALITIES.find("image").suffixes) == known


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("north sea/2019/a.png", r"in a folder below that of its class: images/<task>/<class>/<n"),
        ("a.jpg", "in the folder of no class: images/<task>/<class>/<name> is wanted"),
        ("north sea/a.HEIC", "unknown suffix: .heic is none of .jpg, .jpeg"),
    ],
)
def test_what_might_be_a_sample_and_is_not_read_counts_as_skipped(raw, settings, name, reason):
    path = raw / "images" / "seas" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((raw / "images/seas/north sea/0.jpg").read_bytes())
    with pytest.raises(ValueError, match=rf"1 of 17 samples .*: images/seas/{name}: {reason}"):
        indexed(raw, settings, "image-seas")
    index, skipped = indexed(raw, replace(settings, max_skipped=0.1), "image-seas")
    assert len(index) == 16 and skipped["source"].tolist() == [f"images/seas/{name}"]


@pytest.mark.parametrize("name", ["", "notes.md", "2019/0.png", "0.heic", "0.jpg"])
def test_a_class_that_gives_no_sample_is_named_whatever_may_be_skipped(raw, settings, name):
    path = raw / "images" / "seas" / "dead sea" / name
    path.mkdir(parents=True) if not name else write(path, "")
    problem = f"class dead sea of task image-seas gives no sample: 1 left .*dead sea/?{name} "
    with pytest.raises(ValueError, match=problem):
        indexed(raw, replace(settings, max_skipped=1.0), "image-seas")
    assert len(indexed(raw, settings, "image-birds")[0]) == 32, "it stops its own task alone"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "task image-ponds"),
        ("0.png", "task image-ponds"),
        ("calm/notes.md", "class calm of task image-ponds"),
        ("calm/old/0.png", "class calm of task image-ponds"),
    ],
)
def test_a_task_that_gives_no_sample_is_named(raw, settings, name, what):
    path = raw / "images" / "ponds" / name
    path.mkdir(parents=True) if not name else write(path, "")
    assert "image-ponds" in task_ids(settings), "it is there, and said to be empty when it is read"
    problem = rf"^{what} gives no sample: 1 left out, the first is images/ponds/?{name} \("
    with pytest.raises(ValueError, match=problem):
        indexed(raw, replace(settings, max_skipped=1.0), "image-ponds")


def test_all_that_is_not_read_is_known(raw, settings):
    names = ("pictures/seas/a/0.png", "images/0.png", "LICENSE", "enc/a.bin", ".git/config")
    for name in (*names, "images/seas/north sea/a.md"):
        write(raw / name, "x")
    (raw / "linked").symlink_to("texts")
    (raw / "loop").symlink_to("loop")
    (raw / "new" / "empty").mkdir(parents=True)
    found = list_unread(raw, replace(settings, encoder=str(raw / "enc")))
    assert ("image-seas", "north sea", "images/seas/north sea/a.md") in [each[:3] for each in found]
    reason = "no sample: {} is none of the folders images, texts"
    assert {source: reason for task, _, source, reason in found if not task} == {
        "pictures/seas/a/0.png": reason.format("pictures"),
        "LICENSE": reason.format("LICENSE"),
        "linked": reason.format("linked"),
        "loop": reason.format("loop"),
        "new/empty": reason.format("new"),
        "images/0.png": "no sample: images/<task>/<class>/<name> is wanted",
    }
    write(raw / "samples.csv", "task,class,path\na,b,./images/0.png\n")
    write(raw / "images/1.png", "x")
    assert list_unread(raw, settings) == [
        ("", "", "images/1.png", "no sample: samples.csv does not name it")
    ], "nothing of other folders, which may be very many, nor below this one"


def test_what_a_link_leads_to_is_known_as_that(raw, settings, tmp_path_factory, monkeypatch):
    """The data set may be one, and its folders, its files and its encoder."""
    place = tmp_path_factory.mktemp("links")
    (place / "raw").symlink_to(raw)
    write(place / "encoders" / "bert" / "model.bin", "x")
    (raw / "enc").symlink_to(place / "encoders" / "bert")
    write(raw / "own" / "model.bin", "x")
    monkeypatch.chdir(place)
    for encoder in ("enc", "own"):
        found = list_unread(Path("raw"), replace(settings, encoder=str(raw / encoder)))
        other = {"enc": "own/model.bin", "own": "enc"}[encoder]
        assert [source for _, _, source, _ in found] == [other]
    write(raw / "pictures" / "0.png", "x")
    write(raw / "pictures" / "1.png", "x")
    (raw / "photos").symlink_to("pictures")
    for link, target in (("2.png", "0.png"), ("3.png", "1.png"), ("4.png", "../LICENSE")):
        (raw / "pictures" / link).symlink_to(target)
    write(raw / "samples.csv", "task,class,path\na,b,photos/0.png\na,b,pictures/3.png\na,b,c.png\n")
    found = list_unread(Path("raw"), settings)
    assert [source for _, _, source, _ in found] == ["photos/4.png"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_one_file_under_two_names_is_one_group_and_so_are_their_texts(raw, settings, link):
    sparrow = raw / "images" / "birds" / "sparrow"
    link(sparrow / "3.jpeg", sparrow / "same.jpg")
    link(sparrow / "same.jpg", sparrow / "5.JPG")
    rows = read_index(raw, settings)
    groups = rows[rows["group"] == "birds/sparrow/3"]
    assert sorted(groups["source"].str.rpartition("/")[2]) == [
        *("3.jpeg", "3.txt", "5.JPG", "5.PNG", "5.txt", "same.jpg")
    ]
    wren = raw / "images" / "birds" / "Ärger & Söhne" / "same.jpg"
    link(sparrow / "same.jpg", wren)
    with pytest.raises(
        ValueError, match="3.jpeg and .*/Ärger & Söhne/same.jpg are one file in two"
    ):
        read_index(raw, settings)


def test_a_link_to_the_folder_of_a_class_is_no_class(raw, settings):
    (raw / "images" / "seas" / "west sea").symlink_to("east sea")
    with pytest.raises(ValueError, match="east sea/0.jpg and .*west sea/0.jpg are one file in"):
        indexed(raw, settings, "image-seas")


@pytest.mark.parametrize(
    "label",
    ["{a}", "<b>", "c, d", "50% off", "-rf", 'it\'s "e"', "$(f)", "{{g}}", "h;i|j*?\\"],
)
def test_a_class_and_its_files_may_have_any_visible_name(raw, settings, label):
    for number in range(8):
        write(raw / "images" / "seas" / label / f"{label} {number}.png", (1, number))
    index = index_of(raw, settings)
    save_index(index[index["task"] == "image-seas"], raw / "index.csv")
    task, _ = task_of(load_index(raw / "index.csv"), raw, settings, "image-seas")
    assert label in task.classes and len(task.test) == 3


@pytest.mark.parametrize("spoilt", ["seas", "north sea", "7.jpeg"])
@pytest.mark.parametrize("character", ["\r", "\udcff", "\x1b"])
def test_a_name_that_no_table_can_have_is_refused_by_its_place(raw, settings, spoilt, character):
    path = next(raw.glob(f"images/**/{spoilt}"))
    path.rename(path.with_name(path.stem + character + path.suffix))
    problem = rf"/images/.*{path.stem}\\.*: '.*' has (bytes that|the invisible character '\\)"
    with pytest.raises(ValueError, match=problem) as caught:
        read_index(raw, settings)
    assert str(caught.value).isprintable()


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
        text, path = ("", f"p/{number}.txt") if number < 4 else (WINGS[kind], "")
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
        (
            {"split": "dev"},
            "row 1 has the split 'dev', and the values of split are 'dev'; give",
        ),
        ({"path": "", "text": ""}, "row 1 has neither a path nor a text"),
        ({"path": "x" * 256, "text": ""}, r"row 1: the path 'x+\.\.\. has a part of more than 255"),
        ({"path": "/a.png", "text": ""}, "row 1: the path '/a.png' is absolute; give paths rel"),
        ({"path": "a\x1b", "text": ""}, r"row 1: 'a\\x1b' has the invisible character"),
        ({"text": "the beak"}, "row 1 has a path and a text; one of them is wanted"),
        ({"class": ""}, "row 1 has no class"),
    ],
)
def test_a_table_that_is_none_is_refused(tabled, table, change, problem):
    table.assign(**change).to_csv(tabled / "samples.csv", index=False)
    settings = settings_of("folder", raw=str(tabled))
    with pytest.raises(ValueError, match=r"samples\.csv: " + problem):
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
    assert reasons == [
        ["missing image file: row 7 of samples.csv"],
        ["empty text: row 40 of samples.csv"],
    ]


def test_a_path_that_leads_to_a_folder_is_no_file(tabled, table):
    table.assign(path=table["path"].replace("p/0.jpg", "p")).to_csv(tabled / "samples.csv")
    rows = read_index(tabled, settings_of("folder", raw=str(tabled)))
    assert rows.set_index("source")["problem"]["p"] == "no file: row 1 of samples.csv"


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


def test_what_a_table_lists_twice_is_one_group(tabled, table, caplog):
    """A copy of a test sample in the training split would be known by heart."""
    table["group"] = ""
    pd.concat([table, table]).to_csv(tabled / "samples.csv", index=False)
    settings = settings_of("folder", raw=str(tabled))
    rows = read_index(tabled, settings)
    assert rows["id"].is_unique
    assert rows.query("modality == 'image'").groupby("group").size().eq(2).all()
    assert rows["group"].equals(rows["source"])
    task_of(index_of(tabled, settings), tabled, settings, "image-pictures")
    assert "under several names" not in caplog.text, "it has one name"


@pytest.mark.parametrize("again", ["p/0.jpg", " ./p//0.jpg", "p/x/../0.jpg", "link.jpg", "q/0.jpg"])
def test_one_file_of_a_table_is_one_group_whatever_its_path(tabled, table, again):
    (tabled / "link.jpg").symlink_to("p/0.jpg")
    (tabled / "q").symlink_to("p")
    table["group"] = ""
    row = table.iloc[[0]].assign(path=again)
    other = row.assign(task="others", **{"class": "x"})
    pd.concat([table, row, other]).to_csv(tabled / "samples.csv", index=False)
    rows = read_index(tabled, settings_of("folder", raw=str(tabled)))
    assert rows["id"].is_unique
    sizes = rows.query("modality == 'image'").groupby("group").size()
    assert sorted(sizes) == [1] * 19 + [3]
    assert set(table["path"]) - {""} >= set(sizes.index) - {"link.jpg"}
    pd.concat([table, row.assign(group="place"), other]).to_csv(tabled / "samples.csv", index=False)
    rows = read_index(tabled, settings_of("folder", raw=str(tabled)))
    assert rows.groupby("group").size()["place"] == 3


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"class": "b"}, "the file p/0.jpg, but have the class 'a' and 'b'"),
        (
            {"path": "", "text": WINGS["b"]},
            r"the text red, red\\na wing, but have the class 'b' and 'a'",
        ),
        ({"group": "1"}, "the file p/0.jpg, but have the group '0' and '1'"),
        ({"split": "test"}, "the file p/0.jpg, but have the split '' and 'test'"),
        ({"path": "p/2.jpg", "split": "test"}, "the group 0, but have the split '' and 'test'"),
    ],
)
def test_rows_that_contradict_each_other_are_named(tabled, table, change, problem):
    row = table.iloc[[0]].assign(**change)
    row["task"] = row["task"].where(row["text"] == "", "words")
    pd.concat([table.drop(index=4), row]).to_csv(tabled / "samples.csv", index=False)
    with pytest.raises(ValueError, match=rf"samples\.csv: rows \d+ and 40 are of {problem}: give"):
        read_index(tabled, settings_of("folder", raw=str(tabled)))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"task": "my pets"},
            r"row 1: task 'my pets' has the character ' ' \(U\+0020\): rename it",
        ),
        (
            {"class": "a\u200b"},
            r"row 1: class 'a.*' has the invisible character .* \(U\+200B\)",
        ),
        (
            {"group": "\ufeffa"},
            r"row 1: group .* has the invisible character .* \(U\+FEFF\): ren",
        ),
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
