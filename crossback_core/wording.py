"""How text that comes from elsewhere stands in a message: short, printable, on one line."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 600  # characters of a message's part
_LONGEST_NAME = 1000  # characters
_CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories of what is no part of a name
NAME = (  # what `is_plain` takes
    f"text without control characters, of at most {_LONGEST_NAME:,} characters, with no blank at an"
    " end"
)
JOINERS = "\u200c\u200d"  # controls that some scripts write words with
_PASSWORD = re.compile(r"(?<=//)[^/?#\s]*@")  # of an address, with who asks


def without_password(text: str) -> str:
    """Return a text without the users and passwords of addresses in it."""
    return _PASSWORD.sub("...@", text)


def printable(text: object, longest: int = _LONGEST) -> str:
    r"""Return a text as a terminal may be given it.

    Args:
        text: Of an error, or of a file.
        longest: Characters that are kept; then three dots stand for the rest.

    Returns:
        One line: what a terminal would act on, or not show, is written as Python does (\x1b);
        passwords in addresses are left out, and so is what indents lines. Blanks within a line
        stay: they may be a name's.
    """
    lines = without_password(str(text)).splitlines()
    whole = " ".join(filter(None, map(str.strip, lines)) if len(lines) > 1 else lines)
    kept = whole if len(whole) <= longest else whole[: longest - 3] + "..."
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in kept)


def counted(count: int, thing: str) -> str:
    """Write how many of a thing there are: 1 class, 2 classes, 3 tasks."""
    plural = "es" if thing.endswith("s") else "s"
    return f"{count:,} {thing}{'' if count == 1 else plural}"


def with_name(id_: str, name: str) -> str:
    """Write which task is meant: its id, and its name in brackets if it has one."""
    return f"{id_} ({name})" if name else id_


def check_task_name(name: object) -> None:
    """Refuse a name of a task that is neither nothing nor plain.

    Raises:
        ValueError: It is such a one.
    """
    if name != "" and not is_plain(name):
        raise ValueError(
            f"a task is named {printable(repr(name), longest=100)}, which is no name: give {NAME},"
            " or nothing"
        )


def is_plain(name: object) -> bool:
    """Say whether a value is a text that may be a name.

    It is not blank nor very long, has no blank at an end, and no character that controls a screen.
    """
    return (
        isinstance(name, str)
        and 0 < len(name) <= _LONGEST_NAME
        and name == name.strip()
        and not any(unicodedata.category(each) in _CONTROLS for each in set(name) - set(JOINERS))
    )
