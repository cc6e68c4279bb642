"""Things that configurations and files name: one file each in a package, or from elsewhere."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Generic, TypeVar, cast

from crossback_core.section import unknown

_T = TypeVar("_T")


class Registry(Generic[_T]):
    """What of one sort can be named, imported when it is asked for.

    The files of a package are registered under their names; other packages register theirs, under
    other names, by an entry point of the group that is named like the package.

    Args:
        what: Word for one of them, for messages.
        package: Whose files hold one each.
        attribute: Under which a file holds it.
    """

    def __init__(self, what: str, *, package: str, attribute: str) -> None:
        self.what = what
        self.package = package
        self.attribute = attribute
        self._added: dict[str, _T] = {}

    def add(self, name: str, thing: _T) -> None:
        """Register a thing for the time of the process.

        Raises:
            ValueError: The name belongs to another one.
        """
        if name in self.names() and self._added.get(name) is not thing:
            raise ValueError(f"{self.what} {name!r} exists already: choose another name")
        self._added[name] = thing

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        others = (point.name for point in entry_points(group=self.package))
        return tuple(sorted({*self._files(), *others, *self._added}))

    def find(self, name: str) -> _T:
        """Return the thing of a name.

        Raises:
            ValueError: There is none.
        """
        if name in self._added:
            return self._added[name]
        if name in self._files():
            return cast(_T, getattr(import_module(f"{self.package}.{name}"), self.attribute))
        for point in entry_points(group=self.package, name=name):
            return cast(_T, point.load())
        raise ValueError(unknown(self.what, name, self.names()))

    def _files(self) -> set[str]:
        return {module.name for module in iter_modules(import_module(self.package).__path__)}
