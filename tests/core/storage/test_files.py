"""Files appear whole or not at all."""

import errno
import hashlib
import os
import re
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock, Timeout
from hypothesis import given, settings
from hypothesis import strategies as st

from crossback_core.storage.files import (
    atomic_write,
    exclusive,
    read_csv,
    read_json,
    sha256,
    write_csv,
    write_json,
    write_text,
)


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    with atomic_write(path) as file:
        file.write(b"content")
        assert not path.exists()
        assert Path(file.name).parent == path.parent
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]
    (tmp_path / "usual").write_text("")
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_an_interruption_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_next_write_removes_what_a_killed_one_left(tmp_path):
    path = tmp_path / "file[1].pt"
    own, other = tmp_path / ".file[1].pt.0123abcd.tmp", tmp_path / ".file1.pt.0123abcd.tmp"
    own.write_text("half")
    other.write_text("half")
    write_text("whole", path)
    assert not own.exists() and other.exists()
    assert path.read_text() == "whole"


def test_a_folder_in_the_way_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        write_text("text", path)
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (steps.append("sync"), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append("rename"), replace(*paths)))
    write_text("text", tmp_path / "file")
    assert steps == ["sync", "rename", "sync"]


def test_a_file_system_may_do_without_folder_sync_but_not_fail(tmp_path, monkeypatch):
    invalid, broken = OSError(errno.EINVAL, "invalid"), OSError(errno.EIO, "broken")
    monkeypatch.setattr(os, "fsync", Mock(side_effect=[None, invalid, None, broken]))
    write_text("text", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "text"
    with pytest.raises(OSError, match="broken"):
        write_text("text", tmp_path / "file")


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk quota is")]
)
def test_a_full_disk_is_named_and_nothing_lost(tmp_path, monkeypatch, number, words):
    path = tmp_path / "file"
    path.write_text("before")
    monkeypatch.setattr(os, "fsync", Mock(side_effect=OSError(number, "strerror")))
    with pytest.raises(OSError, match=f"{words}.*earlier is whole") as caught:
        write_text("after", path)
    assert caught.value.errno == number and str(path) in str(caught.value)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_found_behind_the_error_of_a_library(tmp_path):
    full = Mock(write=Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="the disk is full"), atomic_write(tmp_path / "file"):
        torch.save({"weights": torch.zeros(100_000)}, full)


def test_a_table_comes_back_without_its_index(tmp_path):
    path = tmp_path / "table.csv"
    frame = pd.DataFrame({"name": ['a "b", c\nd', "é"], "value": [0.1 + 0.2, 1e-30]}, index=[5, 6])
    write_csv(frame, path)
    assert path.read_bytes().startswith(b"name,value\n")
    pd.testing.assert_frame_equal(read_csv(path), frame.reset_index(drop=True), check_exact=True)
    path.write_text("name,value\nnull,01\n,nan\n")
    assert read_csv(path, as_text=True).to_numpy().tolist() == [["null", "01"], ["", "nan"]]


def test_names_stay_as_they_are_written(tmp_path):
    """Those of tasks may look like numbers, or like nothing; other columns are what they say."""
    path = tmp_path / "table.csv"
    names = ["007", "1e3", "null", "nan", None]
    write_csv(pd.DataFrame({"task": names, "score": [0.1 + 0.2, 1, None, 2, 3]}), path)
    frame = read_csv(path, names=("task", "candidate"))
    assert frame["task"].tolist()[:4] == names[:4] and frame["task"].isna().sum() == 1
    assert frame["score"].tolist()[:2] == [0.1 + 0.2, 1.0] and frame["score"].isna().sum() == 1


def test_one_process_at_a_time_works_in_a_folder(tmp_path):
    folder = tmp_path / "not" / "there"
    with exclusive(folder), pytest.raises(Timeout):
        FileLock(folder / ".lock", timeout=0).acquire()
    with exclusive(folder), exclusive(tmp_path):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 20, b"a,b\n1,2\n3", b"a,b\n1,2\n3,", b"a,b\n1\n", b"\xff\xfe\n", b"\n"]
)
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.csv is damaged or not a table .*remove it"):
        read_csv(tmp_path / "table.csv")


@pytest.mark.parametrize("read", [read_csv, read_json, sha256])
def test_what_is_no_file_is_named(tmp_path, read):
    for path, what in (
        (tmp_path / "missing", "does not exist"),
        (tmp_path, "is a folder: give a file"),
        (Path("/dev/null"), "is a device: give a file"),
    ):
        with pytest.raises(FileNotFoundError, match=f"^{re.escape(str(path))} {what}$"):
            read(path)


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
plain_json = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50)
@given(plain_json)
def test_json_comes_back_as_it_went(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(value, path)
    assert read_json(path) == value


def test_json_keeps_the_order_and_writes_numbers_of_numpy_and_torch(tmp_path):
    write_json({"b": 1, "a": "é"}, tmp_path / "value.json")
    assert (tmp_path / "value.json").read_text() == '{\n  "b": 1,\n  "a": "é"\n}\n'
    value = {"n": np.int64(3), "f": np.float32(0.5), "t": torch.tensor(2), "yes": np.bool_(True)}
    write_json(value, tmp_path / "value.json")
    assert read_json(tmp_path / "value.json") == {"n": 3, "f": 0.5, "t": 2, "yes": True}


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (float("inf"), ValueError, "not JSON compliant"),
        (np.float32("nan"), ValueError, "not JSON compliant"),
        ({"a"}, TypeError, "of type set"),
    ],
)
def test_json_refuses_what_it_cannot_say(tmp_path, value, error, words):
    with pytest.raises(error, match=rf"value\.json was not written: .*{words}"):
        write_json({"accuracy": value}, tmp_path / "value.json")
    assert not (tmp_path / "value.json").exists()


@pytest.mark.parametrize(
    "content", [b'{"a": 0.', b"", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"\xff\xfe"]
)
def test_a_damaged_json_file_is_named(tmp_path, content):
    (tmp_path / "value.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"value\.json is damaged or not JSON .*remove it"):
        read_json(tmp_path / "value.json")


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 1_000_000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()
