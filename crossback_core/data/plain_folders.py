"""What lies in folders of own data, <modality>/<task>/<class>/<file>, and what of it is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from crossback_core.data.kind import EMPTY, NO_SAMPLE, TOO_DEEP, TOO_HIGH, UNKNOWN_SUFFIX, hidden
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.names import check_path, cleaned, name_of, spelt, task_name

if TYPE_CHECKING:  # it loads torch, which reading a configuration does without
    from crossback_core.data.modality import Modality

WANTED = "<task>/<class>/<name>"


@dataclass(frozen=True)
class File:
    """A file in the folder of a task, or a folder that holds none.

    Attributes:
        task: Name of the task.
        label: The class; nothing where the file is in the folder of none.
        path: Where it is.
        problem: Why it is not read, as `DatasetKind.index` words it; nothing where it is.
    """

    task: str
    label: str
    path: Path
    problem: str

    @property
    def group(self) -> str:
        """What ties a picture to its text; nothing ties what is not read."""
        name = "" if self.problem else _named(self.path, _stem)
        return f"{self.task}/{self.label}/{name}"


def task_folders(raw: Path) -> Iterator[tuple[str, str]]:
    """Yield the modality and the name of each task that has a folder.

    Raises:
        ValueError: The name of a folder cannot be one.
    """
    for modality in map(MODALITIES.find, MODALITIES.names()):
        for name in sorted(_named(each, task_name) for each in _folders(raw / modality.folder)):
            yield modality.name, name


def files_of(raw: Path, modality: Modality, *, only: str | None = None) -> Iterator[File]:
    """Yield what lies in the folders of tasks of a modality, class after class.

    Args:
        raw: The folder of the data set.
        modality: What the files are.
        only: The name of the one task that is wanted; None for all.

    Raises:
        ValueError: A name cannot be one.
    """
    place = raw / modality.folder
    for folder in _folders(place) if only is None else _folders_of(place, only):
        task = _named(folder, task_name)
        found = _visible(folder)
        if not found:
            yield File(task, "", folder, EMPTY)
        for entry in found:
            path = folder / entry.name
            if _is_folder(entry):
                yield from _files_of_class(task, path, modality)
            else:
                yield File(task, "", path, _problem(path, modality, TOO_HIGH))


def _files_of_class(task: str, folder: Path, modality: Modality) -> Iterator[File]:
    label = _named(folder, partial(name_of, "class"))
    found = _visible(folder)
    if not found:
        yield File(task, label, folder, EMPTY)
    for entry in found:
        path = folder / entry.name
        deep = _is_folder(entry)
        for file in _below(path) if deep else [path]:
            yield File(task, label, file, _problem(file, modality, TOO_DEEP if deep else ""))


def strays(raw: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file that is in the folder of no task, and why it is not read."""
    folders = [MODALITIES.find(name).folder for name in MODALITIES.names()]
    for entry in _visible(raw):
        path = raw / entry.name
        if entry.name not in folders or not _is_folder(entry):
            reason = f"{NO_SAMPLE}: {spelt(path.name)} is none of the folders "
            yield from ((file, reason + ", ".join(folders)) for file in _below(path))
            continue
        reason = f"{NO_SAMPLE}: {path.name}/{WANTED} is wanted"
        yield from ((path / file.name, reason) for file in _visible(path) if not _is_folder(file))


def beside(raw: Path, named: Iterable[str]) -> Iterator[Path]:
    """Yield the files that lie beside those that a table names, not below their folders.

    Args:
        raw: The folder of the data set.
        named: Paths relative to it. A file that is one of them by another path is none of those
            that are wanted.
    """
    real = cache(os.path.realpath)  # of a folder it is asked for each file in it
    folders: dict[str, Path] = {}  # by what they are without links
    read = set()
    for name in named:
        folder, _, file = name.rpartition("/")
        place = real(raw / folder)
        folders.setdefault(place, raw / folder)
        read.add(os.path.join(place, file))
    others = []
    for place, path in folders.items():
        for entry in _visible(path) if path.is_dir() else []:
            own = os.path.join(place, entry.name)
            file = os.path.realpath(own) if entry.is_symlink() else own
            if own in read:
                read.add(file)
            elif not _is_folder(entry):
                others.append((file, path / entry.name))
    yield from (path for file, path in others if file not in read)


def outside(folder: Path) -> Callable[[Path], bool]:
    """Return what says whether a path leads neither to a folder nor into it, by whatever links."""
    real = cache(os.path.realpath)
    place = Path(real(folder))

    def is_outside(path: Path) -> bool:
        found = Path(real(path) if path.is_symlink() else real(path.parent))
        return place != found and place not in found.parents

    return is_outside


def _below(path: Path) -> Iterator[Path]:
    """Yield a file, or those below a folder; one without any, or a link to one, stands for itself.

    There may be very many.
    """
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for place, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not hidden(Path(name)))
        found = sorted(name for name in names if not hidden(Path(name)))
        yield from (Path(place, name) for name in found)
        links = [link for name in folders if (link := Path(place, name)).is_symlink()]
        yield from links
        if not found and not folders:
            yield Path(place)


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, in order; such an entry knows without a look what it is."""
    with os.scandir(folder) as entries:
        return sorted((each for each in entries if not hidden(each)), key=lambda each: each.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # A link to itself is none; its entry raises OSError.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def _folders(path: Path) -> list[Path]:
    found = _visible(path) if path.is_dir() else []
    return [path / each.name for each in found if _is_folder(each)]


def _folders_of(path: Path, name: str) -> list[Path]:
    """Return the folders of one name: those of other writings of it are the same task."""
    return _by_name(path, path.stat().st_mtime_ns).get(name, []) if path.is_dir() else []


@lru_cache(maxsize=8)
def _by_name(path: Path, changed: int) -> dict[str, list[Path]]:
    """List the folders in a folder by their names, once for each of its times."""
    found: dict[str, list[Path]] = {}
    for folder in _folders(path):
        found.setdefault(cleaned(folder.name), []).append(folder)
    return found


def _named(path: Path, read: Callable[[str], str]) -> str:
    """Read the name of a folder or file; an error says where it is."""
    try:
        check_path(path.name)
        return read(path.name)
    except ValueError as error:
        raise ValueError(f"{spelt(str(path))}: {error}") from error


def _stem(name: str) -> str:
    return name_of("file", Path(name).stem)


def _problem(path: Path, modality: Modality, misplaced: str = "") -> str:
    """Say why a file is not read; one that nobody would take for a sample is none."""
    suffix = path.suffix.lower()
    if suffix in modality.suffixes:
        return misplaced and f"{misplaced}: {modality.folder}/{WANTED} is wanted"
    others = f"{spelt(suffix) or 'no suffix'} is none of {', '.join(modality.suffixes)}"
    return f"{UNKNOWN_SUFFIX}: {others}" if suffix in modality.unread else f"{NO_SAMPLE}: {others}"
