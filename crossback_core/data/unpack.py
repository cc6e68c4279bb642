"""Archives from the network, unpacked without trust: nothing lands outside its folder."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import math
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from crossback_core.section import shown
from crossback_core.wording import printable

_CHUNK = 1 << 20  # bytes
_MEMORY = 1 << 28  # bytes that unpacking a .xz may take; xz -9 asks for a quarter of that
_HEADER = 1 << 16  # bytes that may tell of one member, its name among them
_COMPRESSIONS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lambda path, mode: io.BufferedReader(_Xz(path, mode), _CHUNK),
}
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
            folder inside it; names the member. Or the folder is a link, or no folder.
    """
    folder = Path(folder)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(
            f"{folder} is a {'link' if folder.is_symlink() else 'file'}, and archives are unpacked"
            " there: remove it, or name a folder with the data as `raw` in the configuration"
        )
    part = folder.with_name(folder.name + ".part")
    _remove(part)
    part.mkdir(parents=True)
    try:
        budget = _Budget(limits)
        reserved = frozenset(
            {*notes, *(name for name, path in files.items() if not _is_archive(path))}
        )
        for name, path in files.items():
            _unpack_file(name, path, part, budget, reserved)
        for name, text in notes.items():
            (part / name).write_text(text, encoding="utf-8")
        _remove(folder)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _remove(path: Path) -> None:
    """Remove a folder and all in it; of a link only itself."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


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


def _unpack_file(
    name: str, path: Path, folder: Path, budget: _Budget, reserved: frozenset[str]
) -> None:
    """Unpack an archive, or copy another file; members may not be called like `reserved` files."""
    if not _is_archive(path):
        shutil.copyfile(path, folder / name)
        return
    place = str(path)
    try:
        for member in _zip_members(path) if path.suffix == ".zip" else _tar_members(path):
            place = f"{path}, member {shown(member.name)}"
            _write(member, folder, budget, reserved)
    except _DAMAGES as error:
        raise ValueError(
            f"{place}: the archive is damaged or not readable ({printable(error)})"
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ValueError(f"{place} is a file and a folder at once") from error
    except ValueError as error:
        raise ValueError(f"{place}: {printable(error)}") from error
    except OSError as error:
        # A name longer than the file system allows, a place before the archive's beginning, or what
        # bz2 says of damaged data.
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, None):
            raise
        raise ValueError(f"{place}: {error.strerror or error}") from error


def _is_archive(path: Path) -> bool:
    return path.suffix == ".zip" or not {".tar", ".tgz"}.isdisjoint(path.suffixes)


class _Xz(io.RawIOBase):
    """What a .xz file holds. Python's own reader takes the memory that the file asks for."""

    def __init__(self, path: Path, mode: Literal["rb"]) -> None:
        super().__init__()
        self._file = path.open(mode)
        self._decoder = lzma.LZMADecompressor(memlimit=_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        found = b""
        while not found:
            more = self._file.read(_CHUNK) if self._decoder.needs_input else b""
            if self._decoder.eof:  # a file may hold several streams, and zeros after each
                more = self._decoder.unused_data.lstrip(b"\0") or self._file.read(_CHUNK).lstrip(
                    b"\0"
                )
                if not more:
                    return 0
                self._decoder = lzma.LZMADecompressor(memlimit=_MEMORY)
            elif self._decoder.needs_input and not more:
                raise EOFError("it is cut off")
            found = self._decoder.decompress(more, len(target))
        target[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Headers(io.RawIOBase):
    """The bytes of a tar archive, of which few may be read between the contents of two members.

    tarfile reads what stands before a member whole, however long: a long name, or what one of pax
    says.

    Attributes:
        left: How many bytes may be read before the next content.
        last: What was read last.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._place = 0
        self.left: float = _HEADER
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        self.left -= size
        if size < 0 or self.left < 0:
            raise ValueError(f"its name and what else is said of it have more than {_HEADER} bytes")
        self.last = self._forward(size)
        return self.last

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        while self._place < offset and self._forward(min(_CHUNK, offset - self._place)):
            pass
        if self._place > offset:
            raise ValueError("leads back, to what was read already")
        return self._place

    def tell(self) -> int:
        return self._place

    def _forward(self, size: int) -> bytes:
        found = self._stream.read(size)
        self._place += len(found)
        return found


def _tar_members(path: Path) -> Iterator[_Member]:
    with _plain(path) as stream:
        headers = _Headers(stream)
        with tarfile.open(fileobj=headers, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would remember them all
                headers.left = math.inf
                yield _Member(member.name, _kind(member), partial(_tar_content, archive, member))
                headers.left = _HEADER
            if headers.last.strip(b"\0"):  # tarfile takes a damaged header for the end
                raise tarfile.ReadError("the header of a member")


def _plain(path: Path) -> IO[bytes]:
    """Open a file as if it were not compressed."""
    with path.open("rb") as file:
        start = file.read(6)
    for magic, opener in _COMPRESSIONS.items():
        if start.startswith(magic):
            stream: IO[bytes] = opener(path, "rb")
            return stream
    return path.open("rb")


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "link"
    if member.isdev():
        return "device"
    return "folder" if member.isdir() else "file" if member.isreg() else "other"


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
            if member.compress_type == zipfile.ZIP_LZMA:  # it may ask for any memory
                kind = "file packed by LZMA"
            yield _Member(member.filename, kind, partial(archive.open, member))


def _write(member: _Member, folder: Path, budget: _Budget, reserved: frozenset[str]) -> None:
    """Write one member, in chunks: the sizes that an archive states may be wrong."""
    budget.take_member()
    place = _inside(member.name)
    if place.parts[:1] and place.parts[0] in reserved:
        raise ValueError(f"{place.parts[0]} is the name of a file that is put beside the members")
    target = folder / place
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
