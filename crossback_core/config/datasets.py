"""Data sets of a configuration: their kind's settings, and what is done with them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from crossback_core.config.experiment import DatasetPlan, Experiment, JointTask, Preset
from crossback_core.config.ids import read_ids
from crossback_core.config.roles import Roles, absent, load_study, missing, role_problems
from crossback_core.data.kind import KINDS, DatasetKind
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import relocated
from crossback_core.section import KEYS, build, keys_of, refused, unknown

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
    path = f"datasets.{name}"
    before = len(problems)
    if not isinstance(values, Mapping):
        problems.append(refused(path, values, f"it must be {KEYS}"))
        return None
    kind = _kind(path, values, problems)
    problems += _key_problems(path, values, kind)
    plan = build(DatasetPlan, _some(values, keys_of(DatasetPlan)), path, problems)
    preset = _preset(path, values.get("preset"), known, problems)
    settings = kind and _settings(name, values, kind, preset, problems)
    joint = _joint(path, values.get("joint", {}), problems)
    problems += _url_problems(path, plan, kind) if plan else ()
    roles = None
    if plan and kind and settings and joint is not None:
        roles = _roles(path, plan, joint, kind, settings, problems)
    study = None
    if "study" in values:
        study = load_study(f"{path}.study", values["study"], roles, known.seed, problems)
        problems += _unstudied(path, preset)
    if len(problems) > before or not (kind and plan and preset and settings and roles):
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


def _some(values: Mapping[str, Any], keys: Container[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in keys}


def _kind(path: str, values: Mapping[str, Any], problems: list[str]) -> DatasetKind | None:
    names = KINDS.names()
    if "kind" not in values:
        problems.append(f"{path}.kind: is missing; one of {', '.join(names)}")
    elif values["kind"] not in names:
        problems.append(f"{path}.kind: {unknown('kind of data set', values['kind'], names)}")
    else:
        return KINDS.find(values["kind"])
    return None


def _key_problems(path: str, values: Mapping[str, Any], kind: DatasetKind | None) -> Iterator[str]:
    """Find keys that no data set has, and those that one of another kind has."""
    anywhere = dict.fromkeys([*keys_of(DatasetPlan), *chain(*map(_keys_of_kind, KINDS.names()))])
    known = list(anywhere)
    if kind:
        known = [*keys_of(DatasetPlan), *keys_of(kind.settings)]
        known = [key for key in known if key != "urls" or kind.files]
    for key in values:
        if kind and key in anywhere and key not in known:
            yield f"{path}.{key}: is not for a data set of kind {kind.name}; remove it"
        elif key not in known:
            yield f"{path}.{key}: {unknown('key', key, known)}"


def _keys_of_kind(name: str) -> tuple[str, ...]:
    return keys_of(KINDS.find(name).settings)


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
            allowed = "an http or https address; its end may be '#md5=...' or '#sha256=...'"
            yield refused(f"{path}.urls.{name}", url, f"it must be {allowed}")
        if known and name not in known:
            yield f"{path}.urls: {unknown('file', name, known)}"


def _settings(
    name: str,
    values: Mapping[str, Any],
    kind: DatasetKind,
    preset: Preset | None,
    problems: list[str],
) -> DatasetSettings | None:
    """Read the settings of a kind."""
    path = f"datasets.{name}"
    own = _some(values, keys_of(kind.settings))
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
    if "raw" not in own and not kind.files:
        return None  # where the tasks would be found
    length = getattr(settings, "text_length", None)
    longest = preset.model.max_tokens if preset else None
    if length is None or longest is None or length <= longest:
        return settings
    if "text_length" in own:
        most = f"presets.{values['preset']}.model.max_tokens = {longest}"
        problems.append(refused(f"{path}.text_length", length, f"it must be at most {most}"))
    return replace(settings, text_length=longest)  # type: ignore[call-arg]


def _joint(path: str, given: object, problems: list[str]) -> dict[str, JointTask] | None:
    if not isinstance(given, Mapping):
        return None  # told with the other keys
    found = {}
    for network, values in given.items():
        try:
            (id_,) = read_ids(network)
        except ValueError:
            allowed = "it must be one id: a name, or a number from 1 of at most nine digits"
            problems.append(refused(f"{path}.joint", network, allowed))
            continue
        if id_ in found:
            problems.append(f"{path}.joint: {id_} is given more than once")
        elif task := build(JointTask, values, f"{path}.joint.{network}", problems):
            found[id_] = task
    return found if len(found) == len(given) else None


def _roles(
    path: str,
    plan: DatasetPlan,
    joint: dict[str, JointTask],
    kind: DatasetKind,
    settings: DatasetSettings,
    problems: list[str],
) -> Roles | None:
    """Write out what "all" stands for, and find ids that cannot be what they are named for."""
    try:
        known = kind.tasks(settings)
    except (ValueError, OSError) as error:
        if Path(settings.raw).is_dir():
            problems.append(f"{path}.raw: {error}")
            return None
        return absent(plan.tasks or (), joint)
    tasks = known if plan.tasks is None else plan.tasks
    if tasks is None:
        problems.append(
            f"{path}.tasks: 'all' is not allowed where the data decide how many tasks there are and"
            " are not there yet; give a list of ids, or a range such as 1-4"
        )
        return None
    named = (*tasks, *(each for network in joint.values() for each in network.tasks))
    for task in missing(named, named if known is None else (*known, *joint)):
        problems.append(f"{path}.tasks: {unknown('task', task, known or ())}")
    targets = tasks if plan.targets is None else plan.targets
    candidates = (*tasks, *joint) if plan.candidates is None else plan.candidates
    roles = Roles(tasks, joint, targets, candidates)
    problems += role_problems(path, roles)
    return roles


def _unstudied(path: str, preset: Preset | None) -> Iterator[str]:
    if preset is not None and preset.target.swap == "never":
        yield (
            f"{path}.study: target.swap = never of its preset is not allowed with a study, which"
            " trains targets from candidates of either modality: set it to auto"
        )
