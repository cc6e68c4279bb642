"""Archives of tensors and plain values: written atomically, read without running any code."""

from __future__ import annotations

import io
import pickletools
import re
import struct
import zipfile
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from crossback_core.section import shown
from crossback_core.storage.files import atomic_write
from crossback_core.wording import printable

_T = TypeVar("_T")

_DAMAGES = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    struct.error,
    OSError,  # a damaged header may send the reader before the start
    UnicodeError,
    OverflowError,
)
_GLOBALS = re.compile(
    r"torch\._utils _rebuild_tensor_v2|collections OrderedDict|torch [A-Z]\w*Storage"
)
_FOREIGN = {"INST", "OBJ", "NEWOBJ", "EXT1", "EXT2", "EXT4", "DUP", "PERSID"}
_DEEPEST = 50  # containers in containers; a checkpoint has 4, a training's state 7


def save_archive(payload: dict[str, Any], path: str | Path) -> None:
    """Write tensors and plain values atomically; the same payload gives the same bytes.

    It is put together in memory. torch aborts the process when a file fails or Ctrl-C comes while
    it writes; given a path, it would write the (temporary) name into the archive as well.
    """
    whole = io.BytesIO()
    torch.save(payload, whole)
    with atomic_write(path) as file:
        file.write(whole.getbuffer())


class ForeignError(ValueError):
    """A file of another sort, which nothing damaged: whoever keeps it may need it."""


def load_archive(path: str | Path) -> dict[str, Any]:
    """Read an archive, its checksums verified, without running code that it may hold.

    The file is read once and whole: what is verified is what is loaded, also where another job
    replaces the file meanwhile. (A mapped file that is replaced on a network file system would
    kill the process.)

    Raises:
        FileNotFoundError: There is no such file.
        ForeignError: The file is no archive of this project's, and was none before.
        ValueError: The file is truncated, changed, or holds more than plain values and tensors, or
            tensors that claim more memory than it has bytes.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        return _loaded(data)
    except ForeignError:
        raise
    except ValueError as error:
        if path.suffix == ".pt":
            raise
        raise ForeignError(f"is no archive of tensors ({error}): give another file") from error


def _loaded(data: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            contents = _checked_contents(archive, len(data))
    except _DAMAGES as error:
        raise ValueError(f"truncated or no archive: {printable(error)}") from error
    try:
        payload = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile pickle raises whatever it makes torch trip over
        raise ForeignError("holds more than plain values and tensors: do not trust it") from error
    if not isinstance(payload, dict):
        raise ForeignError(f"holds one {type(payload).__name__}, not named entries")
    _check_extent(payload, values=len(contents), size=len(data))
    return payload


def _checked_contents(archive: zipfile.ZipFile, size: int) -> bytes:
    """Check each part, which torch does not; return the part that lists the contents.

    Args:
        archive: Whose parts are checked.
        size: How many bytes it has: parts that overlap claim more.
    """
    parts = archive.infolist()
    for part in parts:
        # torch compresses none. What says otherwise is damaged, or made to burst.
        if part.compress_type != zipfile.ZIP_STORED or part.compress_size != part.file_size:
            raise ValueError(f"its part {shown(part.filename)} says that it is compressed")
    if sum(part.file_size for part in parts) > size:
        raise ValueError(f"its parts claim more than the {size} bytes that it has")
    damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of its part {shown(damaged)} differs")
    listings = [part for part in parts if part.filename.endswith("/data.pkl")]
    if len(listings) != 1 or len({part.filename for part in parts}) != len(parts):
        raise ValueError("it lacks a part or has one twice")
    contents = archive.read(listings[0])
    _check_opcodes(contents)
    return contents


def _check_opcodes(contents: bytes) -> None:
    """Refuse a pickle that asks for more than `save_archive` ever writes.

    `weights_only` keeps code from running; but it knows more types than plain values and tensors,
    some of which take as much memory as the file asks for.
    """
    for opcode, argument, _ in pickletools.genops(contents):
        known = opcode.name != "GLOBAL" or _GLOBALS.fullmatch(str(argument))
        if opcode.proto > 2 or opcode.name in _FOREIGN or not known:
            raise ForeignError(
                f"holds more than plain values and tensors ({opcode.name}): do not trust it"
            )


def _check_extent(payload: dict[str, Any], *, values: int, size: int) -> None:
    """Refuse values without end and tensors that repeat few bytes without end.

    Args:
        payload: What was read.
        values: How many values there may be, for a value takes a byte at least.
        size: How many bytes the tensors may have.
    """
    waiting: list[tuple[Any, int]] = [(payload, 0)]
    while waiting:
        value, depth = waiting.pop()
        values -= 1
        if isinstance(value, Tensor):
            size -= value.nbytes
        if values < 0 or size < 0 or depth > _DEEPEST:
            raise ValueError("it unfolds to more than it holds")
        if isinstance(value, dict):
            waiting.extend((item, depth + 1) for pair in value.items() for item in pair)
        elif isinstance(value, list | tuple):
            waiting.extend((item, depth + 1) for item in value)


def entry(entries: dict[str, Any], key: str, kind: type[_T]) -> _T:
    """Return an entry of the wanted type.

    Raises:
        ValueError: It is missing or of another type.
    """
    if key not in entries:
        raise ValueError(f"entry {key} is missing")
    value = entries[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"entry {key} is a {type(value).__name__}, not a {kind.__name__}")
    return value
