"""Sections of the configuration: strict, frozen, declared in the room that each configures.

A section is a dataclass of pydantic's with `STRICT` as its configuration; the types here say what
its values may be and take them as a file or a command line writes them. `build` makes one of plain
values and puts into words what does not fit. `crossback_core.config` composes the sections.
"""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from crossback_core.wording import NAME, is_plain, without_password

STRICT = ConfigDict(strict=True, extra="forbid")
ALL = "all"  # every task, every network, all samples
KEYS = "keys with their values"  # what messages call a mapping
MOST = 10**9  # of a count: beyond it a number is a slip
COUNT_TEXT = re.compile(r"[1-9][0-9]{0,8}")  # an id or a count as text, below MOST

_SHOWN = 60  # names that a message lists
_NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", re.IGNORECASE)
_FLAGS = {"true": True, "false": False}  # as the command line writes them

_ALLOWED = {  # by the type of pydantic's error
    "int_type": "it must be an integer",
    "float_type": "it must be a number",
    "bool_type": "it must be true or false",
    "string_type": "it must be text",
    "tuple_type": "it must be a list",
    "dict_type": f"it must be {KEYS}",
    "greater_than_equal": "it must be at least {ge:.15g}",
    "greater_than": "it must be above {gt:.15g}",
    "less_than_equal": "it must be at most {le:.15g}",
    "less_than": "it must be below {lt:.15g}",
    "too_short": "it must have entries, at least {min_length}",
    "too_long": "it must have entries, at most {max_length}",
    "string_too_short": "it must have characters, at least {min_length}",
    "finite_number": "it must be a finite number",
    "string_pattern_mismatch": "it must be text without control characters",
    "value_error": "{error}",
}

_T = TypeVar("_T")


def _whole(value: object) -> object:
    """Take 3.0, 1e3 and the text of a command line for the whole numbers that they are."""
    number = value if type(value) is int else _real(value)
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _real(value: object) -> object:
    """Take a text that spells a number for it: YAML reads 1e-3, and Snakemake --config, as text."""
    if type(value) is int and abs(value) > sys.float_info.max:
        return math.inf
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    try:
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    except ValueError:
        return value


def _flag(value: object) -> object:
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def _entries(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError("it must ascend")
    return values


def _distinct(values: tuple[_T, ...]) -> tuple[_T, ...]:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{some_of(twice)} is given more than once")
    return values


def _plain(value: str) -> str:
    if not is_plain(value):
        raise ValueError(f"it must be {NAME}")
    return value


WHOLE = BeforeValidator(_whole)
REAL = BeforeValidator(_real)

Count = Annotated[int, Field(ge=1, le=MOST), WHOLE]
CountFromZero = Annotated[int, Field(ge=0, le=MOST), WHOLE]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1), WHOLE]
Number = Annotated[float, Field(allow_inf_nan=False), REAL]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), REAL]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), REAL]
Fraction = Annotated[float, Field(ge=0, le=1), REAL]
InnerFraction = Annotated[float, Field(gt=0, lt=1), REAL]
FractionBelowOne = Annotated[float, Field(ge=0, lt=1), REAL]
Factor = Annotated[float, Field(gt=0, le=1), REAL]
Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]
Name = Annotated[Text, AfterValidator(_plain)]  # as files hold it
Entries = BeforeValidator(_entries)
Ascending = AfterValidator(_ascending)
Distinct = AfterValidator(_distinct)


def build(kind: type[_T], values: object, path: str, problems: list[str]) -> _T | None:
    """Make a section of plain values.

    Args:
        kind: The section.
        values: By key.
        path: Where they stand in the configuration; empty for the whole of it.
        problems: Gets a line for each value that does not fit: its path, the value, what is
            allowed.

    Returns:
        The section; None where there is a problem.
    """
    if not isinstance(values, Mapping):
        problems.append(refused(path or "the configuration", values, f"it must be {KEYS}"))
        return None
    try:
        return kind(**values)
    except ValidationError as error:
        problems.extend(worded(error, kind, path))
        return None


def keys_of(kind: type[Any]) -> tuple[str, ...]:
    """Return the keys of a section."""
    return tuple(kind.__dataclass_fields__)


def refused(path: str, value: object, allowed: str) -> str:
    """Word the problem of a value that is not allowed."""
    return f"{path}: {shown(value)} is not allowed; {allowed}"


def unknown(what: str, name: object, known: Iterable[object]) -> str:
    """Word the problem of a name or id that does not exist."""
    names = [str(each) for each in known]
    return f"unknown {what} {shown(name)}{_meant(name, names)}; known: {some_of(names) or 'none'}"


def one_of(name: object, known: Iterable[str]) -> str:
    """Word what is allowed where a name is none of a few."""
    names = list(known)
    return f"one of {', '.join(names)}{_meant(name, names)}"


def _meant(name: object, names: list[str]) -> str:
    if not isinstance(name, str) or name.isdigit():
        return ""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    close = close or [each for each in names if name and each.endswith(f"-{name}")][:2]
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def some_of(names: Sequence[str]) -> str:
    """Return names in a row; of very many the first ones, and how many there are."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} ... ({len(names)} in all)"


def worded(error: ValidationError, kind: type[Any], path: str = "") -> Iterator[str]:
    """Yield a line for each value that does not fit.

    Args:
        error: What pydantic found.
        kind: The class that it checked.
        path: Where the class stands; empty for the whole.
    """
    faults = error.errors(include_url=False)
    hold_faults = {fault["loc"][:-1] for fault in faults}
    for fault in faults:
        if fault["type"] == "too_short" and fault["loc"] in hold_faults:
            continue  # pydantic counts only the entries that are right
        where = ".".join([*([path] if path else []), *map(str, fault["loc"])])
        if fault["type"] == "missing":
            yield f"{where}: is missing"
        elif fault["type"] == "unexpected_keyword_argument" and len(fault["loc"]) > 1:
            yield f"{where}: is an unknown key"  # of a part, whose keys `kind` does not tell
        elif fault["type"] == "unexpected_keyword_argument":
            yield f"{where}: {unknown('key', fault['loc'][-1], keys_of(kind))}"
        elif fault["type"] == "value_error" and "more than once" in str(fault["ctx"]["error"]):
            yield f"{where}: {fault['ctx']['error']}"
        else:
            yield refused(where, fault["input"], _allowed(fault))


def _allowed(fault: ErrorDetails) -> str:
    """Word what is allowed in place of a value."""
    value = fault["input"]
    context = fault.get("ctx", {})
    if fault["type"] == "literal_error":
        return one_of(value, re.findall(r"'(.*?)'", context["expected"]))
    if fault["type"] == "string_type" and isinstance(value, int | float | date):
        return "it must be text: write it in quotes"
    words = _ALLOWED.get(fault["type"])
    return words.format(**context) if words else fault["msg"]


def shown(value: object) -> str:
    """Return a value as a message shows it: short, printable, and a tuple as the list it was."""
    if value is None:
        return "null"
    huge = isinstance(value, int) and value.bit_length() > 999  # Python may refuse to print it
    if isinstance(value, tuple):
        value = list(value)
    text = "a number of very many digits" if huge else without_password(repr(value))
    return text if len(text) <= 100 else f"{text[:97]}..."
