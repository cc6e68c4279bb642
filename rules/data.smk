# Data sets, from published files or a folder to one tensor file a task. Where the configuration names
# a folder (`raw`), nothing is downloaded or unpacked. Downloads run where Snakemake does: nodes of a
# cluster often have no network.

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


localrules:
    download_file,
    unpack_data,


wildcard_constraints:
    file=published_files(),


rule download_file:
    output:
        file="resources/{dataset}/{file}",
    log:
        "logs/download_file/{dataset}/{file}.log",
    benchmark:
        "benchmarks/download_file/{dataset}/{file}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(720),
    params:
        source=remote_file,
    message:
        "Download {wildcards.file} of {wildcards.dataset}"
    script:
        "../workflow_scripts/download_file.py"


rule unpack_data:
    input:
        files=downloaded_files,
    output:
        listing="resources/{dataset}/raw/SOURCES.txt",
    log:
        "logs/unpack_data/{dataset}.log",
    benchmark:
        "benchmarks/unpack_data/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(240),
    params:
        sources=remote_files_of,
    message:
        "Unpack {wildcards.dataset}"
    script:
        "../workflow_scripts/unpack_data.py"


rule prepare_index:
    input:
        raw_files,
    output:
        index="results/{dataset}/data/index.csv",
        skipped="results/{dataset}/data/index_skipped.csv",
    log:
        "logs/prepare_index/{dataset}.log",
    benchmark:
        "benchmarks/prepare_index/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),  # COCO's annotations: 1.4 GB
        runtime=grows(30),
    params:
        **computed(index_settings),
        raw=setting("dataset.raw"),
        dataset=setting("dataset"),
    message:
        "Index and split the samples of {wildcards.dataset}"
    script:
        "../workflow_scripts/prepare_index.py"


rule prepare_task:
    input:
        raw_files,
        index="results/{dataset}/data/index.csv",
    output:
        task_file="results/{dataset}/data/task_{task}.pt",
        skipped="results/{dataset}/data/task_{task}_skipped.csv",
    log:
        "logs/prepare_task/{dataset}/{task}.log",
    benchmark:
        "benchmarks/prepare_task/{dataset}/{task}.tsv"
    group:
        "baseline_{dataset}_{task}"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    params:
        **computed(samples_of(task_id), members=members, train_per_class=train_per_class),
        raw=setting("dataset.raw"),
        task=task_id,
        dataset=setting("dataset"),
    message:
        "Prepare task {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/prepare_task.py"
