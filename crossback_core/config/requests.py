"""What is asked for by its path, against what the configuration has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from crossback_core.config.experiment import Experiment, Settings
from crossback_core.section import unknown

_ROLE = re.compile(
    r"(?:^|/)(task|target)_(?:([^/]+)/.*|([^/]+?)(?:(?:_skipped)?\.csv|\.(?:pt|json))?$)"
)
_INDEXED = re.compile(r"data/(?:index|index_skipped|splits)/([^/]+)\.csv")
_CELL = re.compile(r"size_([^/]+)/seed_([^/]+)/target_([^/]+)/(.*)")


def check_requests(requests: Iterable[str], settings: Settings) -> None:
    """Refuse results that the configuration cannot have, with what it does have.

    Args:
        requests: Paths such as results/cub/target_14.pt, or "study"; what else they are is left
            to others.
        settings: The configuration.

    Raises:
        ValueError: A data set, a task, a target or a part of a study that does not exist.
    """
    for request in requests:
        problem = _problem(request, settings)
        if problem:
            raise ValueError(f"{request}: {problem}")


def _problem(request: str, settings: Settings) -> str | None:
    if request == "study" and not any(each.study for each in settings.datasets.values()):
        return "no data set of the configuration has a `study` (docs/study.md)"
    results, name, *rest = (*PurePosixPath(request).parts, "", "")
    dataset = name if results == "results" else results
    if dataset in settings.datasets and request != "study" and not any(rest):
        return (
            f"that is a data set: ask for results/{dataset}/summary.csv, which makes all its"
            f" targets, or for one of them, results/{dataset}/target_ID.pt"
        )
    if results != "results" or not name:
        return None
    if name not in settings.datasets:
        return unknown("data set", name, settings.datasets)
    experiment = settings.datasets[name]
    if not experiment.tasks:
        return f"{experiment.dataset.raw} is not a folder (data set {name})"
    place = "/".join(filter(None, rest))
    if rest[0] == "study" and not experiment.study:
        return f"data set {name} has no `study` in the configuration"
    if found := _INDEXED.fullmatch(place):
        members = [task for each in experiment.networks for task in experiment.members(each)]
        return _unless_known("task", found[1], list(dict.fromkeys(members)), name)
    if found := _ROLE.search(place):
        role, id_ = found[1], found[2] or found[3]
        known = experiment.networks if role == "task" else experiment.tasks
        known = experiment.targets if rest[0] == "study" else known
        if problem := _unless_known(role, id_, known, name):
            return problem
        if role == "target" and not experiment.candidates_of(id_):
            return (
                f"the target {id_} has no candidate in `candidates`; add others (data set {name})"
            )
    found = _CELL.fullmatch(place.removeprefix("study/"))
    return _study_problem(experiment, *found.groups()) if found else None


def _unless_known(role: str, id_: str, known: Sequence[str], dataset: str) -> str | None:
    return None if id_ in known else f"{unknown(role, id_, known)} (data set {dataset})"


def _study_problem(
    experiment: Experiment, size: str, seed: str, target: str, file: str
) -> str | None:
    """Find a size, a seed or a training that a study does not have."""
    study = experiment.study
    if study is None:
        return None
    if size not in study.sizes:
        return f"{unknown('size', size, study.sizes)} (study of {experiment.name})"
    if seed not in map(str, study.seeds):
        return f"{unknown('seed', seed, study.seeds)} (study of {experiment.name})"
    pairs = [f"{start}_{each}" for start, each in experiment.pairs_of(target, size)]
    trainings = ["baseline", "longer", *pairs]
    training = file.removesuffix(".json")
    if training != file and training not in trainings:
        return f"{unknown('training', training, trainings)} (target {target})"
    return None
