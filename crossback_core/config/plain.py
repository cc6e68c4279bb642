"""Configurations as plain values: where they were written no longer matters."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from crossback_core.section import KEYS, shown
from crossback_core.wording import printable

_MOST_VALUES = 100_000
_DEEPEST = 50
_TEMPLATE = "__use_yte__"  # makes Snakemake take a file as a template of YTE
_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "merge", "timestamp", "value")
}
# Numbers that YAML 1.1 reads in another base: 017 is 15, 1:30 is 90, 0x1F is 31, 1_000 is 1000.
_AMBIGUOUS = re.compile(
    r"[-+]?(0[0-7_]+|0[xb][0-9a-f_]+|[\d_]+(:[0-5]?\d)+(\.\d*)?|[\d.]*_[\d_.]*)"
)


def normalised(value: Any) -> Any:
    """Copy a configuration so that its keys are texts, as the command line gives them.

    Of a key that is there as a number and as text, the text counts: it is the command line's, and
    the number the file's.

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
    return None if isinstance(value, str) and value.lower() == "null" else value


def check_files(paths: Iterable[str | Path]) -> None:
    """Refuse configuration files that do not say what they seem to.

    YAML takes the last of several equal keys, as JSON does, and reads 017 as 15 and 1:30 as 90, all
    in silence. Snakemake reads YAML as a template that runs code where it asks for that.

    Raises:
        ValueError: One line for each problem found: the file and line, the key's path, the value.
    """
    problems = [problem for path in paths for problem in _file_problems(Path(path))]
    if problems:
        raise ValueError(
            "\n    ".join(["The configuration cannot be read as it stands:", *problems])
        )


def _file_problems(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        yield f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8"
        return
    except OSError as error:
        yield f"{path}: it cannot be read: {error.strerror}"
        return
    problems = _json_problems(text)
    for problem in _yaml_problems(text) if problems is None else problems:
        yield f"{path}:{problem}"


def _json_problems(text: str) -> list[str] | None:
    """Find keys that JSON gives twice; None for what is no JSON, which Snakemake reads as YAML."""
    twice: list[str] = []
    try:
        root = json.loads(text, object_pairs_hook=lambda pairs: _noting_twice(pairs, twice))
    except (ValueError, RecursionError):
        return None
    if not isinstance(root, dict):
        return [f" it holds {shown(root)}, not {KEYS}"]
    return [f" {shown(key)} is given more than once" for key in twice]


def _noting_twice(pairs: Sequence[tuple[str, Any]], twice: list[str]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    twice.extend(key for key, count in counts.items() if count > 1)
    return dict(pairs)


def _yaml_problems(text: str) -> Iterator[str]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        yield f"{mark.line + 1 if mark else ''}: it is not YAML: {printable(error.problem, 200)}"
    except (yaml.YAMLError, RecursionError) as error:
        yield f" it is not YAML: {printable(error, 200)}"
    else:
        if isinstance(root, yaml.MappingNode):
            yield from _node_problems(root, "", set())
        else:
            found = "empty" if root is None else "a list" if _is_list(root) else "one value"
            yield f" it is {found}: it must be {KEYS}"


def _node_problems(
    node: yaml.Node, where: str, seen: set[int], within: tuple[int, ...] = ()
) -> Iterator[str]:
    """Find what is not a plain value, keys that are there twice, and numbers that mislead."""
    line = node.start_mark.line + 1
    if id(node) in within:
        yield f"{line}: {where} holds itself, by an alias"
    if id(node) in seen:
        return  # an alias names it again
    seen.add(id(node))
    within = (*within, id(node))
    if node.tag not in _TAGS:
        yield f"{line}: {where}: {printable(node.tag, 60)} is not allowed: write a plain value"
    if isinstance(node, yaml.MappingNode):
        there = set()
        for key, value in node.value:
            name = str(key.value)
            path = f"{where}.{name}" if where else name
            if name == _TEMPLATE:  # at any depth: keys that are merged come to the top
                yield f"{key.start_mark.line + 1}: {_TEMPLATE} is not allowed: it runs code"
            if name in there and name != "<<":
                yield f"{key.start_mark.line + 1}: {path} is given more than once"
            there.add(name)
            if not isinstance(key, yaml.ScalarNode):
                found = "a list" if _is_list(key) else KEYS
                yield f"{key.start_mark.line + 1}: a key is {found}: it must be text"
            yield from _node_problems(key, path, seen, within)
            yield from _node_problems(value, path, seen, within)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _node_problems(item, f"{where}.{number}", seen, within)
    elif isinstance(node, yaml.ScalarNode) and _is_ambiguous(node):
        yield (
            f"{line}: {where}: {node.value[:40]} is read as"
            f" {shown(yaml.safe_load(node.value))}; write the number that is meant in plain digits"
        )


def _is_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode)


def _is_ambiguous(node: yaml.ScalarNode) -> bool:
    numeric = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
    return node.style is None and numeric and bool(_AMBIGUOUS.fullmatch(node.value.lower()))
