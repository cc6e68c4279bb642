"""One file under several names: another spelling of its path, a link, a link to its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath


def first_names(raw: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the first name of the file that each name leads to.

    The first is that of no symbolic link, then the first in alphabetical order: one link more
    gives no other file another first name.

    Args:
        raw: A folder.
        names: Paths relative to it; one that leads nowhere is a file of its own.
    """
    found: dict[tuple[int, int] | str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(_identity(raw / name) or name, []).append(name)
    firsts: dict[str, str] = {}
    for same in found.values():
        first = same[0] if len(same) == 1 else min(same, key=lambda name: _is_linked(raw, name))
        firsts |= dict.fromkeys(same, first)
    return firsts


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    # Some network file systems number no files: all are 0 there.
    return (stat.st_dev, stat.st_ino) if stat.st_ino else None


def _is_linked(raw: Path, name: str) -> bool:
    """Say whether a file, or a folder on the way to it, is a symbolic link."""
    path = PurePosixPath(name)
    return any((raw / part).is_symlink() for part in (path, *path.parents[:-1]))


class Joined:
    """Names of groups, some of which were joined to one."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def __getitem__(self, group: str) -> str:
        """Return the name of the group that one belongs to."""
        while group in self._of:
            group = self._of[group]
        return group

    def join(self, first: str, other: str) -> None:
        """Make one group of two, with the name of the first."""
        first, other = self[first], self[other]
        if first != other:
            self._of[other] = first
