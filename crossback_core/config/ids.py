"""Ids of tasks and networks, as a configuration lists them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator

from crossback_core.data.names import task_name
from crossback_core.section import ALL, COUNT_TEXT, MOST, some_of

_RANGE = re.compile(r"([1-9][0-9]{0,3})-([1-9][0-9]{0,3})")
_NO_NAME = re.compile(r"[-+.\d\s]*")  # a number or a range that is wrong
_MOST_IDS = 20_000  # that one key lists

_WANTED = "a list of ids, which are names or numbers from 1, or a range such as 1-56"


def read_ids(given: object) -> tuple[str, ...]:
    """Write ids and ranges of ids out.

    Args:
        given: A number, a name, a range such as "1-56", or a list of them.

    Raises:
        ValueError: What else it is, or an id that is given twice.
    """
    if isinstance(given, tuple):
        return given
    return _read(given, _WANTED)


def _read(given: object, wanted: str) -> tuple[str, ...]:
    if not isinstance(given, str | list) or not given:
        raise ValueError(f"it must be {wanted}")
    ids: list[str] = []
    wrong = []
    for item in given if isinstance(given, list) else [given]:
        found = _written_out(item)
        if found is None:
            wrong.append(repr(item))
        else:
            ids.extend(found)
        if len(ids) > _MOST_IDS:
            raise ValueError(f"it must be at most {_MOST_IDS} ids")
    if wrong:
        raise ValueError(f"it must be {wanted}, not {some_of(wrong)}")
    twice = [id_ for id_, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(f"{some_of(twice)} is given more than once")
    return tuple(ids)


def _written_out(item: object) -> Iterable[str] | None:
    if type(item) is int:
        return [str(item)] if 1 <= item <= MOST else None
    if not isinstance(item, str):
        return None
    if found := _RANGE.fullmatch(item):
        if int(found[2]) < int(found[1]):
            raise ValueError("a range must ascend")
        return map(str, range(int(found[1]), int(found[2]) + 1))
    return [item] if COUNT_TEXT.fullmatch(item) else _name(item)


def _name(item: str) -> list[str] | None:
    return None if item == ALL or _NO_NAME.fullmatch(item) else [task_name(item)]


def _read_ids_or_all(given: object) -> tuple[str, ...] | None:
    return None if given == ALL else _read(given, f"all, {_WANTED}")


_AS_GIVEN = list[int | str] | str
_OR_ALL = list[int | str] | Literal["all"] | str

Ids = Annotated[tuple[str, ...], BeforeValidator(read_ids, json_schema_input_type=_AS_GIVEN)]
IdsOrAll = Annotated[
    tuple[str, ...] | None,  # None stands for all, where nothing is said
    BeforeValidator(_read_ids_or_all, json_schema_input_type=_OR_ALL),
]
