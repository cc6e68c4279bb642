"""Downloads: checked against a checksum, retried and resumed; a partial file never looks whole."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import BinaryIO

import pooch
import requests
import tenacity

from crossback_core.data.sources import RemoteFile
from crossback_core.storage.files import write_text

logger = logging.getLogger(__name__)

_TIMEOUT = 60  # seconds without a byte
_CHUNK = 1 << 16  # bytes; a broken connection loses the last, incomplete one
_NO_SUCH_RANGE = 416
_BUSY = (408, 425, 429, 500, 502, 503, 504, _NO_SUCH_RANGE)


def _may_pass(error: BaseException) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in _BUSY
    broken = requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    return isinstance(error, broken)


_RETRIES = tenacity.Retrying(
    stop=tenacity.stop_after_attempt(6),
    wait=tenacity.wait_exponential(multiplier=0.5, max=60),  # 0.5, 1, 2, 4 and 8 seconds
    retry=tenacity.retry_if_exception(_may_pass),
    before_sleep=tenacity.before_sleep_log(logger, logging.WARNING),
    reraise=True,
)


def download(source: RemoteFile, path: str | Path) -> None:
    """Fetch a file and check it; one that is there already is only checked.

    Where a download breaks off, what has arrived stays beside `path` as `.part`; the next one goes
    on from there if the server can do that. Where no checksum is known, that of the first download
    is kept beside `path` as `.sha256`, and later files must have it.

    Raises:
        OSError: If the file cannot be fetched; says how to get it by hand.
        ValueError: If its checksum is another.
    """
    path = Path(path)
    if path.is_file():
        check_file(source, path)
        return
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        _RETRIES(_fetch, source.url, part)
    except requests.RequestException as error:
        raise OSError(f"{_reason(source, error)}. {_by_hand(source, path)}") from error
    try:
        _check(source, part, _record(path))
    except ValueError as error:
        part.unlink()  # the next download must not go on from a wrong file
        raise ValueError(f"{error}; it was removed. {_by_hand(source, path)}") from error
    os.replace(part, path)


def check_file(source: RemoteFile, path: str | Path) -> str:
    """Check a file by its checksum: the known one, or else that of its first download.

    Returns:
        The checksum, "method:digits".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another file.
    """
    path = Path(path)
    try:
        return _check(source, path, _record(path))
    except ValueError as error:
        raise ValueError(f"{error}. Remove {path} and run again, or replace it") from error


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _check(source: RemoteFile, path: Path, record: Path) -> str:
    expected = source.checksum
    if expected is None and record.is_file():
        expected = "sha256:" + record.read_text(encoding="utf-8").split()[0]
    method, _, digits = (expected or "sha256:").partition(":")
    found = pooch.file_hash(str(path), alg=method)
    if expected is None:
        write_text(f"{found}  {source.name}\n", record)
        logger.info("no checksum of %s is known: %s keeps that of this file", path, record)
    elif found != digits:
        wanted = (
            f"remove {record}" if source.checksum is None else "let its address end in #md5=..."
        )
        raise ValueError(
            f"{source.name} is damaged or another file: its {method} is {found}, not {digits}"
            f" (if it is the right one, {wanted})"
        )
    return f"{method}:{found}"


def _fetch(url: str, part: Path) -> None:
    """Try once to bring a partial file to its end."""
    with part.open("ab") as file, contextlib.ExitStack() as opened:
        have = file.tell()
        fetch = pooch.HTTPDownloader(
            progressbar=True,
            chunk_size=_CHUNK,
            timeout=_TIMEOUT,
            # The bytes as they are on the server's disk: resuming and checksums need those.
            headers={"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {}),
            hooks={"response": lambda response, **_: _take_up(response, file, opened)},
        )
        fetch(url, file, None)
        file.flush()
        os.fsync(file.fileno())


def _take_up(response: requests.Response, file: BinaryIO, opened: contextlib.ExitStack) -> None:
    """Prepare for what a response sends: the rest of the file, all of it or something else."""
    opened.callback(response.close)
    if response.status_code in (requests.codes.ok, _NO_SUCH_RANGE):
        file.truncate(0)  # the server begins again, or knows no such rest of the file
    if response.ok and response.headers.get("Content-Type", "").startswith("text/html"):
        raise requests.RequestException("a web page came instead of the file", response=response)
    # Some servers call a .tgz an encoded .tar; requests would unpack it.
    response.raw.headers.pop("Content-Encoding", None)


def _reason(source: RemoteFile, error: requests.RequestException) -> str:
    return f"{source.name} could not be downloaded from {source.url} ({error})"


def _by_hand(source: RemoteFile, path: Path) -> str:
    return (
        f"Get it by hand from {source.page} and put it at {path}; or name another copy under `urls`"
        " of the data set in the configuration, or a folder with the data as `raw`; then run again"
    )
