"""Starts processes that are to be killed, and sees that none is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from snakemake_project import ROOT, Outcome

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def failed_once(done: Outcome, *words: str) -> None:
    """See that a run failed with one message that has these words, and no traceback.

    It is told where it happens, and that of a job once more as the last line of all.
    """
    assert done.code == 1, done.output
    lines = [line for line in done.output.splitlines() if all(word in line for word in words)]
    assert len(lines) in (1, 2) and lines[-1].endswith(lines[0]), done.output
    assert "Traceback" not in done.output


def start(*arguments: str, folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start Python in a process group of its own, as a shell starts a command."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def interrupt(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Send a signal to a process and all its children, as a terminal or a power cut does.

    Returns:
        Whether it ended. Snakemake 9.27 may never do so on SIGTERM: the handler takes a lock that
        the scheduler, which it interrupts, may hold. It is then killed, as a user would do.
    """
    os.killpg(process.pid, number)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        if number != signal.SIGTERM:
            raise
        return False
    finally:
        kill_all_below(Path(f"/proc/{process.pid}"), group=process.pid)
        process.wait(timeout=60)
    return True


def kill_all_below(folder: Path, *, group: int | None = None) -> None:
    """Kill the processes that work in a folder, or belong to a process group, and wait for them."""
    for _ in range(100):
        left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))]
        left = [pid for pid in left if pid != os.getpid() and _belongs(pid, folder, group)]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)
    raise TimeoutError(f"processes {left} do not end")


def _belongs(pid: int, folder: Path, group: int | None) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            return False
        if group is not None:
            return os.getpgid(pid) == group
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
