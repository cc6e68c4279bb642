"""A script's run is in its log."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from crossback_core.runtime.run_log import ELSEWHERE, ON_TERMINAL, Screen, error_in, run_log


class Terminal(io.StringIO):
    """A screen that is a terminal."""

    def isatty(self):
        """Say so."""
        return True


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
def test_a_log_that_does_not_fit_stops_no_run_and_hides_no_error(capsys):
    with run_log("/dev/full"):
        logging.info("a record")
        print("a library's words", file=sys.stderr)
    assert capsys.readouterr().err == ""
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


def test_logging_is_as_before_afterwards(tmp_path, caplog):
    caplog.set_level(logging.ERROR)  # another than a run has
    root = logging.getLogger()
    before = root.level, list(root.handlers), sys.stderr, warnings.showwarning
    signals = signal.SIGTERM, signal.SIGINT
    handlers = list(map(signal.getsignal, signals))
    with run_log(tmp_path / "log"):
        pass
    assert (root.level, list(root.handlers), sys.stderr, warnings.showwarning) == before
    assert list(map(signal.getsignal, signals)) == handlers


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
    assert error_in(path) == "ValueError: first line second line"


def test_a_log_without_an_error_tells_none(tmp_path):
    with run_log(tmp_path / "log"):
        logging.info("2026-01-01 failed after 3.0 s: of another program")
    assert error_in(tmp_path / "log") is error_in(tmp_path / "missing") is None


def test_a_terminal_shows_progress_and_the_log_keeps_its_end(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with run_log(tmp_path / "log"):
        assert sys.stderr.isatty()
        for part in ("  0%", "\r 5", "0%\r", "100", "%\r", "\n"):
            sys.stderr.write(part)
            sys.stderr.flush()
    assert terminal.getvalue() == "  0%\r 50%\r100%\r\n"
    assert (tmp_path / "log").read_text().splitlines()[0] == "100%"


class Clock:
    """Tells the seconds that it is set to."""

    now = 0.0

    def __call__(self):
        """Tell them."""
        return self.now


def shown(stream, seconds, **told):
    """Return the lines of records made at these seconds after the start."""
    clock = Clock()
    screen = Screen(stream, clock)
    for clock.now in seconds:
        record = {name: f"{text} {clock.now:g}" for name, text in told.items()}
        screen.handle(logging.makeLogRecord({"msg": "a record"} | record))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("stream", "pause"), [(io.StringIO, ELSEWHERE), (Terminal, ON_TERMINAL)], ids=["pipe", "tty"]
)
def test_progress_is_a_plain_line_now_and_then(stream, pause):
    lines = shown(stream(), [0, pause - 1, pause, pause + 1, 2 * pause], progress="at")
    assert lines == [f"at {pause:g}", f"at {2 * pause:g}"]


def test_a_long_job_tells_its_progress_less_often():
    lines = shown(Terminal(), range(0, 10 * 3600, 5), progress="at")
    assert 60 < len(lines) < 80
    assert lines[:3] == ["at 10", "at 20", "at 30"]


def test_a_result_is_shown_at_once_and_other_records_are_not():
    assert shown(io.StringIO(), [0, 1], result="a result") == ["a result 0", "a result 1"]
    assert shown(io.StringIO(), [0, 100], other="a detail") == []


def test_a_result_is_shown_and_the_log_keeps_its_own_words(tmp_path, capsys):
    with run_log(tmp_path / "log"):
        logging.info("the log's words", extra={"result": "the screen's words"})
        logging.info("an epoch", extra={"progress": "too early"})
    assert capsys.readouterr().err == "the screen's words\n"
    log = (tmp_path / "log").read_text()
    assert "the log's words" in log and "an epoch" in log
    assert "screen" not in log and "early" not in log


SCRIPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as jobs start (rules/ending.smk)
sys.path.insert(0, {root!r})
from crossback_core.runtime.run_log import run_log
from crossback_core.storage.files import atomic_write
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
    script = SCRIPT.format(root=str(Path(__file__).parents[3]), deed=deed)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert words in (tmp_path / "log").read_text()
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_screen_that_is_gone_ends_no_job(tmp_path):
    deed = "import logging; [logging.info('x', extra={'result': 'shown'}) for _ in range(9)]"
    script = SCRIPT.format(root=str(Path(__file__).parents[3]), deed=deed)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 0
    assert (tmp_path / "artifact").read_bytes() == b"half"
    assert "finished" in (tmp_path / "log").read_text()


def _raise(error):
    if error is not None:
        raise error
