"""What names of tasks, classes and groups may be, and when two of them are one name."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from crossback_core.section import shown
from crossback_core.wording import JOINERS

if TYPE_CHECKING:  # planning a workflow reads names: keep this light
    import pandas as pd

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # Unicode's general categories
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters and marks that show nothing
_BLANKS = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")  # Unicode's category Zs
_IN_PATHS = "_-.+"  # beside letters, marks and digits of any script
_LONGEST = 100  # bytes: a file's name has other parts beside it, and 255 in all


def cleaned(name: str) -> str:
    """Return a name as it is compared and written.

    In Unicode's form C, without blanks at its ends; those within are each one plain blank.
    """
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", name)).strip()


def name_of(what: str, given: str) -> str:
    """Return the name of a class or a group, cleaned.

    Args:
        what: It names, for messages.
        given: As a folder or a table has it.

    Raises:
        ValueError: It is blank, or has a character that nobody sees.
    """
    name = cleaned(given)
    hidden = [each for each in name if _is_invisible(each)]
    hidden += [each for each in (name[:1], name[-1:]) if each in JOINERS and each]
    if not name or hidden:
        problem = f"the invisible character {_shown(hidden[0])}" if hidden else "only blanks"
        raise ValueError(f"{what} {shown(given)} has {problem}: rename it")
    return name


def task_name(given: str) -> str:
    """Return the name of a task, cleaned; it becomes part of paths.

    Raises:
        ValueError: It is too long, or has a character that a path, Snakemake or a terminal may
            take for something else.
    """
    name = name_of("task", given)
    wrong = [each for each in name if not (_is_written(each) or each in _IN_PATHS)]
    if wrong:
        raise ValueError(
            f"task {shown(name)} has the character {_shown(wrong[0])}: rename it; the names of"
            f" tasks become names of files, and have letters, digits and {' '.join(_IN_PATHS)}"
        )
    size = len(name.encode())
    if size > _LONGEST:
        raise ValueError(f"task {shown(name)} has {size} bytes, not at most {_LONGEST}: shorten it")
    return name


def check_path(given: str) -> None:
    """Refuse a path that has a character that nobody sees, or bytes that are no text."""
    if _is_plain(given):
        return
    hidden = [each for each in given if _is_invisible(each)]
    if hidden and unicodedata.category(hidden[0]) == "Cs":
        raise ValueError(
            f"{shown(given)} has bytes that are not {sys.getfilesystemencoding()}: rename it, or "
            "set the locale by which it was named"
        )
    if hidden:
        raise ValueError(
            f"{shown(given)} has the invisible character {_shown(hidden[0])}: rename it"
        )


def spelt(given: str) -> str:
    """Return a name or a path as a table or a screen can show it: what is invisible is spelt."""
    if _is_plain(given):
        return given
    return "".join(
        each.encode("unicode_escape").decode() if _is_invisible(each) else each for each in given
    )


def check_distinct(tasks: Iterable[str]) -> None:
    """Refuse tasks whose names differ in nothing but small and capital letters.

    Some file systems take their files for one.
    """
    seen: dict[str, str] = {}
    for task in tasks:
        other = seen.setdefault(task.casefold(), task)
        if other != task:
            raise ValueError(f"tasks {other!r} and {task!r} differ only in case: rename one")


def by_number(name: str) -> str:
    """Return the key that sorts ids: numbers by their value, before names."""
    return name.zfill(12) if name.isdecimal() else f"~{name}"


def numbers_first(column: pd.Series[str]) -> pd.Series[str]:
    """Return the keys that sort a column of ids, as pandas wants them."""
    return column.map(by_number)


def with_modality(task: str, modality: str) -> str:
    """Return an id as people read it: the modality before it, unless its name begins with that."""
    return task if task.startswith(f"{modality}-") else f"{modality} {task}"


def _is_plain(text: str) -> bool:
    """Say quickly, as of most names and paths, that all of a text is visible."""
    return text.isascii() and text.isprintable()


def _is_invisible(character: str) -> bool:
    if _is_plain(character):
        return False
    shows_nothing = unicodedata.category(character) in _INVISIBLE or character in _BLANK
    selects = "VARIATION SELECTOR" in unicodedata.name(character, "")
    return (shows_nothing or selects) and character not in JOINERS


def _is_written(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _shown(character: str) -> str:
    return f"{character!r} (U+{ord(character):04X})"
