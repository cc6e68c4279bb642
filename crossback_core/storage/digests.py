"""What files hold, as one digest: each file is read once and then known by its stamp.

A stamp is a file's size, both its times and its inode. Whoever writes to a file moves its change
time, which nobody can set back: a restored modification time hides nothing. Where a file system
makes its change times up (some shares do), content replaced within the same inode, of the same
size and with its modification time restored, is not noticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from crossback_core.storage.files import atomic_write, reason, sha256
from crossback_core.wording import printable

logger = logging.getLogger(__name__)

_FORM = "contents 1"  # of a memory; another number for another form
_TICK = 2_000_000_000  # nanoseconds between the coarsest timestamps (FAT)
_LONG = 3.0  # seconds after which a user is told what takes so long
_THREADS = 4  # on a network file system files are mostly waited for; more threads slow a local one
_BATCH = 50  # files: one at a time, the threads would take longer than the files

Stamp = list[int]  # size, modification time, change time, inode; a list, as JSON has it
Known = dict[str, tuple[Stamp, str]]  # by name: a stamp and the SHA-256 that goes with it
T = TypeVar("T")


def digest_of(paths: Iterable[Path], *, root: Path, memory: Path | None = None) -> str:
    """Return one digest of the names and contents of files, in whatever order they come.

    Args:
        paths: The files, all below `root`; links are followed.
        root: The folder that names are relative to: the digest stays when it moves.
        memory: Where the digests of single files are kept for the next time, a file of its own
            for each `root`. It may be removed at any time; what it does not know, or cannot be
            asked because it is damaged, is read again.

    Returns:
        64 hexadecimal digits.

    Raises:
        FileNotFoundError: A file vanished since it was listed.
        ValueError: A path is not below `root`.
    """
    names = sorted({path.relative_to(root).as_posix() for path in paths})
    known = _recall(memory) if memory else {}
    try:
        _learn(known, names, root, memory)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error.filename or error}: listed a moment ago and not there: is it a broken link,"
            " or is its folder changing?"
        ) from error
    digest = hashlib.sha256()
    for name in names:
        digest.update(b"%b\0%b\n" % (os.fsencode(name), known[name][1].encode()))
    return digest.hexdigest()


def _learn(known: Known, names: list[str], root: Path, memory: Path | None) -> None:
    """Bring what is known up to date, and remember it even if reading is interrupted."""
    now = time.time_ns()
    stamps = dict(_in_threads(lambda name: _stamp(root / name), names))
    unknown = [name for name in names if name not in known or known[name][0] != stamps[name]]
    settled = {name: known[name] for name in known.keys() - set(unknown)}
    remembered = len(settled)
    try:
        with _telling(len(unknown), sum(stamps[name][0] for name in unknown), root):
            for name, digest in _in_threads(lambda name: sha256(root / name), unknown):
                known[name] = (stamps[name], digest)
                if _is_settled(stamps[name], now):
                    settled[name] = known[name]
    finally:
        if memory and len(settled) > remembered:
            _remember(settled, memory)


def _in_threads(look: Callable[[str], T], names: list[str]) -> Iterator[tuple[str, T]]:
    """Yield each name with what `look` finds."""
    batches = [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for batch, found in zip(
            batches, pool.map(lambda it: [*map(look, it)], batches), strict=True
        ):
            yield from zip(batch, found, strict=True)


def _stamp(path: Path) -> Stamp:
    it = os.stat(path)
    return [it.st_size, it.st_mtime_ns, it.st_ctime_ns, it.st_ino]


def _is_settled(stamp: Stamp, now: int) -> bool:
    """Tell whether another change would move a file's stamp.

    A file can change once more within the tick of its last change, after it was read: its stamp
    would not tell (git calls such files racy).
    """
    _, modified, changed, _ = stamp
    return changed < now - _TICK and abs(modified - now) > _TICK


@contextlib.contextmanager
def _telling(files: int, size: int, root: Path) -> Iterator[None]:
    """Say what takes so long, once, if the block does."""
    # A warning: where a workflow is planned nothing less is shown.
    text = "reading %s files (%.1f GB) of %s once, to know later whether they changed"
    timer = threading.Timer(_LONG, logger.warning, (text, f"{files:,}", size / 1e9, root))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _recall(memory: Path) -> Known:
    """Read a memory; a missing one knows nothing, nor does a damaged one."""
    try:
        header, _, body = memory.read_bytes().partition(b"\n")
        if header.decode() != _header(body):
            raise ValueError("it does not match its hash or is of another version")
        known = json.loads(body)
        if not isinstance(known, dict) or not all(map(_is_entry, known.values())):
            raise ValueError("it does not hold stamps and hashes")
        return known
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        why = printable(error)
        logger.warning("%s cannot be used (%s): all files are read again", memory, why)
        return {}


def _is_entry(value: object) -> bool:
    """Say whether a value is a stamp and the hash that goes with it."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], list):
        return False
    stamp, digest = value
    numbers = len(stamp) == 4 and all(type(number) is int for number in stamp)
    return numbers and isinstance(digest, str) and len(digest) == 64 and digest.isascii()


def _remember(known: Known, memory: Path) -> None:
    """Replace a memory whole: of several processes that do, the last one's stays."""
    body = json.dumps(known).encode()
    try:
        with atomic_write(memory) as file:
            file.write(f"{_header(body)}\n".encode() + body)
    except OSError as error:
        logger.warning(
            "%s was not written (%s): next time files are read again", memory, reason(error)
        )


def _header(body: bytes) -> str:
    return f"{_FORM} {hashlib.sha256(body).hexdigest()}"
