"""What a configuration may hold, in words and as a JSON schema: both made from the sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from crossback_core.config.experiment import (
    DatasetPlan,
    JointTask,
    Settings,
    SizePlan,
    StudyPlan,
    TopSettings,
)
from crossback_core.config.presets import BASED_ON, SECTIONS
from crossback_core.data.kind import KINDS
from crossback_core.section import ALL, MOST, keys_of
from crossback_core.selection.scores import SCORES

_Schema = dict[str, Any]


def schema() -> _Schema:
    """Return a JSON schema of configurations, for editors; presets may leave values out."""
    top = _of(TopSettings)
    presets = {name: _of(kind) | {"required": []} for name, kind in SECTIONS.items()}
    preset = {
        "type": "object",
        "additionalProperties": False,
        "properties": {BASED_ON: {"type": "string"}, **presets},
    }
    top["properties"]["presets"] |= {"additionalProperties": preset}
    top["properties"]["datasets"] |= {
        "additionalProperties": {
            "type": "object",
            "required": ["kind", "preset"],
            "properties": {"kind": {"enum": [*KINDS.names()]}},
            "allOf": [
                {
                    "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                    "then": _dataset(name),
                }
                for name in KINDS.names()
            ],
        }
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "CrossBack's configuration",
        **top,
        "$defs": _plan(),
    }


def _plan() -> _Schema:
    """Return the schemas of the keys that data sets of all kinds have."""
    keys: _Schema = _of(DatasetPlan)["properties"]
    keys["study"] = _of(StudyPlan)
    keys["study"]["properties"]["sizes"] |= {"additionalProperties": _of(SizePlan)}
    keys["joint"] |= {"additionalProperties": _of(JointTask)}
    return keys


def _dataset(name: str) -> _Schema:
    kind = KINDS.find(name)
    settings = _of(kind.settings)
    keys = [key for key in keys_of(DatasetPlan) if kind.files or key != "urls"]
    properties = settings["properties"] | {key: {"$ref": f"#/$defs/{key}"} for key in keys}
    properties["kind"] = {"const": name, "description": settings["description"]}
    return {
        "additionalProperties": False,
        "properties": properties,
        "required": [] if kind.files else ["raw"],
    }


def _of(section: type[Any]) -> _Schema:
    """Return the schema of one section, without titles, which repeat names."""
    found: _Schema = _without_titles(TypeAdapter(section).json_schema())
    return found


def _without_titles(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {
            key: item for key, item in value.items() if key != "title" or isinstance(item, dict)
        }
        return {key: _without_titles(item) for key, item in kept.items()}
    return [_without_titles(item) for item in value] if isinstance(value, list) else value


def page(settings: Settings, presets: Mapping[str, Any]) -> str:
    """Return docs/configuration.md.

    Args:
        settings: Those of the shipped configuration.
        presets: Its presets by name, each whole.
    """
    parts = [_INTRODUCTION, "## Top\n", *_table(TopSettings, {})]
    parts += ["\n## datasets.NAME\n", _KIND, *_table(DatasetPlan, _defaults(DatasetPlan))]
    parts += ["\n`joint.ID`:\n", *_table(JointTask, _defaults(JointTask))]
    parts += ["\n`study`:\n", *_table(StudyPlan, {})]
    parts += ["\n`study.sizes.N`:\n", *_table(SizePlan, _defaults(SizePlan))]
    for name in KINDS.names():
        kind = KINDS.find(name)
        raw = "downloaded" if kind.files else "required"
        parts += [f"\n### kind: {name}\n", f"{kind.settings.__doc__}\n"]
        parts += _table(kind.settings, _defaults(kind.settings, raw=raw), without=("kind",))
    parts += [_PRESETS]
    for section, kind_of_section in SECTIONS.items():
        values = {
            f"`{name}`": {
                key: _shown(value) for key, value in asdict(getattr(preset, section)).items()
            }
            for name, preset in presets.items()
        }
        summary = (kind_of_section.__doc__ or "").strip().splitlines()[0]
        parts += [f"\n### {section}\n", f"{summary}\n", *_table(kind_of_section, values)]
    return "\n".join(parts) + "\n"


def metric_table() -> str:
    """Return the list of scores as docs/method.md has it."""
    rows = ["| Score | What it is | Source | Also as |", "|---|---|---|---|"]
    variants = {variant for each in SCORES.values() for variant in each.variants}
    for name, each in SCORES.items():
        if name not in variants:
            also = ", ".join(f"`{variant.removeprefix(name)}`" for variant in each.variants)
            rows.append(f"| `{name}` | {each.formula} | {each.source} | {also} |")
    return "\n".join(rows) + "\n"


def _table(
    section: type[Any],
    columns: Mapping[str, Mapping[str, str]],
    *,
    without: Iterable[str] = (),
) -> Iterator[str]:
    """Yield a row for each key: type, what is allowed, the columns' values, meaning."""
    yield f"| {' | '.join(['Key', 'Type', 'Allowed', *columns, 'Meaning'])} |"
    yield "|" + "---|" * (4 + len(columns))
    for key, known in _of(section)["properties"].items():
        if key not in without:
            row = [f"`{key}`", *_words(known), *(column[key] for column in columns.values())]
            yield f"| {' | '.join([*row, known['description']])} |"


def _defaults(section: type[Any], **known: str) -> dict[str, dict[str, str]]:
    """Return a column of what a key is where nothing is said."""
    defaults = {key: _default(section, key) for key in keys_of(section)}
    return {"Default": defaults | known}


def _default(section: type[Any], key: str) -> str:
    schema = _of(section)
    if key in schema.get("required", ()):
        return "required"
    default = schema["properties"][key].get("default")
    return "all" if default is None and _is_ids(schema["properties"][key]) else _shown(default)


def _shown(value: Any) -> str:
    if value is None or value in ({}, ""):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _is_ids(schema: Mapping[str, Any]) -> bool:
    """Say whether a value is a list of ids, which may be a text as well."""
    kinds = [each.get("type") for each in schema.get("anyOf", ())]
    return "array" in kinds and "string" in kinds


_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minItems": "entries: at least",
    "maxItems": "entries: at most",
}


def _words(schema: Mapping[str, Any]) -> tuple[str, str]:
    """Return type and limits of a value in words."""
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if _is_ids(schema):
        everything = any(each.get("const") == ALL for each in options)
        return "list of ids", "ids from 1, ranges such as 1-56" + ", or all" * everything
    if options:
        return _words(options[0])
    if "enum" in schema:
        return "text", "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("minItems") == schema.get("maxItems", 0):
        inner, inner_limits = _words(schema["items"])
        return f"list of {schema['minItems']} {inner}s", inner_limits
    limits = [
        f"{words} {schema[key]}"
        for key, words in _LIMITS.items()
        if key in schema and schema[key] != MOST
    ]
    kind = _TYPES.get(schema["type"], schema["type"])
    if "items" not in schema:
        return kind, ", ".join(limits)
    inner, inner_limits = _words(schema["items"])
    return f"list of {inner}s", "; ".join(each for each in (inner_limits, *limits) if each)


_TYPES = {"string": "text", "array": "list", "object": "keys", "boolean": "true or false"}

_INTRODUCTION = """\
# Configuration

What `config.yaml`, or a file given as `--configfile`, may hold. An unknown key, a value that is
not allowed, and a number that YAML would read in another way than it looks (017, 1:30) are refused
before anything runs, all of them at once. `schemas/config.schema.json` tells an editor the keys,
their types and limits; that values go together, only a run checks.

This page is made from the code that checks: `make reference`.
"""

_KIND = """\
`kind` is required and says what the raw data is, and so which keys there are beside these; see the
kinds below.
"""

_PRESETS = """
## presets.NAME

A preset has the sections below. One with `based_on` lays its own values over those of another;
every other preset has them all. The columns are those of the shipped `config.yaml`.
"""
