"""How processes start: the script `crossback`, and Snakemake in its place.

Both take seconds to load what they need. From here on Ctrl-C ends them with a line, and without a
traceback; a workflow that Snakemake has read says itself how it ends.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from crossback_core.runtime.interruption import end_interrupted

_LINE = "Interrupted"


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
    """Let Ctrl-C end the process with a line, after what was under way has been tidied up."""
    signal.signal(signal.SIGINT, _interrupt)
    _open_streams()
    try:
        yield
    except _Interrupted:
        end_interrupted(_LINE)


def _open_streams() -> None:
    """Give the process streams that lead nowhere where it was started without (`>&-`)."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise what ends the process, but end it at once while a package is loaded.

    PyTorch, which loads NumPy, goes on without it whatever is raised there.
    """
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            end_interrupted(_LINE)
        frame = frame.f_back
    raise _Interrupted


if __name__ == "__main__":
    snakemake()
