"""The checked configuration, and the functions that give rules their inputs and params."""

import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import Wildcards

from crossback_core import NUMERICS
from crossback_core.config import Experiment, Settings, load_settings
from crossback_core.config.plain import check_files
from crossback_core.data.kind import KINDS
from crossback_core.data.sources import RemoteFile
from crossback_core.learning.settings import TargetSettings, TrainingSettings
from crossback_core.section import unknown
from crossback_core.selection.scores import METRICS
from crossback_core.study.settings import STARTS


class Refused(WorkflowError):
    """A mistake of the user: Snakemake shows its message and no lines of code."""

    __traceback__ = property(lambda self: None, lambda self, value: None)


def checked_settings() -> Settings:
    """Turn the configuration into settings."""
    try:
        check_files(workflow.configfiles)
        return load_settings(config)
    except ValueError as error:
        raise Refused(str(error)) from None


def check_room() -> None:
    """Refuse to start on a full disk, on which Snakemake's own records end with a traceback."""
    disk = shutil.disk_usage(".")
    if disk.total and disk.free < ROOM:
        raise Refused(
            f"the disk is full: {Path.cwd()} has {disk.free // 1024} KiB left; what was written "
            "earlier is whole: make room and run the same command again"
        )


ROOM = 256 * 1024  # bytes that Snakemake's records of a run take at least
check_room()
SETTINGS = checked_settings()
GPUS = int(SETTINGS.device == "cuda")  # of a training job
TRAINING_MB = 8000 if GPUS else 2000  # of main memory
STARTED = time.time()


def check_targets(targets: Iterable[str]) -> None:
    """Refuse results of data sets and tasks that the configuration does not have.

    The wildcard constraints refuse them as well, but Snakemake does not say what there is.
    """
    for target in targets:
        if target == "study" and not any(known.study for known in SETTINGS.datasets.values()):
            raise Refused("study: no data set of the configuration has a `study` (docs/study.md)")
        if not (found := re.match(r"results/([^/]+)/(?:.*?(task|target)_([^/._]*))?", target)):
            continue
        name, role, id_ = found.groups()
        if name not in SETTINGS.datasets:
            raise Refused(f"{target}: {unknown('data set', name, SETTINGS.datasets)}")
        experiment = SETTINGS.datasets[name]
        if "/study/" in target and not experiment.study:
            raise Refused(f"{target}: data set {name} has no `study` in the configuration")
        known = experiment.targets if role == "target" else experiment.networks
        if role and id_ not in map(str, known):
            raise Refused(f"{target}: {unknown(role, id_, known)} (data set {name})")
        place = r"results/[^/]+/study/size_([^/]+)/seed_([^/]+)/target_\d+/(.*)"
        if found := re.match(place, target):
            check_study_file(target, experiment, int(id_), *found.groups())


def check_study_file(
    target: str, experiment: Experiment, id_: int, size: str, seed: str, file: str
) -> None:
    """Refuse a file of a size, a seed or a training that a study does not have."""
    for what, given, known in (
        ("size", size, experiment.study.sizes),
        ("seed", seed, experiment.study.seeds),
    ):
        if given not in map(str, known):
            raise Refused(f"{target}: {unknown(what, given, known)} (study of {experiment.name})")
    pairs = [f"{start}_{candidate}" for start, candidate in experiment.pairs_of(id_, size)]
    trainings = ["baseline", "longer", *pairs]
    training = file.removesuffix(".json")
    if training != file and training not in trainings:
        raise Refused(f"{target}: {unknown('training', training, trainings)} (target {id_})")


# Snakemake reads the workflow before it tells it its targets.
check_targets(sys.argv[1:])


def one_of(role: str) -> str:
    """Give the pattern of all ids that have a role ("targets", "networks") in some data set."""
    ids = {id_ for experiment in SETTINGS.datasets.values() for id_ in getattr(experiment, role)}
    return "|".join(map(str, sorted(ids)))


def published_files() -> str:
    """Give the pattern of the names of all files that can be downloaded."""
    files = [file for experiment in SETTINGS.datasets.values() for file in experiment.downloads]
    return "|".join(sorted({re.escape(file.name) for file in files})) or "nothing"


def requested_results() -> list[str]:
    """List what plain `snakemake` makes."""
    return [
        f"results/{name}/{file}"
        for name in SETTINGS.run
        for file in (
            "summary.csv",
            "report.html",
            *(f"target_{target}.pt" for target in SETTINGS.datasets[name].targets),
        )
    ]


def show_summaries() -> None:
    """Print the tables that this run has made."""
    for name in SETTINGS.datasets:
        summary = Path(f"results/{name}/summary.txt")
        if summary.is_file() and summary.stat().st_mtime >= STARTED:
            print(summary.read_text(encoding="utf-8"))


def experiment_of(wildcards: Wildcards) -> Experiment:
    """Give what is done with a job's data set."""
    return SETTINGS.datasets[wildcards.dataset]


def setting(path: str) -> Callable[[Wildcards], object]:
    """Give the params function that looks up a setting of a job's data set."""
    return lambda wildcards: attrgetter(path)(experiment_of(wildcards))


def grows(amount: int) -> Callable[[Wildcards, int], int]:
    """Give the resources function that asks for the amount again at each new attempt."""
    return lambda wildcards, attempt: amount * attempt


def rerun_on(*values: str | Callable[[Wildcards], object]) -> Callable[[Wildcards], str]:
    """Give the params function that lists in one text all that determines a job's results.

    Snakemake reruns a job when the set of its params changes, but it skips values that are not
    built in (our settings) and cannot tell a changed seed from an equal task id.

    Args:
        values: Settings by their path, or other params functions.
    """
    functions = [setting(value) if isinstance(value, str) else value for value in values]
    fixed = f"seed {SETTINGS.seed}, numerics {NUMERICS}"
    return lambda wildcards: "\n".join([fixed, *(repr(give(wildcards)) for give in functions)])


def scored(wildcards: Wildcards) -> tuple[str, ...]:
    """Give the columns of a target's scores: a new one has them measured again."""
    return tuple(METRICS)


def index_settings(wildcards: Wildcards) -> dict[str, object]:
    """Give the settings that the index of a job's data set depends on."""
    return experiment_of(wildcards).dataset.determining()


def samples_of(network: Callable[[Wildcards], int]) -> Callable[[Wildcards], dict[str, object]]:
    """Give the params function of the settings that the samples of a job's network depend on."""

    def settings(wildcards: Wildcards) -> dict[str, object]:
        experiment = experiment_of(wildcards)
        return experiment.dataset.determining(*experiment.modalities(network(wildcards)))

    return settings


def remote_files_of(wildcards: Wildcards) -> tuple[RemoteFile, ...]:
    """Give the files that a job's data set is published in."""
    return experiment_of(wildcards).downloads


def remote_file(wildcards: Wildcards) -> RemoteFile:
    """Give the file that a job downloads."""
    return next(file for file in remote_files_of(wildcards) if file.name == wildcards.file)


def downloaded_files(wildcards: Wildcards) -> list[str]:
    """Give where the files of a job's data set are downloaded to."""
    return [f"resources/{wildcards.dataset}/{file.name}" for file in remote_files_of(wildcards)]


def raw_files(wildcards: Wildcards) -> list[str]:
    """Give what changes whenever the raw data does."""
    experiment = experiment_of(wildcards)
    raw = Path(experiment.dataset.raw)
    if experiment.downloads:
        return [f"{raw}/SOURCES.txt"]
    return KINDS.find(experiment.dataset.kind).raw_files(raw)


def task_id(wildcards: Wildcards) -> int:
    """Give a job's task or wide task."""
    return int(wildcards.task)


def target_id(wildcards: Wildcards) -> int:
    """Give a job's target."""
    return int(wildcards.target)


def members(wildcards: Wildcards) -> tuple[int, ...]:
    """Give the tasks whose classes a network knows."""
    return experiment_of(wildcards).members(task_id(wildcards))


def train_per_class(wildcards: Wildcards) -> int | None:
    """Give the number of training samples a class; None stands for all."""
    return experiment_of(wildcards).training_samples(task_id(wildcards))


def wide_names(wildcards: Wildcards) -> dict[int, str]:
    """Give the names of a data set's wide networks."""
    return {id_: network.name for id_, network in experiment_of(wildcards).wide.items()}


def of_candidates(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Give the input function for one file of each candidate of a target."""

    def files(wildcards: Wildcards) -> list[str]:
        candidates = experiment_of(wildcards).candidates_of(target_id(wildcards))
        return expand(pattern, dataset=wildcards.dataset, task=candidates)

    return files


def of_targets(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Give the input function for one file of each target of a data set."""
    return lambda wildcards: expand(
        pattern, dataset=wildcards.dataset, target=experiment_of(wildcards).targets
    )


def ladder_levels(wildcards: Wildcards) -> list[str]:
    """List the checkpoints of a backbone's ladder, the weakest pruned first.

    A data set's preset decides how many there are, so the rules know the ladder as a folder.
    """
    return [
        f"results/{wildcards.dataset}/backbone/task_{wildcards.task}/ladder/sparsity_{sparsity}.pt"
        for sparsity in experiment_of(wildcards).preset.pruning.sparsities
    ]


def selected_backbone(dataset: str, target: int | str) -> int:
    """Read which backbone was selected for a target, once it has been."""
    found = checkpoints.select_backbone.get(dataset=dataset, target=target)
    return json.loads(Path(found.output.selection).read_text(encoding="utf-8"))["backbone"]


def of_backbone(pattern: str) -> Callable[[Wildcards], str]:
    """Give the input function for a file of a target's backbone."""
    return lambda wildcards: pattern.format(
        dataset=wildcards.dataset,
        task=selected_backbone(wildcards.dataset, wildcards.target),
    )


def of_backbones(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Give the input function for a file of each backbone that a data set's targets selected."""

    def files(wildcards: Wildcards) -> list[str]:
        targets = experiment_of(wildcards).targets
        backbones = {selected_backbone(wildcards.dataset, target) for target in targets}
        return expand(pattern, dataset=wildcards.dataset, task=sorted(backbones))

    return files


STUDY_FIGURES = ("regret", "transfer", "gains", "sizes")


def requested_studies(wildcards: Wildcards) -> list[str]:
    """List what `snakemake study` makes: the study of each data set that has one."""
    files = ("summary.csv", "gains.csv", "candidates.csv")
    files += tuple(f"{figure}.png" for figure in STUDY_FIGURES)
    studied = [name for name, experiment in SETTINGS.datasets.items() if experiment.study]
    return [f"results/{name}/study/{file}" for name in studied for file in files]


def study_size(wildcards: Wildcards) -> int | None:
    """Give the number of training samples a class of a job of a study; None stands for all."""
    return None if wildcards.size == "all" else int(wildcards.size)


def study_draw(wildcards: Wildcards) -> int:
    """Give the seed of a job of a study."""
    return int(wildcards.draw)


def target_alone(wildcards: Wildcards) -> tuple[int, ...]:
    """Give the tasks that a target of a study consists of: itself."""
    return (target_id(wildcards),)


def studied_target(wildcards: Wildcards) -> TargetSettings:
    """Give the settings of targets, with what a study does not use at fixed values."""
    target = experiment_of(wildcards).preset.target
    return replace(target, max_width=1.0, width_step=1.0, keep_better=False)


def longer_training(wildcards: Wildcards) -> TrainingSettings:
    """Give the training of a baseline that takes as many steps as baseline and target together."""
    training = experiment_of(wildcards).preset.training
    return replace(training, epochs=2 * training.epochs, min_steps=2 * training.min_steps)


def wide_ids(wildcards: Wildcards) -> tuple[int, ...]:
    """Give the ids of a data set's wide networks."""
    return tuple(experiment_of(wildcards).wide)


def of_cells(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Give the input function for a file of each target, size and seed of a study."""

    def files(wildcards: Wildcards) -> list[str]:
        experiment = experiment_of(wildcards)
        return expand(
            pattern,
            dataset=experiment.name,
            size=experiment.study.sizes,
            draw=experiment.study.seeds,
            target=experiment.targets,
        )

    return files


def study_pairs(wildcards: Wildcards) -> list[str]:
    """List the trainings of a study: each target from each candidate, and from the controls."""
    experiment = experiment_of(wildcards)
    return [
        path
        for size in experiment.study.sizes
        for target in experiment.targets
        for start, candidate in experiment.pairs_of(target, size)
        for path in expand(
            f"{STUDIED}{{start}}_{{task}}.json",
            dataset=experiment.name,
            size=size,
            draw=experiment.study.seeds,
            target=target,
            start=start,
            task=candidate,
        )
    ]
