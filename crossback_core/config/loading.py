"""A configuration checked and turned into settings, all its problems told at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from crossback_core.config.datasets import Known, load_experiment
from crossback_core.config.experiment import Settings, TopSettings
from crossback_core.config.plain import normalised
from crossback_core.config.presets import load_presets
from crossback_core.runtime.trackers import NONE, check_tracker
from crossback_core.section import build, unknown
from crossback_core.wording import counted

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_RENAMED = {  # keys of version 0.1, within a data set or a preset
    ("datasets", "wide"): "joint",
    ("presets", "model.heads"): "attention_heads",
    ("presets", "model.cross_heads"): "cross_attention_heads",
    ("presets", "selection.metric"): "score",
}


def load_settings(config: Mapping[str, Any]) -> Settings:
    """Check a configuration and turn it into settings.

    Raises:
        ValueError: One line for each problem found: the key's path, its value, what was allowed.
    """
    plain = normalised(config)
    renamed = [*_old_names(plain), *_old_kinds(plain)]
    if renamed:
        raise ValueError(_told(renamed))  # alone: other problems would follow from them
    problems: list[str] = []
    top = build(TopSettings, plain, "", problems)
    given = _named(plain, "presets", problems)
    known = Known(load_presets(given, problems), tuple(given), top.seed if top else None)
    datasets = {
        name: load_experiment(name, values, known, problems)
        for name, values in _named(plain, "datasets", problems).items()
    }
    for name in top.run if top else ():
        if name not in datasets:
            problems.append(f"run: {unknown('data set', name, datasets)}")
        elif (found := datasets[name]) is not None and not found.tasks:
            problems.append(f"datasets.{name}.raw: {found.dataset.raw} is not a folder")
    problems += _tracker_problems(top)
    if problems or top is None:
        raise ValueError(_told(problems))
    experiments = {name: each for name, each in datasets.items() if each is not None}
    return Settings(top.seed, top.device, top.tracker, top.run, experiments)


def _tracker_problems(top: TopSettings | None) -> Iterator[str]:
    try:
        check_tracker(top.tracker if top else NONE)
    except ValueError as error:
        yield f"tracker: {error}"


def _told(problems: list[str]) -> str:
    return "\n    ".join([f"The configuration has {counted(len(problems), 'problem')}:", *problems])


def _old_names(values: object, path: str = "") -> Iterator[str]:
    """Find keys that an older version called by other names."""
    for key, value in values.items() if isinstance(values, Mapping) else ():
        where = f"{path}{key}"
        group, _, rest = where.partition(".")
        _, _, own = rest.partition(".")  # past the name of the data set or preset
        if name := _RENAMED.get((group, own)):
            yield f"{where}: is called {name} now; rename it"
        yield from _old_names(value, f"{where}.")


def _old_kinds(plain: object) -> Iterator[str]:
    """Find data sets of a kind that an older version called by another name."""
    datasets = plain.get("datasets") if isinstance(plain, Mapping) else None
    for name, values in datasets.items() if isinstance(datasets, Mapping) else ():
        if isinstance(values, Mapping) and values.get("kind") == "coco":
            yield f"datasets.{name}.kind: coco is called mscoco now; rename it"


def check_name(key: str, name: str) -> None:
    """Refuse a name that a data set or a preset cannot have.

    Args:
        key: What it is a name under, "datasets" or "presets".
        name: As the configuration has it.

    Raises:
        ValueError: It is no such name.
    """
    if not _NAME.fullmatch(name):
        allowed = f"it must be text that matches ^{_NAME.pattern}$"
        raise ValueError(f"{key}: {name!r} is not allowed; {allowed}")


def _named(plain: object, key: str, problems: list[str]) -> dict[str, Any]:
    """Return what a configuration has by name under a key, and find names that cannot be."""
    entries = plain.get(key) if isinstance(plain, Mapping) else None
    if not isinstance(entries, dict):
        return {}  # told already
    for name in entries:
        try:
            check_name(key, name)
        except ValueError as error:
            problems.append(str(error))
    return entries
