"""Files: atomic writes, text, CSV, JSON, YAML and hashes."""

from __future__ import annotations

import contextlib
import csv
import errno
import glob
import hashlib
import io
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import yaml
from filelock import FileLock

from crossback_core.wording import printable

if TYPE_CHECKING:  # a script's log imports this module before it is open: keep it light
    import pandas as pd

_DEEPEST = 50  # levels of a YAML file
_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary file that appears under `path` only when the block ends without an error.

    The bytes go to a temporary file in the same folder, are synced and then renamed. On any error
    the temporary file is removed and what `path` held before stays whole. What a killed process
    left is removed by the next write that succeeds.

    Args:
        path: The file to write; missing folders are made.

    Yields:
        The open temporary file; its `name` is a path for libraries that insist on one.

    Raises:
        OSError: The disk is full or the quota used up; the message says so.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _remove_leftovers(path)
        _sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        full = _disk_full(error)
        if full is None:
            raise
        raise OSError(full, _full_text(full, path)) from error


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of `path` left."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.tmp"):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder and say "invalid argument".
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _disk_full(error: BaseException | None) -> int | None:
    """Return the errno of a full disk behind `error`: writers such as torch's wrap it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _full_text(number: int, path: Path) -> str:
    return (
        f"{_FULL[number]}: {path} could not be written; what was written earlier is whole: "
        "make room and run the same command again"
    )


def reason(error: OSError) -> str:
    """Say why a file could not be written."""
    return _FULL.get(error.errno or 0, str(error))


def copy_file(source: str | Path, path: str | Path) -> None:
    """Copy a file, atomically."""
    with atomic_write(path) as file, open(existing(source), "rb") as content:
        shutil.copyfileobj(content, file)


def write_text(text: str, path: str | Path) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write the columns of `frame` (not its index) as CSV, atomically."""
    write_text(frame.to_csv(index=False, lineterminator="\n"), path)


@contextlib.contextmanager
def exclusive(folder: str | Path) -> Iterator[None]:
    """Let one process at a time work in a folder, on this machine or over a network."""
    path = Path(folder) / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


def read_csv(path: str | Path, *, as_text: bool = False, names: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table that `write_csv` wrote.

    A table has no hash: one that is cut off is refused, unless it was cut exactly between two
    rows; a changed digit is not noticed.

    Args:
        path: The file.
        as_text: Leave all values as they are written, also "null" and "".
        names: Columns whose values are left as they are written; None where there is none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is cut off or is no table.
    """
    import pandas as pd

    content = existing(path).read_bytes()
    try:
        _check_rows(content.decode())
        as_written: dict[str, Any] = {"dtype": str, "keep_default_na": False}
        options = as_written if as_text else {}
        frame: pd.DataFrame = pd.read_csv(io.BytesIO(content), **options)
        if names:
            texts = pd.read_csv(io.BytesIO(content), **as_written)
            kept = [name for name in names if name in texts]
            frame[kept] = texts[kept].where(texts[kept] != "", None)
    except (ValueError, csv.Error) as error:  # those of pandas are ValueErrors
        raise ValueError(
            f"{path} is damaged or not a table ({printable(error)}): remove it and run again"
        ) from error
    return frame


def _check_rows(text: str) -> None:
    """Refuse a table whose last row is not ended or whose rows differ in length."""
    if not text.endswith("\n"):
        raise ValueError("it is cut off")
    lengths = {len(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True)}
    if len(lengths) != 1:
        raise ValueError("its rows differ in length")


def write_json(value: Any, path: str | Path) -> None:
    """Write `value` as JSON, keys in the order given, atomically.

    Args:
        value: Plain values; NumPy scalars and tensors of one element are written as numbers.
        path: The file to write.

    Raises:
        ValueError: A number is NaN or infinite: JSON has none, nor should a result.
        TypeError: A value has no JSON form.
    """
    try:
        text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path} was not written: {error}") from error
    write_text(text + "\n", path)


def _plain(value: Any) -> Any:
    """Return the Python number of a NumPy scalar or a tensor of one element."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} has no JSON form")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON (a truncated one is not), or not as `decoded` wants it.
    """
    path = existing(path)
    try:
        return decoded(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is damaged or not JSON ({printable(error)}): remove it and run again"
        ) from error


def decoded(text: str) -> Any:
    """Return the values that a JSON text holds.

    Raises:
        ValueError: It is none, a number is NaN or infinite, or a key is there twice.
        RecursionError: It is too deep.
    """
    return json.loads(
        text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=_distinct
    )


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not a JSON number")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"the key {printable(name)!r} is there twice")
        values[name] = value
    return values


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file of plain values without aliases, which could unfold to more than it holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not such YAML.
    """
    path = existing(path)
    try:
        text = path.read_text(encoding="utf-8")
        _check_events(yaml.parse(text))
        return yaml.safe_load(text)
    except (ValueError, LookupError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is not YAML: {printable(error)}") from error


def _check_events(events: Iterable[yaml.Event]) -> None:
    """Refuse what unfolds, and depth, before the parser goes there: it takes its square in time."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases (*name) are not allowed")
        if depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} levels are not allowed")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(existing(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def existing(path: str | Path, *, hint: str = "") -> Path:
    """Return the path of a file that is there.

    Args:
        path: Of the file.
        hint: What to do where there is none, after a colon.

    Raises:
        FileNotFoundError: Nothing is there, or a folder or device.
    """
    path = Path(path)
    if path.is_file():
        return path
    what = "does not exist" + (f": {hint}" if hint else "")
    if path.exists():
        what = f"is a {'folder' if path.is_dir() else 'device'}: give a file"
    raise FileNotFoundError(f"{path} {what}")
