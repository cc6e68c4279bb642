"""Feeds a loader spoilt inputs in a process of its own: python fuzz.py LOADER INPUTS SEED FOLDER.

Prints as JSON how many inputs were refused and loaded, and everything that must not happen: an
error that is not documented, an error that does not name the file, code that runs, a file written
elsewhere, memory beyond the limit, an input that takes minutes.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import loaders
import tables
from loaders import Loader

DOCUMENTED = (ValueError, FileNotFoundError)
MEMORY = 1 << 30  # bytes that loading may reserve on top of what the process has
PATIENCE = 60  # seconds for one input of at most some hundred kilobytes
RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.spawn", "pty.spawn")
RUNS += ("subprocess.Popen", "socket.connect", "socket.bind", "os.startfile", "webbrowser.open")
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate")
CHANGES += ("os.mkdir", "shutil.rmtree", "shutil.copyfile", "shutil.move")


class TooSlow(BaseException):
    """An input took longer than anyone waits."""


class Watch:
    """Notes what a loader does that it must not do, by Python's audit events.

    Args:
        folder: Where it may write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.armed = False
        self.seen: list[str] = []
        sys.addaudithook(self._notice)

    def _notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        elsewhere = event in CHANGES or (event == "open" and _writes(arguments))
        if event in RUNS or (elsewhere and not self._inside(arguments[0])):
            self.seen.append(f"{event} {arguments!r:.100}")

    def _inside(self, path: Any) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return True  # an open file
        return os.path.realpath(os.fsdecode(path)).startswith(self.folder)


def _writes(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2] if isinstance(arguments[2], int) else 0
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) and arguments[0] != os.devnull


def limit_memory() -> None:
    """Let this process reserve `MEMORY` more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def give_up(number: int, frame: FrameType | None) -> None:
    raise TooSlow


def attempt(loader: Loader, watch: Watch) -> str:
    """Load once; return "loaded", "refused", or what went wrong."""
    signal.alarm(PATIENCE)
    watch.armed = True
    try:
        loader.load()
        result = "loaded"
    except DOCUMENTED as error:
        named = not getattr(loader, "names_file", False) or loader.path.name in str(error)
        result = "refused" if named else f"error without the file's name: {error!r:.300}"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        result = f"{type(error).__name__} in {place.name}: {error!s:.200}"
    finally:
        watch.armed = False
        signal.alarm(0)
    if watch.seen:
        result, watch.seen = f"not allowed: {watch.seen}", []
    return result


def run(name: str, inputs: int, seed: int, folder: Path) -> dict[str, Any]:
    """Feed a loader so many inputs."""
    folder.mkdir()
    os.chdir(folder)
    loader, watch = (loaders.LOADERS | tables.LOADERS)[name](folder), Watch(folder)
    for number in range(20):  # what is imported late is imported before anyone watches
        loader.spoil(Random(number))
        attempt(loader, watch)
    limit_memory()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts: Counter[str] = Counter()
    for number in range(inputs):
        loader.spoil(Random(f"{name} {seed} {number}"))
        counts[attempt(loader, watch)] += 1
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    escaped = [str(path) for path in _escapes(folder) if path.exists()]
    return {
        "inputs": counts.total(),
        "loaded": counts.pop("loaded", 0),
        "refused": counts.pop("refused", 0),
        "wrong": dict(counts.most_common(20)),
        "escaped": escaped,
        "megabytes": (after - before) // 1024,
    }


def _escapes(folder: Path) -> list[Path]:
    """List where hostile inputs would write."""
    parents = (folder, folder.parent, folder.parent.parent, Path("/tmp"))
    return [parent / "escaped" for parent in parents]


def main(arguments: list[str]) -> None:
    """Run as a script."""
    name, inputs, seed, folder = arguments
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, give_up)
    print(json.dumps(run(name, int(inputs), int(seed), Path(folder).resolve())))


main(sys.argv[1:])
