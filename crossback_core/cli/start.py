"""How processes start: the script `crossback`, and Snakemake in its place.

Both take seconds to load what they need. From here on Ctrl-C ends them with a line, and without a
traceback; a workflow that Snakemake has read says itself how it ends.
"""

from __future__ import annotations

import contextlib
import runpy
import signal
import sys
from collections.abc import Iterator
from types import FrameType


class _Interrupted(BaseException):
    """Ctrl-C was pressed; of a KeyboardInterrupt Typer and its questions make an answer."""


def main() -> None:
    """Run the command line (the script `crossback`)."""
    with _ended_by_a_line():
        from crossback_core.cli import app  # its packages take a quarter of a second

        app.main()


def snakemake() -> None:
    """Run Snakemake with the arguments of this process."""
    with _ended_by_a_line():
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


@contextlib.contextmanager
def _ended_by_a_line() -> Iterator[None]:
    """Let Ctrl-C end the process as it ends others (a shell calls that 130), but with a line."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    except _Interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # who presses it twice does not want to wait
        print("Interrupted", file=sys.stderr)
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _Interrupted


if __name__ == "__main__":
    snakemake()
