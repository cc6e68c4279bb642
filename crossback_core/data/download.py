"""Downloads: checked against a checksum, retried and resumed; a partial file never looks whole."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

from crossback_core.data.fetching import CannotFetch, Part, fetch, without_secrets
from crossback_core.data.sources import RemoteFile
from crossback_core.storage.files import write_text

logger = logging.getLogger(__name__)


def download(source: RemoteFile, path: str | Path) -> None:
    """Fetch a file and check it; one that is there already is only checked.

    Where a download breaks off, what has arrived stays beside `path` as `.part`; the next one goes
    on from there if the server can do that, and if it can be told that the file is still the same.
    Where no checksum is known, that of the first download is kept beside `path` as `.sha256`, and
    later files must have it.

    Raises:
        OSError: If the file cannot be fetched, is empty, has no end, or a web page comes in its
            place; says how to get it by hand. No message holds what an address keeps secret.
        ValueError: If its checksum is another.
    """
    path = Path(path)
    if path.is_file():
        check_file(source, path)
        return
    part = Part(path.with_name(path.name + ".part"), held_to=_expected(source, path))
    part.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fetch(source.url, part)
    except CannotFetch as error:
        # Nor may the traceback in a log hold a password.
        raise OSError(f"{_reason(source, error)}. {_by_hand(source, path)}") from None
    try:
        _check(source, part.path, _record(path))
    except ValueError as error:
        part.remove()  # the next download must not go on from a wrong file
        raise ValueError(f"{error}; it was removed. {_by_hand(source, path)}") from error
    part.become(path)


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


def _expected(source: RemoteFile, path: Path) -> str | None:
    return source.checksum or _recorded(_record(path))


def _recorded(record: Path) -> str | None:
    """Return the checksum of the first download."""
    if not record.is_file():
        return None
    digits = record.read_text(encoding="utf-8", errors="replace")[:64]
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ValueError(f"{record} does not begin with a SHA-256: remove it and run again")
    return f"sha256:{digits}"


def _check(source: RemoteFile, path: Path, record: Path) -> str:
    expected = source.checksum or _recorded(record)
    method, _, digits = (expected or "sha256:").partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, method).hexdigest()
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


def _reason(source: RemoteFile, error: CannotFetch) -> str:
    address = without_secrets(source.url)
    return f"{source.name} could not be downloaded from {address} ({error})"


def _by_hand(source: RemoteFile, path: Path) -> str:
    page = source.page if source.page != source.url else without_secrets(source.page)
    return (
        f"Get it by hand from {page} and put it at {path}; or name another copy under `urls`"
        " of the data set in the configuration, or a folder with the data as `raw`; then run again"
    )
