"""Archives from the network, unpacked without trust: nothing lands outside its folder."""

from __future__ import annotations

import errno
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

_CHUNK = 1 << 20  # bytes
_DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    IndexError,  # zipfile's, for a member without a name
    RuntimeError,  # zipfile's, for a member with a password
)


@dataclass(frozen=True)
class Limits:
    """The most that all archives of a data set may unpack to."""

    size: int = 100 << 30  # bytes
    members: int = 2_000_000


@dataclass(frozen=True)
class _Member:
    """One entry of an archive.

    Args:
        name: Its path, as the archive has it.
        kind: "file" or "folder"; otherwise what it is, for messages.
        open: Returns the content of a file.
    """

    name: str
    kind: str
    open: Callable[[], IO[bytes]]


_LIMITS = Limits()


def unpack(
    files: Mapping[str, Path],
    folder: str | Path,
    *,
    notes: Mapping[str, str],
    limits: Limits = _LIMITS,
) -> None:
    """Unpack archives into one folder, which appears only when it is whole.

    Args:
        files: The archives (.zip, or .tar with any compression) by name; others are copied.
        folder: Where they go; an earlier folder is replaced.
        notes: Texts of more files in that folder, by name.
        limits: The most that may be unpacked.

    Raises:
        ValueError: If an archive is damaged, too large, or has a member that is no plain file or
            folder inside it; names the member.
    """
    folder = Path(folder)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        budget = _Budget(limits)
        for name, path in files.items():
            _unpack_file(name, path, part, budget)
        for name, text in notes.items():
            (part / name).write_text(text, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


class _Budget:
    """Adds up what archives hold, and refuses what is beyond the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._size = 0
        self._members = 0

    def take_member(self) -> None:
        self._members += 1
        if self._members > self._limits.members:
            raise ValueError(f"there are more than {self._limits.members} members")

    def take_bytes(self, count: int) -> None:
        self._size += count
        if self._size > self._limits.size:
            raise ValueError(f"the unpacked files have more than {self._limits.size} bytes")


def _unpack_file(name: str, path: Path, folder: Path, budget: _Budget) -> None:
    members = _members_of(path)
    if members is None:
        shutil.copyfile(path, folder / name)
        return
    place = str(path)
    try:
        for member in members:
            place = f"{path}, member {member.name!r}"
            _write(member, folder, budget)
    except _DAMAGES as error:
        raise ValueError(f"{place}: the archive is damaged or not readable ({error})") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ValueError(f"{place} is a file and a folder at once") from error
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    except OSError as error:
        # A name longer than the file system allows, or a place before the archive's beginning.
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):
            raise
        raise ValueError(f"{place}: {error.strerror}") from error


def _members_of(path: Path) -> Iterator[_Member] | None:
    """Walk through an archive; None if a file's name is not that of an archive."""
    if path.suffix == ".zip":
        return _zip_members(path)
    return _tar_members(path) if {".tar", ".tgz"} & set(path.suffixes) else None


def _tar_members(path: Path) -> Iterator[_Member]:
    with tarfile.open(path) as archive:
        for member in archive:
            kind = "folder" if member.isdir() else "file" if member.isreg() else "other"
            kind = "link" if member.issym() or member.islnk() else kind
            kind = "device" if member.isdev() else kind
            yield _Member(member.name, kind, partial(_tar_content, archive, member))


def _tar_content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    if content is None:
        raise ValueError("has no content")
    return content


def _zip_members(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16  # of Unix; 0 where the archive was made elsewhere
            kind = "folder" if member.is_dir() else "file"
            kind = kind if stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR) else "device"
            kind = "link" if stat.S_ISLNK(mode) else kind
            yield _Member(member.filename, kind, partial(archive.open, member))


def _write(member: _Member, folder: Path, budget: _Budget) -> None:
    """Write one member, in chunks: the sizes that an archive states may be wrong."""
    budget.take_member()
    target = folder / _inside(member.name)
    if member.kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
    elif member.kind == "file":
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as content, target.open("wb") as file:
            while chunk := content.read(_CHUNK):
                budget.take_bytes(len(chunk))
                file.write(chunk)
    else:
        raise ValueError(f"is a {member.kind}; only files and folders are unpacked")


def _inside(name: str) -> PurePosixPath:
    """Return a member's path, if it stays in the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ValueError("leads out of the folder")
    return path
