"""Bring a file from the network to its end: tried again, gone on with, limited in size and time.

Pooch and the like take what a server sends for the file. They go on with nothing, and a server that
never ends keeps them for ever.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import requests
import tenacity
from tqdm import tqdm

from crossback_core.wording import printable

logger = logging.getLogger(__name__)

TIMEOUT = 60  # seconds without a byte
PATIENCE = 600.0  # seconds without a chunk, all tries and their headers included
LONGEST = 24 * 3600.0  # seconds of a file
MOST = 100 << 30  # bytes of a file

_CHUNK = 1 << 16  # bytes; a broken connection loses the last, incomplete one
_NO_SUCH_RANGE = 416
_BUSY = (408, 425, 429, 500, 502, 503, 504, _NO_SUCH_RANGE)
_QUERY = re.compile(r"(?<=\?)[^\s'\")]+")  # of an address; often a key
_PAGE_TYPES = ("text/html", "application/xhtml")
_PAGE_STARTS = (b"<!doctype html", b"<html")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class CannotFetch(Exception):
    """A file cannot be had; why, without what its address keeps secret."""


class Part:
    """What has arrived of a file, and what tells whether the server still has the same one.

    Args:
        path: Where it lies.
        held_to: The checksum that the whole file must have, if one is known: then one may go on
            from a part of which nobody can say what version it is of.

    Attributes:
        chunks: How many have come by now.
        given_up: Whether nobody waits for the rest any more.
    """

    def __init__(self, path: Path, *, held_to: str | None) -> None:
        self.path = path
        self.chunks = 0
        self.given_up = False
        self._held = held_to is not None
        self._tag = path.with_name(path.name + ".tag")

    @property
    def tag(self) -> str:
        """The server's name of the version that the part is of; empty where it gave none."""
        return self._tag.read_text("utf-8") if self._tag.is_file() else ""

    @property
    def usable(self) -> int:
        """How many bytes there are that one can go on from."""
        there = self.path.stat().st_size if self.path.is_file() else 0
        return there if self._held or self.tag else 0

    def begin(self, tag: str) -> None:
        """Start with nothing, of a file of that version."""
        self.path.write_bytes(b"")
        self._tag.write_text(tag, "utf-8")

    def become(self, path: Path) -> None:
        """Give the whole file its name."""
        os.replace(self.path, path)
        self._tag.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of it."""
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def fetch(url: str, part: Part) -> None:
    """Bring a partial file to its end.

    Raises:
        CannotFetch: The server does not have it or does not answer; sends nothing, a web page or
            something without end; or is too slow.
    """
    try:
        _wait(lambda: _RETRIES(_try, url, part), part)
    except (requests.RequestException, UnicodeError, TimeoutError) as error:
        raise CannotFetch(without_secrets(error)) from None


def without_secrets(text: object) -> str:
    """Return a text without what addresses in it keep secret: user, password, query."""
    return printable(_QUERY.sub("...", str(text)))


class _Broken(requests.ConnectionError):
    """What came is not what was asked for; another try may end well."""


def _may_pass(error: BaseException) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in _BUSY
    broken = requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    return isinstance(error, broken)


def _say(state: tenacity.RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    pause = state.next_action.sleep if state.next_action else 0
    logger.warning("Retrying in %g s: %s", pause, without_secrets(error))


_RETRIES = tenacity.Retrying(
    stop=tenacity.stop_after_attempt(6),
    wait=tenacity.wait_exponential(multiplier=0.5, max=60),  # 0.5, 1, 2, 4 and 8 seconds
    retry=tenacity.retry_if_exception(_may_pass),
    before_sleep=_say,
    reraise=True,
)


def _wait(work: Callable[[], None], part: Part) -> None:
    """Wait for work while it gets on: a byte a minute, or headers without end, are no timeout."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="fetch", daemon=True).start()
    end = time.monotonic() + LONGEST
    try:
        while not done.done():
            before = part.chunks
            wait([done], min(PATIENCE, max(0.0, end - time.monotonic())))
            if time.monotonic() >= end and not done.done():
                raise TimeoutError(f"it takes longer than {LONGEST:g} seconds")
            if part.chunks == before and not done.done():
                raise TimeoutError(f"next to nothing came in {PATIENCE:g} seconds")
    finally:
        part.given_up = True
    done.result()


def _try(url: str, part: Part) -> None:
    """Try once to bring a partial file to its end."""
    if part.given_up:
        return
    have = part.usable
    # The bytes as they are on the server's disk: resuming and checksums need those.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        headers |= {"If-Range": part.tag} if part.tag else {}
    hooks = {"response": _skip_body_of_redirect}
    with requests.get(url, headers=headers, hooks=hooks, stream=True, timeout=TIMEOUT) as response:
        if part.given_up:
            return
        if response.status_code == _NO_SUCH_RANGE:
            part.remove()  # the server knows no such rest of the file
        response.raise_for_status()
        _write(response, part, _whole_size(response, part, have))


def _skip_body_of_redirect(response: requests.Response, **_: object) -> None:
    if response.is_redirect:
        response.close()  # requests would read it, and it may have no end


def _whole_size(response: requests.Response, part: Part, have: int) -> int | None:
    """Prepare for what a response sends, all of the file or its rest; return the size of all.

    Raises:
        RequestException: It sends something else.
    """
    kind = response.headers.get("Content-Type", "").strip().lower()
    if kind.startswith(_PAGE_TYPES):
        raise requests.RequestException("a web page came instead of the file")
    left: int | None = response.raw.length_remaining
    if response.status_code == requests.codes.ok:
        part.begin(_tag(response))
        return left
    if response.status_code != requests.codes.partial_content or not have:
        raise requests.RequestException(
            f"{response.status_code} {response.reason} came instead of the file"
        )
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    same = not part.tag or _tag(response) in ("", part.tag)
    if not found or int(found[1]) != have or not same:
        part.remove()
        raise _Broken("another part came than the one asked for, or one of another file")
    return int(found[2]) if found[2] != "*" else None if left is None else have + left


def _tag(response: requests.Response) -> str:
    """Return what a server calls this version of a file, fit for If-Range; empty for nothing."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _write(response: requests.Response, part: Part, size: int | None) -> None:
    """Add what a response sends to a partial file."""
    most = MOST if size is None else min(size, MOST)
    if size is not None and size > MOST:
        raise requests.RequestException(f"it has {size} bytes, more than {MOST}")
    # Some servers call a .tgz an encoded .tar; requests would unpack it.
    response.raw.headers.pop("Content-Encoding", None)
    with part.path.open("ab") as file:
        have = file.tell()
        for chunk in _told(response.iter_content(_CHUNK), have, size):
            if part.given_up:
                return
            if not have and chunk.lstrip().lower().startswith(_PAGE_STARTS):
                raise requests.RequestException("a web page came instead of the file")
            have += len(chunk)
            if have > most:
                part.remove()
                raise requests.RequestException(f"it has more than {most} bytes")
            file.write(chunk)
            part.chunks += 1
        file.flush()
        os.fsync(file.fileno())
    if not have:
        raise requests.RequestException("an empty file came")
    if size is not None and have < size:
        raise _Broken(f"it broke off after {have} of {size} bytes")


def _told(chunks: Iterator[bytes], have: int, size: int | None) -> Iterator[bytes]:
    """Draw a bar of what comes."""
    with tqdm(total=size, initial=have, unit="B", unit_scale=True, ncols=79) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk))
