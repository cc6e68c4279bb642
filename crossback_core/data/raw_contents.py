"""What a task is made of, as one digest: planning a workflow asks whether it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from crossback_core.data.encoder import folder_of
from crossback_core.data.kind import EMPTY, KINDS, hidden
from crossback_core.data.settings import DatasetSettings
from crossback_core.storage.digests import digest_of


@cache  # whatever is added later, all jobs of a run are planned by the same
def contents_of(dataset: DatasetSettings, task: str, memory: Path) -> str:
    """Return a digest of the raw data of a task: names, contents, and rows of a table.

    Args:
        dataset: Its settings.
        task: Its id.
        memory: A folder, where digests of files are remembered.

    Raises:
        ValueError: The data are not as they should be.
    """
    raw = Path(dataset.raw)
    sources = KINDS.find(dataset.kind).sources
    if sources is None:
        return _folder_contents(raw, memory / "all")
    found = sources(raw, task)
    files = digest_of(found.files, root=raw, memory=memory / task)
    return sha256(f"{files}\n{found.text}".encode()).hexdigest()


@cache
def unread(dataset: DatasetSettings) -> str:
    """Return a digest of the names of the files of a data set that are not read.

    Raises:
        ValueError: The data are not as they should be.
    """
    find = KINDS.find(dataset.kind).unread
    found = find(Path(dataset.raw), dataset) if find else []
    names = [name for _, _, name, problem in found if problem != EMPTY]  # a clone lacks those
    return sha256("\n".join(sorted(names)).encode()).hexdigest()


def encoder_contents(dataset: DatasetSettings, modalities: Sequence[str], memory: Path) -> str:
    """Return a digest of a local text encoder; nothing where none is used, or one by name.

    Args:
        dataset: Its settings.
        modalities: Of the samples that are read.
        memory: A folder, where digests of files are remembered.

    Raises:
        FileNotFoundError: It looks like a path, and there is no such folder.
    """
    encoder = getattr(dataset, "encoder", None)
    if encoder is None or "text" not in modalities:
        return ""
    folder = folder_of(encoder)
    return "" if folder is None else _folder_contents(folder, memory / "encoder")


def _counts(path: Path, folder: Path) -> bool:
    """Say whether a file is of a folder itself: not of git, of a cache or of a file manager."""
    return not any(hidden(Path(part)) for part in path.relative_to(folder).parts)


@cache
def _folder_contents(folder: Path, memory: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file() and _counts(path, folder)]
    return digest_of(files, root=folder, memory=memory)
