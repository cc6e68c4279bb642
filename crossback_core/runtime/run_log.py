"""The log of a script's run: records, warnings and errors, in one file and short on the screen."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

from crossback_core.runtime.trackers import NONE, TRACKERS, Tracking
from crossback_core.storage.files import reason
from crossback_core.wording import printable

logger = logging.getLogger(__name__)

_LONGEST = 2000  # characters of a line on the screen
_FAILED = re.compile(r"^\S+ \S+ ERROR failed after \S+ s: (.*)$", re.MULTILINE)
_FINISHED = re.compile(r"^\S+ \S+ INFO finished in \S+ s$", re.MULTILINE)

# Least seconds between two lines about a job's progress: on a terminal, and in a pipe or a file.
ON_TERMINAL, ELSEWHERE = 10.0, 30.0


@contextlib.contextmanager
def run_log(path: str | Path, *, tracker: str = NONE) -> Iterator[None]:
    """Keep the log of a script's run in one file.

    Log records from INFO on, warnings and what Python code prints to stderr go to the file; on a
    terminal stderr is shown as well, so that progress bars work. What C libraries write to file
    descriptor 2 is left alone. Some records are shown as well, see `Screen`. An error is logged
    with its traceback and shown as one line; the process then ends with a non-zero status. SIGTERM
    and Ctrl-C are logged as interruptions.

    A log that no longer fits on the disk is cut off; it does not stop the run or hide its error.

    Args:
        path: The log file; one of an earlier run is replaced.
        tracker: Name of what shows the trainings, in a folder beside the log, called like it.

    Raises:
        SystemExit: After an error (1), an interruption (130) or SIGTERM (143). A script is where a
            process may end; raising on would make Python print the traceback once more.
    """
    path = Path(path)
    with (
        _open_log(path) as file,
        _records_to(
            _file_handler(file),
            Screen(screen := sys.stderr),
            *_tracking(tracker, path.with_suffix("")),
        ),
        _interrupted_by_signals(),
    ):
        started = time.monotonic()
        try:
            with _stderr_to(file):
                yield
            logger.info("finished in %.1f s", time.monotonic() - started)
        except KeyboardInterrupt as error:
            logger.error("interrupted by %s", error.args[0] if error.args else "SIGINT")
            raise SystemExit(143 if error.args else 130) from error
        except Exception as error:
            message = f"{type(error).__name__}: {printable(error, _LONGEST)}"
            logger.exception("failed after %.1f s: %s", time.monotonic() - started, message)
            screen.write(f"{message} (full log: {path})\n")
            raise SystemExit(1) from error


def error_in(path: str | Path) -> str | None:
    """Return the error that ended a run, from its log; None if the log has none."""
    try:
        log = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = _FAILED.findall(log)
    return found[-1] if found else None


def ended_well(path: str | Path) -> bool:
    """Say whether a run came to its end, by its log: one that was killed leaves no error either."""
    try:
        log = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return bool(_FINISHED.search(log))


def _open_log(path: Path) -> _Log:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Log(path)
    except OSError as error:
        raise SystemExit(f"OSError: {reason(error)}: the log {path} could not be opened") from error


def _tracking(tracker: str, folder: Path) -> list[logging.Handler]:
    return [] if tracker == NONE else [Tracking(TRACKERS.find(tracker)(folder))]


@contextlib.contextmanager
def _records_to(*handlers: logging.Handler) -> Iterator[None]:
    """Send log records and warnings to handlers while the block runs, then close them."""
    root = logging.getLogger()
    level = root.level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        for handler in reversed(handlers):  # the file last: what fails at the end is in it
            root.removeHandler(handler)
            handler.close()


def _file_handler(file: io.TextIOBase) -> logging.Handler:
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


class Screen(logging.Handler):
    """What a person who waits is told of the records, a plain line each.

    Jobs run side by side and Snakemake writes between their lines, so nothing is drawn over. A
    record's `result` is shown at once. Its `progress` is shown now and then: at most every
    `ON_TERMINAL` or `ELSEWHERE` seconds, and in a long job about every tenth of the time so far.

    Args:
        stream: The screen, or what stands for it.
        clock: Tells the seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._stream = stream
        self._clock = clock
        self._pause = ON_TERMINAL if stream.isatty() else ELSEWHERE
        self._started = clock()
        self._due = self._started + self._pause

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, unless there is nothing to show or it is too early."""
        if result := getattr(record, "result", None):
            self._show(result)
        elif (progress := getattr(record, "progress", None)) and self._clock() >= self._due:
            self._show(progress)
            now = self._clock()
            self._due = now + max(self._pause, (now - self._started) / 10)

    def _show(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed screen stops no training
            self._stream.write(f"{printable(line, _LONGEST)}\n")
            self._stream.flush()


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt at SIGTERM and SIGINT: temporary files go, and the log says it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python sets signal handlers in the main thread only.
        return
    handlers = {signal.SIGTERM: _interrupt, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextlib.contextmanager
def _stderr_to(file: io.TextIOBase) -> Iterator[None]:
    """Send what Python code prints to stderr to `file`, and to the screen if that is a terminal."""
    stderr = _Stderr(file, sys.stderr)
    try:
        with contextlib.redirect_stderr(stderr):
            yield
    finally:
        stderr.end_line()


class _Log(io.TextIOBase):
    """A text file that drops what cannot be written, on a full disk for instance."""

    def __init__(self, path: Path) -> None:
        self._file = io.FileIO(path, "w")

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Stderr(io.TextIOBase):
    """A stderr that writes whole lines to a log and everything to a terminal."""

    def __init__(self, file: io.TextIOBase, screen: TextIO) -> None:
        self._file = file
        self._screen = screen
        self._line = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # tqdm asks for it
        return self._screen.encoding

    def isatty(self) -> bool:
        return self._screen.isatty()

    def fileno(self) -> int:
        return self._screen.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.isatty():
            self._screen.write(text)
        *lines, rest = (self._line + text).split("\n")
        for line in lines:
            self._file.write(_drawn_last(line) + "\n")
        self._line = _drawn_last(rest)
        return len(text)

    def flush(self) -> None:
        self._screen.flush()

    def end_line(self) -> None:
        if self._line:
            self.write("\n")


def _drawn_last(line: str) -> str:
    """Return what a terminal would show of a line over which a progress bar draws."""
    return line[line.rfind("\r", 0, -1) + 1 :]
