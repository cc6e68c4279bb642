"""A configuration checked against its schema, and what is wrong with it in words."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

_MOST_VALUES = 100_000
_DEEPEST = 50

# Beside the package, not in it: the project is used from its folder, where users read the schema.
SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml"


@dataclass(frozen=True)
class _Fault:
    """What jsonschema found: `rule` is the schema's keyword and `allowed` that keyword's value."""

    path: str
    value: Any
    rule: str
    allowed: Any
    schema: Any
    message: str


def schema_problems(config: Mapping[str, Any]) -> list[str]:
    """Find everything in a configuration that its schema does not allow.

    Args:
        config: The configuration, `normalised`.

    Returns:
        One line a problem: the path of the key, its value, what was allowed.
    """
    faults = sorted(_faults(config), key=lambda fault: fault.path)
    problems = [problem for fault in faults for problem in _explain(fault)]
    return list(dict.fromkeys([*problems, *_not_finite(config, "")]))


def normalised(value: Any) -> Any:
    """Copy a configuration so that it no longer matters where its values were written.

    Keys become text, as YAML reads the key 101 as a number. Text that spells a number, true, false
    or null becomes that: Snakemake gives what is nested in --config as text, and YAML reads 1e-3
    as text. Of a key that is there as a number and as text, the text counts: it is the command
    line's, and the number the file's.

    Raises:
        ValueError: It unfolds to more than any experiment needs, as YAML's aliases can.
    """
    return _normalised(value, iter(range(_MOST_VALUES)), _DEEPEST)


def _normalised(value: Any, budget: Iterator[int], depth: int) -> Any:
    if next(budget, None) is None or depth == 0:
        raise ValueError(
            f"The configuration has more than {_MOST_VALUES} values, or {_DEEPEST} levels"
        )
    if isinstance(value, Mapping):
        numbers_first = sorted(value, key=lambda key: isinstance(key, str))
        return {str(key): _normalised(value[key], budget, depth - 1) for key in numbers_first}
    if isinstance(value, list | tuple):
        return [_normalised(item, budget, depth - 1) for item in value]
    return _typed(value) if isinstance(value, str) else value


def _typed(text: str) -> Any:
    words = {"true": True, "false": False, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def unknown(what: str, name: object, known: Iterable[object]) -> str:
    """Word the problem of a name or id that does not exist."""
    names = [str(name) for name in known]
    close = [] if str(name).isdigit() else difflib.get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}; known: {', '.join(names) or 'none'}"


def _faults(config: Mapping[str, Any]) -> Iterator[_Fault]:
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    for error in Draft202012Validator(schema).iter_errors(config):
        path = ".".join(str(part) for part in error.absolute_path)
        yield _Fault(
            path=path,
            value=error.instance,
            rule=str(error.validator),
            allowed=error.validator_value,
            schema=error.schema,
            message=error.message,
        )


def _explain(fault: _Fault) -> list[str]:
    """Put a fault into words: one line, or several for several keys."""
    if fault.rule == "additionalProperties":
        known = list(fault.schema["properties"])
        keys = [key for key in fault.value if key not in known]
        return [f"{_join(fault.path, key)}: {unknown('key', key, known)}" for key in keys]
    if fault.rule == "required":
        missing = [key for key in fault.allowed if key not in fault.value]
        return [f"{_join(fault.path, key)}: is missing" for key in missing]
    explain = _EXPLANATIONS.get(fault.rule, _unexplained)
    return [f"{fault.path or 'the configuration'}: {explain(fault)}"]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _wrong_type(fault: _Fault) -> str:
    names = " or ".join([fault.allowed] if isinstance(fault.allowed, str) else fault.allowed)
    return f"{fault.value!r} is not allowed; it must be of type {names}"


def _unexplained(fault: _Fault) -> str:
    return fault.message


def _not_unique(fault: _Fault) -> str:
    twice = sorted({str(value) for value in fault.value if fault.value.count(value) > 1})
    return f"{', '.join(twice)} is given more than once"


def _wrong_form(fault: _Fault) -> str:
    wanted = fault.schema.get("description", f"text that matches {fault.allowed}")
    return f"{fault.value!r} is not allowed; it must be {wanted}"


def _limit(words: str) -> Callable[[_Fault], str]:
    return lambda fault: f"{fault.value!r} is not allowed; it must {words} {fault.allowed}"


def _not_finite(value: Any, path: str) -> Iterator[str]:
    """Find `.nan` and `.inf`, which pass every comparison of a schema."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path}: {value} is not allowed; it must be a finite number"
    items = value.items() if isinstance(value, Mapping) else ()
    for key, item in enumerate(value) if isinstance(value, list) else items:
        yield from _not_finite(item, _join(path, str(key)))


_EXPLANATIONS: dict[str, Callable[[_Fault], str]] = {
    "type": _wrong_type,
    "enum": lambda fault: (
        f"{fault.value!r} is not allowed; one of {', '.join(map(str, fault.allowed))}"
    ),
    "minimum": _limit("be at least"),
    "maximum": _limit("be at most"),
    "exclusiveMinimum": _limit("be above"),
    "exclusiveMaximum": _limit("be below"),
    "minItems": _limit("have entries, at least"),
    "maxItems": _limit("have entries, at most"),
    "minProperties": _limit("have entries, at least"),
    "minLength": _limit("have characters, at least"),
    "uniqueItems": _not_unique,
    "pattern": _wrong_form,
}
