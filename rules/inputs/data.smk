"""Inputs and params of the rules for data."""

import re

from crossback_core.data.kind import KINDS
from crossback_core.data.sources import RemoteFile


def published_files() -> str:
    """Return the pattern of the names of all files that can be downloaded."""
    files = [file for experiment in SETTINGS.datasets.values() for file in experiment.downloads]
    return "|".join(sorted({re.escape(file.name) for file in files})) or "nothing"


def remote_files_of(wildcards: Wildcards) -> tuple[RemoteFile, ...]:
    """Return the files that a job's data set is published in."""
    return experiment_of(wildcards).downloads


def remote_file(wildcards: Wildcards) -> RemoteFile:
    """Return the file that a job downloads."""
    return next(file for file in remote_files_of(wildcards) if file.name == wildcards.file)


def downloaded_files(wildcards: Wildcards) -> list[str]:
    """Return where the files of a job's data set are downloaded to."""
    return [f"resources/{wildcards.dataset}/{file.name}" for file in remote_files_of(wildcards)]


def raw_files(wildcards: Wildcards) -> list[str]:
    """Return what changes whenever the raw data does."""
    experiment = experiment_of(wildcards)
    raw = Path(experiment.dataset.raw)
    if experiment.downloads:
        return [f"{raw}/SOURCES.txt"]
    return KINDS.find(experiment.dataset.kind).raw_files(raw)


def index_settings(wildcards: Wildcards) -> dict[str, object]:
    """Return the settings that the index of a job's data set depends on."""
    return experiment_of(wildcards).dataset.determining()


def samples_of(network: Callable[[Wildcards], int]) -> Param:
    """Return the params function of the settings that the samples of a job's network depend on."""

    def settings(wildcards: Wildcards) -> dict[str, object]:
        experiment = experiment_of(wildcards)
        return experiment.dataset.determining(*experiment.modalities(network(wildcards)))

    return settings


def members(wildcards: Wildcards) -> tuple[int, ...]:
    """Return the tasks whose classes a network knows."""
    return experiment_of(wildcards).members(task_id(wildcards))


def train_per_class(wildcards: Wildcards) -> int | None:
    """Return the number of training samples per class; None stands for all."""
    return experiment_of(wildcards).training_samples(task_id(wildcards))
