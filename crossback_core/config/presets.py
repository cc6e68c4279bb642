"""Presets: sections laid over those of the preset that each is based on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

from crossback_core.config.experiment import Preset
from crossback_core.learning.settings import TargetSettings
from crossback_core.section import KEYS, build, refused, unknown
from crossback_core.selection.scores import SCORES
from crossback_core.selection.settings import SelectionSettings

BASED_ON = "based_on"
SECTIONS: dict[str, type[Any]] = get_type_hints(Preset)
_LONGEST = 20  # presets based on one another
_MISSING = "is missing (give it, or a preset with it as based_on)"


def load_presets(given: Mapping[str, Any], problems: list[str]) -> dict[str, Preset]:
    """Make the presets of a configuration.

    Args:
        given: By name, as configured.
        problems: Gets a line for each problem.

    Returns:
        Those that have no problem.
    """
    presets = {}
    found: dict[str, None] = {}  # presets that are based on one repeat its problems
    for name in given:
        own: list[str] = []
        preset = _load(name, given, own)
        if preset is not None:
            own += _contradictions(f"presets.{name}", preset)
            if not own:
                presets[name] = preset
        found |= dict.fromkeys(own)
    problems += found
    return presets


def _load(name: str, given: Mapping[str, Any], problems: list[str]) -> Preset | None:
    chain, ends = _chain(name, given, problems)
    laid, broken = _laid_over(chain, given, problems)
    sections: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        whole = ends and section not in broken  # otherwise what is missing says nothing
        if section not in laid:
            if whole:
                problems.append(f"presets.{name}.{section}: {_MISSING}")
            continue
        values = laid[section]
        found: list[str] = []
        sections[section] = build(
            kind, {key: each.value for key, each in values.items()}, "", found
        )
        for problem in found:
            key = problem.partition(":")[0].partition(".")[0]
            if key in values:
                problems.append(f"presets.{values[key].preset}.{section}.{problem}")
            elif whole:
                words = problem.replace("is missing", _MISSING)
                problems.append(f"presets.{name}.{section}.{words}")
    return Preset(**sections) if ends and not problems else None


class _Given(NamedTuple):
    """A value and the preset that gives it."""

    value: Any
    preset: str


def _laid_over(
    chain: Sequence[str], given: Mapping[str, Any], problems: list[str]
) -> tuple[dict[str, dict[str, _Given]], set[str]]:
    """Lay presets over one another, the first one on top.

    Returns:
        The values of each section by key, and the sections that one of the presets spoils.
    """
    laid: dict[str, dict[str, _Given]] = {}
    broken: set[str] = set()
    for preset in reversed(chain):
        for section, values in given[preset].items():
            path = f"presets.{preset}.{section}"
            if section == BASED_ON:
                continue
            if section not in SECTIONS:
                problems.append(f"{path}: {unknown('key', section, [BASED_ON, *SECTIONS])}")
            elif not isinstance(values, Mapping):
                problems.append(refused(path, values, f"it must be {KEYS}"))
                broken.add(section)
            else:
                own = {key: _Given(value, preset) for key, value in values.items()}
                laid.setdefault(section, {}).update(own)
    return laid, broken


def _chain(name: str, given: Mapping[str, Any], problems: list[str]) -> tuple[list[str], bool]:
    """Return a preset and those that it is based on, the nearest first, and whether it ends."""
    chain: list[str] = []
    base: Any = name
    while (problem := _base_problem(base, chain, given)) is None:
        chain.append(base)
        if BASED_ON not in given[base]:
            return chain, True
        base = given[base][BASED_ON]
    problems.append(problem)
    return chain, False


def _base_problem(base: Any, chain: Sequence[str], given: Mapping[str, Any]) -> str | None:
    """Say why a preset cannot be the base of the last one of a chain, if it cannot."""
    path = f"presets.{chain[-1]}.{BASED_ON}" if chain else ""
    if not isinstance(base, str):
        return refused(path, base, "it must be a preset's name")
    if base not in given:
        return f"{path}: {unknown('preset', base, [each for each in given if each != chain[-1]])}"
    if base in chain:
        circle = " -> ".join([*chain[chain.index(base) :], base])
        return refused(path, base, f"it leads in a circle: {circle}")
    if len(chain) > _LONGEST:
        return (
            f"presets.{chain[0]}.{BASED_ON}: more than {_LONGEST} presets one on another are not"
            " allowed; write the values out"
        )
    if not isinstance(given[base], Mapping):
        return refused(f"presets.{base}", given[base], f"it must be {KEYS}")
    return None


def _contradictions(path: str, preset: Preset) -> Iterator[str]:
    """Find values that do not go together."""
    pruning = preset.pruning
    target = preset.target
    candidates = preset.selection.candidates
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
    yield from _verdict_contradictions(f"{path}.target", target)
    yield from _minimum_contradictions(f"{path}.selection", preset.selection)


def _verdict_contradictions(path: str, target: TargetSettings) -> Iterator[str]:
    if target.judged_by != "folds":
        return
    if target.repeats < 2:
        yield (
            f"{path}.repeats: {target.repeats} is not allowed with judged_by = folds; it must be 2"
            " or more: as many parts of the training samples are held out in turn"
        )
    if target.max_width > 1:
        yield (
            f"{path}.max_width: {target.max_width:g} is not allowed with judged_by = folds, which"
            " leave nothing that could decide how far a target grows; it must be 1"
        )


def _minimum_contradictions(path: str, selection: SelectionSettings) -> Iterator[str]:
    if selection.minimum is not None and not SCORES[selection.score].may_decline:
        yield (
            f"{path}.minimum: {selection.minimum:g} is not allowed with score = {selection.score},"
            " which has no zero whose sign says that a candidate knows something; set minimum to"
            " null, or take a score that has one, such as label_cka_excess"
        )
