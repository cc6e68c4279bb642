"""One file under several names: another spelling of its path, a link, a link to its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def first_names(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the first name, in alphabetical order, of the file that each name leads to.

    Args:
        files: Paths by name; one that leads nowhere is a file of its own.
    """
    found: dict[tuple[int, int], str] = {}
    firsts = {}
    for name in sorted(files):
        try:
            stat = files[name].stat()
        except OSError:
            firsts[name] = name
            continue
        # Some network file systems number no files: all are 0 there.
        known = stat.st_ino != 0
        firsts[name] = found.setdefault((stat.st_dev, stat.st_ino), name) if known else name
    return firsts


class Joined:
    """Names of groups, some of which were joined to one."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def __getitem__(self, group: str) -> str:
        """Return the first name, in alphabetical order, of the groups that one was joined with."""
        while group in self._of:
            group = self._of[group]
        return group

    def join(self, one: str, other: str) -> None:
        """Make one group of two."""
        first, last = sorted((self[one], self[other]))
        if first != last:
            self._of[last] = first
