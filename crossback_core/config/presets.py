"""Presets: sections laid over those of the preset that each is based on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from crossback_core.config.experiment import Preset
from crossback_core.section import KEYS, build, shown, unknown

BASED_ON = "based_on"
SECTIONS: dict[str, type[Any]] = get_type_hints(Preset)


def load_presets(given: Mapping[str, Any], problems: list[str]) -> dict[str, Preset]:
    """Make the presets of a configuration.

    Args:
        given: By name, as configured.
        problems: Gets a line for each problem.

    Returns:
        Those that have no problem.
    """
    found: dict[str, list[str]] = {}  # by preset; one that others are based on may repeat them
    presets = {}
    for name in given:
        own: list[str] = []
        preset = _load(name, given, own)
        if preset is not None and not own:
            own += _contradictions(f"presets.{name}", preset)
        if preset is not None and not own:
            presets[name] = preset
        found[name] = own
    problems += dict.fromkeys(problem for own in found.values() for problem in own)
    return presets


def _load(name: str, given: Mapping[str, Any], problems: list[str]) -> Preset | None:
    chain, whole = _chain(name, given, problems)
    values: dict[str, dict[str, Any]] = {}
    origins: dict[tuple[str, str], str] = {}  # which preset a key is from
    broken: set[str] = set()  # sections of which what is missing says nothing
    for base in reversed(chain):
        for section, part in given[base].items():
            if section == BASED_ON:
                continue
            if section not in SECTIONS:
                known = [BASED_ON, *SECTIONS]
                problems.append(f"presets.{base}.{section}: {unknown('key', section, known)}")
            elif not isinstance(part, Mapping):
                build(SECTIONS[section], part, f"presets.{base}.{section}", problems)
                broken.add(section)
            else:
                values.setdefault(section, {}).update(part)
                origins |= {(section, key): base for key in part}
    sections: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        if section not in values:
            if whole and section not in broken:
                problems.append(f"presets.{name}.{section}: {_MISSING}")
            continue
        found: list[str] = []
        sections[section] = build(kind, values[section], "", found)
        for problem in found:
            key = problem.partition(":")[0].partition(".")[0]
            missing = key not in values[section]
            if missing and (section in broken or not whole):
                continue
            origin = origins.get((section, key), name)
            words = problem.replace("is missing", _MISSING) if missing else problem
            problems.append(f"presets.{origin}.{section}.{words}")
    if problems or not whole:
        return None
    return Preset(**{each.name: sections[each.name] for each in fields(Preset)})


_LONGEST = 20  # presets based on one another
_MISSING = "is missing (give it, or a preset with it as based_on)"


def _chain(name: str, given: Mapping[str, Any], problems: list[str]) -> tuple[list[str], bool]:
    """Return a preset and those that it is based on, the nearest first, and whether it ends."""
    chain: list[str] = []
    base: Any = name
    while True:
        path = f"presets.{chain[-1]}.{BASED_ON}" if chain else f"presets.{name}"
        if not isinstance(base, str):
            problems.append(f"{path}: {shown(base)} is not allowed; it must be a preset's name")
        elif base not in given:
            others = [other for other in given if other != chain[-1]]
            problems.append(f"{path}: {unknown('preset', base, others)}")
        elif base in chain:
            circle = " -> ".join([*chain[chain.index(base) :], base])
            problems.append(f"{path}: {shown(base)} is not allowed; it leads in a circle: {circle}")
        elif len(chain) > _LONGEST:
            problems.append(
                f"presets.{name}.{BASED_ON}: more than {_LONGEST} presets one on another are not"
                " allowed; write the values out"
            )
        elif not isinstance(given[base], Mapping):
            allowed = f"it must be {KEYS}"
            problems.append(f"presets.{base}: {shown(given[base])} is not allowed; {allowed}")
        else:
            chain.append(base)
            if BASED_ON not in given[base]:
                return chain, True
            base = given[base][BASED_ON]
            continue
        return chain, False


def _contradictions(path: str, preset: Preset) -> Iterator[str]:
    """Find values that do not go together."""
    pruning, target, candidates = preset.pruning, preset.target, preset.selection.candidates
    if target.pick_initial <= target.pick_threshold:
        yield (
            f"{path}.target.pick_initial: {target.pick_initial:g} is not allowed; it must be above"
            f" pick_threshold = {target.pick_threshold:g}, so that everything is picked at first"
        )
    if target.swap == "never" and candidates != "same_modal":
        yield (
            f"{path}.target.swap: 'never' is not allowed with selection.candidates = {candidates};"
            " a backbone of the other modality has to be swapped: set candidates to same_modal"
        )
    if pruning.ramp_epochs > pruning.epochs:
        yield (
            f"{path}.pruning.ramp_epochs: {pruning.ramp_epochs} is not allowed; it must be at most"
            f" pruning.epochs = {pruning.epochs}"
        )
