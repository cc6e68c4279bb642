"""A table that a user wrote: read as it is meant, or refused by file and row."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from crossback_core.data.table_file import read_table

COLUMNS = ("task", "class", "path")
NEEDED = (["task"], ["class", "kind"])
HEADER = b"task,class,path\n"
ROWS = {1: ["pets", "cat", "a.png"], 2: ["pets", "dog", "b.png"]}


def read(folder: Path, content: bytes) -> dict[int, list[str]]:
    """Return the rows of a CSV by their numbers."""
    path = folder / "samples.csv"
    path.write_bytes(content)
    frame = read_table(path, COLUMNS, NEEDED)
    assert list(frame.columns) == list(COLUMNS)
    return dict(zip(frame.index, frame.to_numpy().tolist(), strict=True))


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (HEADER + b"pets,cat,a.png\npets,dog,b.png", (1, 2)),
        (b"\xef\xbb\xbf" + HEADER + b"pets,cat,a.png\r\npets,dog,b.png\r\n", (1, 2)),
        (HEADER + b"pets,cat,a.png,\npets,dog,b.png,,\n", (1, 2)),
        (b",task, class ,note,path,\n0,pets,cat,x,a.png,\n1,pets,dog,,b.png,\n", (1, 2)),
        (b"\n" + HEADER + b'"pets",cat,"a.png"\n\n,,\npets,dog,b.png\n,,\n', (1, 4)),
        (HEADER + b"pets,cat,a.png\rpets,dog,b.png\r", (1, 2)),
    ],
    ids=["plain", "mark and CRLF", "commas at ends", "other columns", "blank rows", "CR"],
)
def test_a_csv_is_read_as_it_is_meant(tmp_path, content, numbers):
    found = read(tmp_path, content)
    assert found == dict(zip(numbers, ROWS.values(), strict=True))


@pytest.mark.parametrize("name", ["Class", "classes", "PATH"])
def test_a_column_that_is_nearly_one_of_those_wanted_is_not_passed_over(tmp_path, name):
    wanted = {"Class": "class", "classes": "class", "PATH": "path"}[name]
    content = f"task,kind,{name}\npets,cat,a.png\n".encode()
    with pytest.raises(ValueError, match=f"samples.csv has a column '{name}': call it {wanted}"):
        read(tmp_path, content)


def test_a_table_is_a_plain_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "nothing")
    for name in ("pipe.csv", "link.csv"):
        with pytest.raises(ValueError, match=f"{name} is a link to nothing, or no plain file"):
            read_table(tmp_path / name, COLUMNS, NEEDED)


def test_what_pandas_keeps_apart_is_a_column_as_well(tmp_path):
    frame = pd.DataFrame(ROWS.values(), columns=COLUMNS)
    frame.set_index("class").to_parquet(tmp_path / "samples.parquet")
    read_back = read_table(tmp_path / "samples.parquet", COLUMNS, NEEDED)
    assert read_back.to_numpy().tolist() == list(ROWS.values())


def test_a_row_may_lack_what_is_not_needed_at_its_end(tmp_path):
    assert read(tmp_path, b"note,task,kind,class,path\nx,pets,cat\n") == {1: ["pets", "", ""]}
    with pytest.raises(ValueError, match=r"row 2 has too few values \(2, the header has 5 columns"):
        read(tmp_path, b"note,task,kind,class,path\nx,pets,cat\nx,pets\n")


def test_a_value_may_have_lines_commas_marks_and_any_length(tmp_path):
    long = "null " * 50_000
    found = read(tmp_path, HEADER + f'NA,"a, ""b""\nc",{long}\n'.encode())
    assert found == {1: ["NA", 'a, "b"\nc', long]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (HEADER + b"\n", "has no row below its header"),
        (
            HEADER + b"a,b,c\na\n",
            r"row 2 has too few values \(1, the header has 3 columns\): end it",
        ),
        (
            HEADER + b"a,b,c,d\n",
            r"row 1 has too many values \(4, the header has 3 columns\): put a",
        ),
        (HEADER + b'a,b,c\na,"b,c\na,b,c\n', r"row 2 cannot be read \(unexpected end of data\)"),
        (HEADER + b'a,b,"c"d\n', "row 1 cannot be read .* is a quotation mark in it"),
        (HEADER + "a,bébé,c\n".encode("latin-1"), "line 2 has the byte 0xe9, which is not UTF-8"),
        ("task,class,path\na,b,c\n".encode("utf-16"), "is in UTF-16, not in UTF-8: save it as"),
        ("task,class,path\na,b,c\n".encode("utf-16-le"), "has zero bytes, which no text in UTF-8"),
        (HEADER.replace(b",", b";") + b"a;b;0,5.png\n", "has semicolons between its columns: save"),
        (HEADER.replace(b",", b"\t") + b"a\tb\tc\n", "has tabs between its columns"),
        (b"Task,class\na,b\n", "lacks the column task; its columns are 'Task', 'class'$"),
        (b"path,task\na,b\n", "lacks the column class or kind; its columns are 'path', 'task'"),
        (b"task,class,path,path\na,b,c,d\n", "has more than one column path: keep one"),
    ],
)
def test_a_csv_that_is_none_is_refused_by_file_and_row(tmp_path, content, problem):
    with pytest.raises(ValueError, match=r"samples\.csv:? " + problem) as caught:
        read(tmp_path, content)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_is_no_table(tmp_path):
    (tmp_path / "samples.csv").mkdir()
    with pytest.raises(ValueError, match=r"samples\.csv is a folder, not a table"):
        read_table(tmp_path / "samples.csv", COLUMNS, NEEDED)


def test_a_parquet_file_has_numbers_and_nothing_as_text(tmp_path):
    path = tmp_path / "samples.parquet"
    frame = pd.DataFrame({"task": [7, 8], "class": ["a", None], "other": [b"x", b"y"]})
    frame.to_parquet(path)
    assert read_table(path, COLUMNS, NEEDED).to_numpy().tolist() == [["7", "a"], ["8", ""]]
    frame.assign(task=[b"pets", b"cars"]).to_parquet(path)
    with pytest.raises(ValueError, match=r"samples\.parquet: row 1 has b'pets' in column task, wh"):
        read_table(path, COLUMNS, NEEDED)


DAY = datetime(2024, 5, 17)


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        ([7, None], "Int64", ["7", ""]),
        (["a", None], "string", ["a", ""]),
        ([True, None], "boolean", ["True", ""]),
        (["a", None], "category", ["a", ""]),
        ([7, 8], "category", ["7", "8"]),
        ([True, False], bool, ["True", "False"]),
        ([DAY, None], "datetime64[ns]", ["2024-05-17T00:00:00", ""]),
        ([DAY.date(), None], object, ["2024-05-17", ""]),
        ([0.5, None], float, ["0.5", ""]),
    ],
)
def test_columns_of_all_types_of_a_parquet_file_are_read(tmp_path, values, kind, wanted):
    path = tmp_path / "samples.parquet"
    frame = pd.DataFrame({"task": "pets", "class": "a", "path": pd.Series(values, dtype=kind)})
    frame.to_parquet(path)
    assert read_table(path, COLUMNS, NEEDED)["path"].tolist() == wanted


@pytest.mark.parametrize("content", [b"", b"task,class,path\n", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_parquet_file_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "samples.parquet"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"samples\.parquet is no Parquet table or is damaged: "):
        read_table(path, COLUMNS, NEEDED)
