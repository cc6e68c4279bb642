"""Data sets of a configuration: their kind's settings, and what is done with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from crossback_core.config.experiment import DatasetPlan, Experiment, JointTask, Preset
from crossback_core.config.roles import Roles, load_study, role_problems
from crossback_core.data.kind import KINDS, DatasetKind
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import relocated
from crossback_core.section import COUNT_TEXT, build, keys_of, shown, unknown

_URL = re.compile(r"https?://[^#\s]+(#(md5=[0-9a-f]{32}|sha256=[0-9a-f]{64}))?")


class Known(NamedTuple):
    """What a data set's experiment is checked against.

    Attributes:
        presets: Those without problems, by name.
        names: Of all presets.
        seed: Of the configuration; None where it has a problem.
    """

    presets: Mapping[str, Preset]
    names: tuple[str, ...]
    seed: int | None


def load_experiment(
    name: str, values: object, known: Known, problems: list[str]
) -> Experiment | None:
    """Make the experiment of one data set.

    Args:
        name: Of the data set.
        values: As configured.
        known: What else the configuration has.
        problems: Gets a line for each problem, of all parts even where one cannot be read.

    Returns:
        The experiment; None where there is a problem.
    """
    path, found = f"datasets.{name}", list[str]()
    if not isinstance(values, Mapping):
        build(DatasetPlan, values, path, problems)
        return None
    kind = _kind(path, values, found)
    found += _key_problems(path, values, kind)
    common = keys_of(DatasetPlan)
    plan = build(DatasetPlan, {key: values[key] for key in values if key in common}, path, found)
    preset = _preset(path, values.get("preset"), known, found)
    settings = _settings(name, values, kind, preset, found)
    joint = _joint(path, values.get("joint", {}), found)
    roles = None
    if plan is not None:
        found += _url_problems(path, plan, kind)
        if kind is not None and settings is not None and joint is not None:
            roles = _roles(path, plan, joint, kind, settings, found)
    found += role_problems(path, roles) if roles else ()
    study = None
    if "study" in values:
        study = load_study(f"{path}.study", values["study"], roles, known.seed, found)
        found += _unstudied(path, preset)
    problems += found
    if found or kind is None or plan is None or preset is None or settings is None or not roles:
        return None
    return Experiment(
        name=name,
        dataset=settings,
        downloads=() if "raw" in values else relocated(kind.files, plan.urls),
        train_per_class=plan.train_per_class,
        study=study,
        preset=preset,
        **roles._asdict(),
    )


def _kind(path: str, values: Mapping[str, Any], problems: list[str]) -> DatasetKind | None:
    name, names = values.get("kind"), KINDS.names()
    if "kind" not in values:
        problems.append(f"{path}.kind: is missing; one of {', '.join(names)}")
    elif name not in names:
        problems.append(f"{path}.kind: {unknown('kind of data set', name, names)}")
    else:
        return KINDS.find(name)
    return None


def _key_problems(path: str, values: Mapping[str, Any], kind: DatasetKind | None) -> Iterator[str]:
    """Find keys that no data set has, and those that one of another kind has."""
    all_kinds = [KINDS.find(name) for name in KINDS.names()]
    anywhere = {key: None for each in all_kinds for key in keys_of(each.settings)}
    common = keys_of(DatasetPlan)
    own = anywhere if kind is None else keys_of(kind.settings)
    for key in values:
        if kind is not None and (
            (key in anywhere and key not in own) or (key == "urls" and not kind.files)
        ):
            yield f"{path}.{key}: is not for a data set of kind {kind.name}; remove it"
        elif key not in common and key not in own:
            known = [each for each in (*common, *own) if each != "urls" or not kind or kind.files]
            yield f"{path}.{key}: {unknown('key', key, known)}"


def _preset(path: str, name: object, known: Known, problems: list[str]) -> Preset | None:
    if not isinstance(name, str):
        return None  # told with the other keys
    if known.names and name not in known.names:
        problems.append(f"{path}.preset: {unknown('preset', name, known.names)}")
    return known.presets.get(name)


def _url_problems(path: str, plan: DatasetPlan, kind: DatasetKind | None) -> Iterator[str]:
    known = [file.name for file in kind.files] if kind else []
    for name, url in plan.urls.items():
        if not isinstance(url, str) or not _URL.fullmatch(url):
            yield (
                f"{path}.urls.{name}: {shown(url)} is not allowed; it must be an http or https"
                " address; its end may be '#md5=...' or '#sha256=...'"
            )
        if known and name not in known:
            yield f"{path}.urls: {unknown('file', name, known)}"


def _settings(
    name: str,
    values: Mapping[str, Any],
    kind: DatasetKind | None,
    preset: Preset | None,
    problems: list[str],
) -> DatasetSettings | None:
    """Read the settings of a kind."""
    if kind is None:
        return None
    path = f"datasets.{name}"
    own = {key: values[key] for key in keys_of(kind.settings) if key in values}
    if "raw" not in own and not kind.files:
        problems.append(
            f"{path}.raw: is missing; a data set of kind {kind.name} is in a folder, not downloaded"
        )
    settings = build(kind.settings, {"raw": f"resources/{name}/raw"} | own, path, problems)
    if settings is None:
        return None
    if settings.test_fraction + settings.validation_fraction >= 1:
        problems.append(
            f"{path}.test_fraction: {settings.test_fraction:g} is not allowed; with"
            f" validation_fraction = {settings.validation_fraction:g} nothing is left to train on"
        )
    length = getattr(settings, "text_length", None)
    longest = preset.model.max_tokens if preset else None
    if length is None or longest is None or length <= longest:
        return settings
    if "text_length" in own:
        problems.append(
            f"{path}.text_length: {length} is not allowed; it must be at most"
            f" presets.{values['preset']}.model.max_tokens = {longest}"
        )
    return replace(settings, text_length=longest)  # type: ignore[call-arg]


def _joint(path: str, given: object, problems: list[str]) -> dict[int, JointTask] | None:
    if not isinstance(given, Mapping):
        return None  # told with the other keys
    found = {}
    before = len(problems)
    for network, values in given.items():
        if not COUNT_TEXT.fullmatch(network):
            problems.append(
                f"{path}.joint: {shown(network)} is not allowed; it must be an id from 1, of at"
                " most nine digits"
            )
            continue
        task = build(JointTask, values, f"{path}.joint.{network}", problems)
        if task is not None:
            found[int(network)] = task
    return found if len(problems) == before else None


def _roles(
    path: str,
    plan: DatasetPlan,
    joint: dict[int, JointTask],
    kind: DatasetKind,
    settings: DatasetSettings,
    problems: list[str],
) -> Roles | None:
    """Write out what "all" stands for."""
    count, tasks = kind.tasks(settings), plan.tasks
    if tasks is None and count is None:
        problems.append(
            f"{path}.tasks: 'all' is not allowed for a data set of kind {kind.name}, whose data"
            " decide how many tasks there are; give a list of ids, or a range such as 1-4"
        )
        return None
    if tasks is None:
        tasks = tuple(range(1, (count or 0) + 1))
    if count is not None and max(tasks) > count:
        problems.append(
            f"{path}.tasks: {max(tasks)} is not allowed; with these sizes a data set of kind"
            f" {kind.name} has tasks 1 to {count}"
        )
    everything = (*tasks, *joint)
    return Roles(
        tasks=tasks,
        joint=joint,
        targets=tasks if plan.targets is None else plan.targets,
        candidates=everything if plan.candidates is None else plan.candidates,
    )


def _unstudied(path: str, preset: Preset | None) -> Iterator[str]:
    if preset is not None and preset.target.swap == "never":
        yield (
            f"{path}.study: target.swap = never of its preset is not allowed with a study, which"
            " trains targets from candidates of either modality: set it to auto"
        )
