"""Files that data sets are published in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class RemoteFile:
    """A file of a published data set.

    Args:
        name: The file's name on disk.
        url: Where it is fetched from; it may hold a password, so nothing prints it.
        page: Where people can get it by hand.
        checksum: "md5:..." or "sha256:..." of the file; None where its publisher names none.
    """

    name: str
    url: str = field(repr=False)
    page: str = field(repr=False)
    checksum: str | None = None


def drive_file(name: str, file: str, key: str) -> RemoteFile:
    """Describe a file on Google Drive that needs a resource key.

    The address is the one behind Drive's page "too large to be scanned for viruses", with that
    page's answer in it (`confirm=t`).
    """
    return RemoteFile(
        name=name,
        url=(
            "https://drive.usercontent.google.com/download"
            f"?id={file}&export=download&confirm=t&resourcekey={key}"
        ),
        page=f"https://drive.google.com/file/d/{file}/view?resourcekey={key}",
    )


def relocated(files: Sequence[RemoteFile], urls: Mapping[str, str]) -> tuple[RemoteFile, ...]:
    """Return files with other addresses.

    Args:
        files: As published.
        urls: Other addresses by file name. One that ends in #md5=... or #sha256=... leads to
            another file, with that checksum. Otherwise the known checksum applies.
    """
    return tuple(_at(file, urls.get(file.name)) for file in files)


def _at(file: RemoteFile, url: str | None) -> RemoteFile:
    if url is None:
        return file
    address, _, checksum = url.partition("#")
    if checksum:
        return replace(file, url=address, page=address, checksum=checksum.replace("=", ":"))
    return replace(file, url=address)
