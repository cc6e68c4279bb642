"""How a process ends that was interrupted."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import NoReturn


def end_interrupted(line: str) -> NoReturn:
    """End the process at once as Ctrl-C ends others (a shell calls that 130), but with a line.

    Python's own end takes seconds with many packages loaded, waits for threads, and gives another
    exit code where one of them did not end well.
    """
    with contextlib.suppress(OSError):  # nobody may read it any more
        sys.stdout.flush()
    print(line, file=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
    raise SystemExit(130)  # where signals are blocked
