"""Inputs and params of the rules for data."""

import re

from crossback_core.config.experiment import JointTask
from crossback_core.data.raw_contents import contents_of, encoder_contents, unread
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


def memory_of(experiment: Experiment) -> Path:
    """Return where the digests of a data set's files are remembered."""
    return Path(".snakemake/crossback/contents") / experiment.name


def unpacked_listing(wildcards: Wildcards) -> list[str]:
    """Return what tells that a published data set has been unpacked; nothing for a folder."""
    experiment = experiment_of(wildcards)
    return [f"{experiment.dataset.raw}/SOURCES.txt"] if experiment.downloads else []


def raw_contents(wildcards: Wildcards) -> str:
    """Return a digest of what a job's task is made of."""
    return contents_in(experiment_of(wildcards), wildcards.task)


def of_data(experiment: Experiment, read: Callable[..., str], *given: object) -> str:
    """Return what is read of a data set; a mistake in it is told by the data set's name."""
    try:
        return read(experiment.dataset, *given)
    except (ValueError, OSError) as error:
        raise refused_within(f"{experiment.name}: {error}") from None


def contents_in(experiment: Experiment, task: str) -> str:
    """Return a digest of what a task is made of; that of a download is its listing."""
    return (
        ""
        if experiment.downloads
        else of_data(experiment, contents_of, task, memory_of(experiment))
    )


def encoder_in(experiment: Experiment, modalities: tuple[str, ...]) -> str:
    """Return a digest of the text encoder, if it is used and in a folder."""
    return of_data(experiment, encoder_contents, modalities, memory_of(experiment))


def unread_files(wildcards: Wildcards) -> str:
    """Return a digest of what lies in the folder of a job's data set and is not read."""
    experiment = experiment_of(wildcards)
    return "" if experiment.downloads else of_data(experiment, unread)


def index_settings(wildcards: Wildcards) -> dict[str, object]:
    """Return the settings that the index of a job's task depends on."""
    return experiment_of(wildcards).dataset.determining()


def samples_of(network: Callable[[Wildcards], str]) -> Param:
    """Return the params function of what the samples of a job's network depend on."""

    def settings(wildcards: Wildcards) -> dict[str, object]:
        experiment = experiment_of(wildcards)
        id_ = network(wildcards)
        modalities = experiment.modalities(id_)
        return {
            **experiment.dataset.determining(*modalities),
            "raw": [contents_in(experiment, member) for member in experiment.members(id_)],
            "encoder_contents": encoder_in(experiment, modalities),
        }

    return settings


def of_tasks(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for one file of each task of a data set."""
    return lambda wildcards: expand(
        pattern, dataset=wildcards.dataset, task=experiment_of(wildcards).indexed
    )


def of_members(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for one file of each task whose classes a network knows."""
    return lambda wildcards: expand(pattern, dataset=wildcards.dataset, task=members(wildcards))


def members(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the tasks whose classes a network knows."""
    return experiment_of(wildcards).members(task_id(wildcards))


def joint_network(wildcards: Wildcards) -> JointTask | None:
    """Return the settings of a joint network; None for a task or target. Its name reruns nothing."""
    return experiment_of(wildcards).joint.get(wildcards.get("task"))


def train_per_class(network: Callable[[Wildcards], str]) -> Param:
    """Return the params function of a job's training samples per class; None stands for all."""
    return lambda wildcards: experiment_of(wildcards).training_samples(network(wildcards))
