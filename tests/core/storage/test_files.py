"""Files appear whole or not at all, and a script's run is in its log."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossback_core.storage.files import (
    _drawn_last,
    atomic_write,
    read_csv,
    read_json,
    run_log,
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


def test_a_new_file_has_the_usual_permissions(tmp_path):
    write_text("", tmp_path / "atomic")
    (tmp_path / "usual").write_text("")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(type(error)), atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


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


def test_a_file_system_without_folder_sync_will_do(tmp_path, monkeypatch):
    answers = iter([None, OSError(errno.EINVAL, "Invalid argument")])
    monkeypatch.setattr(os, "fsync", lambda number: _raise(next(answers)))
    write_text("text", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "text"


def test_another_error_of_the_folder_sync_is_raised(tmp_path, monkeypatch):
    answers = iter([None, OSError(errno.EIO, "Input/output error")])
    monkeypatch.setattr(os, "fsync", lambda number: _raise(next(answers)))
    with pytest.raises(OSError, match="Input/output error"):
        write_text("text", tmp_path / "file")


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk quota is")]
)
def test_a_full_disk_is_named_and_nothing_lost(tmp_path, monkeypatch, number, words):
    path = tmp_path / "file"
    path.write_text("before")
    monkeypatch.setattr(os, "fsync", lambda _: _raise(OSError(number, "strerror")))
    with pytest.raises(OSError, match=words) as caught:
        write_text("after", path)
    assert caught.value.errno == number
    assert str(path) in str(caught.value)
    assert "earlier is whole" in str(caught.value)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_found_behind_the_error_of_a_library(tmp_path):
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="the disk is full"), atomic_write(tmp_path / "file"):
        torch.save({"weights": torch.zeros(100_000)}, Full())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_really_full_is_named(tmp_path):
    with pytest.raises(OSError, match="the disk is full"), atomic_write(tmp_path / "file"):
        Path("/dev/full").write_bytes(b"x" * 100_000)


def test_csv_keeps_columns_and_numbers(tmp_path):
    frame = pd.DataFrame({"name": ["null", 'a "b", c'], "value": [0.1 + 0.2, 1e-30]}, index=[5, 6])
    write_csv(frame, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().splitlines()[0] == "name,value"
    back = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(back, frame.reset_index(drop=True), check_exact=True)


def test_a_table_comes_back(tmp_path):
    frame = pd.DataFrame({"name": ['a "b", c\nd', "é"], "value": [0.1 + 0.2, 1e-30]})
    write_csv(frame, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_csv(tmp_path / "table.csv"), frame)


def test_a_table_read_as_text_keeps_what_is_written(tmp_path):
    (tmp_path / "table.csv").write_text("name,value\nnull,01\n,nan\n")
    frame = read_csv(tmp_path / "table.csv", as_text=True)
    assert frame.to_numpy().tolist() == [["null", "01"], ["", "nan"]]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 20, b"a,b\n1,2\n3", b"a,b\n1,2\n3,", b"a,b\n1\n", b"\xff\xfe\n", b"\n"]
)
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.csv is damaged or not a table .*remove it"):
        read_csv(tmp_path / "table.csv")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file.*missing\.csv"):
        read_csv(tmp_path / "missing.csv")


plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain_json)
def test_json_comes_back_as_it_went(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(value, path)
    assert read_json(path) == value


def test_json_keeps_the_order_and_ends_with_a_newline(tmp_path):
    write_json({"b": 1, "a": "é"}, tmp_path / "value.json")
    assert (tmp_path / "value.json").read_text() == '{\n  "b": 1,\n  "a": "é"\n}\n'


def test_json_writes_numbers_of_numpy_and_torch_as_numbers(tmp_path):
    value = {"n": np.int64(3), "f": np.float32(0.5), "t": torch.tensor(2), "yes": np.bool_(True)}
    write_json(value, tmp_path / "value.json")
    assert read_json(tmp_path / "value.json") == {"n": 3, "f": 0.5, "t": 2, "yes": True}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float32("nan")])
def test_json_refuses_what_is_no_number(tmp_path, number):
    with pytest.raises(ValueError, match=r"value\.json was not written: .*not JSON compliant"):
        write_json({"accuracy": number}, tmp_path / "value.json")
    assert not (tmp_path / "value.json").exists()


def test_json_refuses_what_it_cannot_say(tmp_path):
    with pytest.raises(TypeError, match=r"value\.json was not written: .* of type set"):
        write_json({"names": {"a"}}, tmp_path / "value.json")


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file.*missing\.json"):
        read_json(tmp_path / "missing.json")


@pytest.mark.parametrize("content", [b'{"accuracy": 0.', b"", b'{"a": NaN}', b"\xff\xfe"])
def test_a_damaged_json_file_is_named(tmp_path, content):
    (tmp_path / "value.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"value\.json is damaged or not JSON .*remove it"):
        read_json(tmp_path / "value.json")


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 1_000_000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_the_hash_of_a_missing_file_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        sha256(tmp_path / "missing")


def test_the_log_has_records_warnings_and_stderr(tmp_path):
    path = tmp_path / "logs" / "rule.log"
    with warnings.catch_warnings(action="default"), run_log(path):
        logging.getLogger("some.library").info("a record")
        logging.getLogger("some.library").debug("a detail")
        warnings.warn("a warning", stacklevel=1)
        print("a library's words\nmore", file=sys.stderr)
        print("no newline at the end", end="", file=sys.stderr)
    log = path.read_text()
    for words in ("INFO a record\n", "a warning", "a library's words\nmore\n", "end\n", "finished"):
        assert words in log
    assert "a detail" not in log


def test_a_log_replaces_that_of_an_earlier_run(tmp_path):
    for words in ("first", "second"):
        with run_log(tmp_path / "log"):
            logging.info(words)
    assert "first" not in (tmp_path / "log").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_that_does_not_fit_stops_no_run(capsys):
    with run_log("/dev/full"):
        logging.info("a record")
        print("a library's words", file=sys.stderr)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_that_does_not_fit_hides_no_error(capsys):
    with pytest.raises(SystemExit) as caught, run_log("/dev/full"):
        print("half a line", end="", file=sys.stderr)
        raise OSError("the disk is full")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "OSError: the disk is full (full log: /dev/full)\n"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
    ],
)
def test_a_log_that_cannot_be_opened_is_one_message(tmp_path, monkeypatch, error, words):
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: _raise(error))
    words = rf"OSError: .*{words}.*the log .*rule\.log could not be opened"
    with pytest.raises(SystemExit, match=words), run_log(tmp_path / "rule.log"):
        pass


def test_logging_is_as_before_afterwards(tmp_path):
    root = logging.getLogger()
    before = root.level, list(root.handlers), sys.stderr, warnings.showwarning
    handler = signal.getsignal(signal.SIGTERM)
    with run_log(tmp_path / "log"):
        pass
    assert (root.level, list(root.handlers), sys.stderr, warnings.showwarning) == before
    assert signal.getsignal(signal.SIGTERM) is handler


def test_an_error_is_one_line_on_stderr_and_a_traceback_in_the_log(tmp_path, capsys):
    path = tmp_path / "log"
    with pytest.raises(SystemExit) as caught, run_log(path):
        raise ValueError("first line\nsecond line")
    assert caught.value.code == 1
    assert capsys.readouterr().err == f"ValueError: first line second line (full log: {path})\n"
    log = path.read_text()
    assert "ERROR failed after" in log
    assert "Traceback (most recent call last)" in log
    assert "ValueError: first line\nsecond line" in log


def test_a_terminal_shows_progress_and_the_log_keeps_its_end(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with run_log(tmp_path / "log"):
        assert sys.stderr.isatty()
        for part in ("  0%", "\r 50%", "\r100%", "\n"):
            sys.stderr.write(part)
            sys.stderr.flush()
    assert terminal.getvalue() == "  0%\r 50%\r100%\n"
    assert (tmp_path / "log").read_text().splitlines()[0] == "100%"


@given(st.lists(st.text(alphabet="ab\r"), min_size=1))
def test_a_line_in_parts_is_logged_like_a_line_in_one(parts):
    line = ""
    for part in parts:
        line = _drawn_last(line + part)
    assert line == _drawn_last("".join(parts))


SCRIPT = """
import os, signal, sys
sys.path.insert(0, {root!r})
from crossback_core.storage.files import atomic_write, run_log
with run_log("log"):
    with atomic_write("artifact") as file:
        file.write(b"half")
        {deed}
"""


@pytest.mark.parametrize(
    ("deed", "status", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "interrupted by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "interrupted by SIGINT"),
        ("import no_such_module", 1, "No module named 'no_such_module'"),
    ],
)
def test_a_script_that_ends_early_says_so(tmp_path, deed, status, words):
    script = SCRIPT.format(root=str(Path(__file__).parents[2]), deed=deed)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert words in (tmp_path / "log").read_text()
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def _raise(error):
    if error is not None:
        raise error
