"""Inputs and params of the rules for the study."""

from dataclasses import replace

from crossback_core.learning.settings import TargetSettings, TrainingSettings
from crossback_core.study.settings import STARTS

STUDY = "results/{dataset}/study/"
STUDIED = "results/{dataset}/study/size_{size}/seed_{seed}/target_{target}/"
STUDY_FIGURES = ("regret", "transfer", "gains", "sizes")


def requested_studies(wildcards: Wildcards) -> list[str]:
    """List what `snakemake study` makes: the study of each data set that has one."""
    files = ("summary.csv", "gains.csv", "candidates.csv", "signs.csv", "verdicts.csv")
    files += tuple(f"{figure}.png" for figure in STUDY_FIGURES)
    studied = [name for name, experiment in SETTINGS.datasets.items() if experiment.study]
    return [f"results/{name}/study/{file}" for name in studied for file in files]


def study_size(wildcards: Wildcards) -> int | None:
    """Return the number of training samples per class; None stands for all."""
    return None if wildcards.size == "all" else int(wildcards.size)


def study_seed(wildcards: Wildcards) -> int:
    """Return the seed of a job of a study."""
    return int(wildcards.seed)


def shuffled_candidates(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the candidates that are scored once more with their weights shuffled."""
    study = experiment_of(wildcards).study
    plan = study.sizes.get(wildcards.size) if study else None
    return plan.shuffled_candidates if plan else ()


def target_alone(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the tasks that a target of a study consists of: itself."""
    return (target_id(wildcards),)


def studied_target(wildcards: Wildcards) -> TargetSettings:
    """Return the settings of targets, which do not grow: all take equally many steps."""
    return replace(experiment_of(wildcards).preset.target.training, max_width=1.0, width_step=1.0)


def longer_training(wildcards: Wildcards) -> TrainingSettings:
    """Return the training of a baseline that takes as many steps as baseline and target together."""
    training = experiment_of(wildcards).preset.training
    return replace(training, epochs=2 * training.epochs, min_steps=2 * training.min_steps)


def joint_ids(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the ids of a data set's joint networks."""
    return tuple(experiment_of(wildcards).joint)


def of_cells(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for a file of each target, size and seed of a study."""

    def files(wildcards: Wildcards) -> list[str]:
        experiment = experiment_of(wildcards)
        return expand(
            pattern,
            dataset=experiment.name,
            size=experiment.study.sizes,
            seed=experiment.study.seeds,
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
            seed=experiment.study.seeds,
            target=target,
            start=start,
            task=candidate,
        )
    ]
