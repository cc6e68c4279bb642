"""Archives of tensors and plain values: written atomically, read without running any code."""

from __future__ import annotations

import errno
import pickle
import zipfile
from pathlib import Path
from typing import Any, TypeVar

import torch

from crossback_core.files import atomic_write

_T = TypeVar("_T")


def save_archive(payload: dict[str, Any], path: str | Path) -> None:
    """Write tensors and plain values atomically; the same payload gives the same bytes."""
    with atomic_write(path) as file:
        # To a file object: given a path, torch writes the (temporary) name into the archive.
        torch.save(payload, file)


def load_archive(path: str | Path) -> dict[str, Any]:
    """Read an archive, its checksums verified, without running code that it may hold.

    The file is read whole, not mapped into memory: a mapped file that another job replaces on a
    network file system would kill the process.

    Raises:
        ValueError: The file is truncated, changed, or holds more than plain values and tensors.
    """
    try:
        # torch reads a flipped bit without complaint; the archive's checksums tell.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"truncated or no archive: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a damaged header may send the reader before the start
            raise
        raise ValueError(f"truncated or no archive: {error}") from error
    if damaged is not None:
        raise ValueError(f"the checksum of its part {damaged} differs")
    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError("it holds more than plain values and tensors") from error
    if not isinstance(payload, dict):
        raise ValueError(f"it holds one {type(payload).__name__}, not named entries")
    return payload


def entry(entries: dict[str, Any], key: str, kind: type[_T]) -> _T:
    """Return an entry of the wanted type.

    Raises:
        ValueError: It is missing or of another type.
    """
    if key not in entries:
        raise ValueError(f"entry {key} is missing")
    value = entries[key]
    if not isinstance(value, kind):
        raise ValueError(f"entry {key} is a {type(value).__name__}, not a {kind.__name__}")
    return value
