"""What is asked for by its path, against what the configuration has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import yaml

from crossback_core.config.experiment import Experiment, Settings
from crossback_core.config.plain import check_files
from crossback_core.section import unknown

# Rules that are asked for by name.
RULES = ("all", "study", "clean_ladders")
_ROLE = re.compile(
    r"(?:^|/)(task|target)_(?:([^/]+)/.*|([^/]+?)(?:(?:_skipped)?\.csv|\.(?:pt|json))?$)"
)
_INDEXED = re.compile(r"data/(?:index|index_skipped|splits)/([^/]+)\.csv")
_CELL = re.compile(r"size_([^/]+)/seed_([^/]+)/target_([^/]+)/(.*)")


def dataset_names(paths: Iterable[str | Path]) -> list[str]:
    """Return the names of the data sets of configuration files.

    Raises:
        ValueError: A file does not say what it seems to (see `check_files`).
    """
    paths = list(paths)
    check_files(paths)
    found: dict[str, None] = {}
    for path in paths:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        datasets = config.get("datasets") if isinstance(config, dict) else None
        found |= dict.fromkeys(map(str, datasets if isinstance(datasets, dict) else ()))
    return list(found)


def results_of(words: Sequence[str], datasets: Sequence[str]) -> list[str]:
    """Return the paths of what words ask for.

    Args:
        words: A data set and ids of its targets ("icons", "3", "8"), a data set alone, both in one
            ("icons/3"), a path, or a rule.
        datasets: The names of all data sets.

    Raises:
        ValueError: A word is none of these.
    """
    if "" in words:
        raise ValueError("one of the words is empty: leave it out, or give the id of a target")
    found: list[str] = []
    dataset = None  # whose targets come next
    for place, word in enumerate(words):
        folder, _, rest = word.partition("/")
        if word in datasets:
            dataset = word
            if place + 1 == len(words) or _begins(words[place + 1], datasets):
                found += [f"results/{word}/summary.csv", f"results/{word}/report.html"]
        elif folder in datasets and rest and "/" not in rest:
            found.append(f"results/{folder}/target_{rest}.pt")
        elif _begins(word, datasets):
            found.append(word)
        elif dataset is None:
            raise ValueError(f"{unknown('data set', word, datasets)}; or give a path")
        else:
            found.append(f"results/{dataset}/target_{word}.pt")
    return found


def _begins(word: str, datasets: Sequence[str]) -> bool:
    """Say whether a word is no id of a target that belongs to the data set before it."""
    return word in datasets or word in RULES or "/" in word


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
