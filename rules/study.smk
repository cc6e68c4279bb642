# Is the backbone that a score picks a good one? Targets are trained from candidates and from
# controls, for several seeds and numbers of training samples. Nothing here is planned unless
# `snakemake study`, or a file of a study, is asked for.

from dataclasses import replace

from crossback_core.learning.settings import TargetSettings, TrainingSettings
from crossback_core.study.settings import STARTS

STUDY = "results/{dataset}/study/"
STUDIED = "results/{dataset}/study/size_{size}/seed_{seed}/target_{target}/"
STUDY_FIGURES = ("regret", "transfer", "gains", "sizes")


def requested_studies(wildcards: Wildcards) -> list[str]:
    """List what `snakemake study` makes: the study of each data set that has one."""
    files = ("summary.csv", "gains.csv", "candidates.csv")
    files += tuple(f"{figure}.png" for figure in STUDY_FIGURES)
    studied = [name for name, experiment in SETTINGS.datasets.items() if experiment.study]
    return [f"results/{name}/study/{file}" for name in studied for file in files]


def study_size(wildcards: Wildcards) -> int | None:
    """Return the number of training samples per class; None stands for all."""
    return None if wildcards.size == "all" else int(wildcards.size)


def study_seed(wildcards: Wildcards) -> int:
    """Return the seed of a job of a study."""
    return int(wildcards.seed)


def target_alone(wildcards: Wildcards) -> tuple[int, ...]:
    """Return the tasks that a target of a study consists of: itself."""
    return (target_id(wildcards),)


def studied_target(wildcards: Wildcards) -> TargetSettings:
    """Return the settings of targets, with what a study does not use at fixed values."""
    target = experiment_of(wildcards).preset.target
    return replace(target, max_width=1.0, width_step=1.0, keep_better=False)


def longer_training(wildcards: Wildcards) -> TrainingSettings:
    """Return the training of a baseline that takes as many steps as baseline and target together."""
    training = experiment_of(wildcards).preset.training
    return replace(training, epochs=2 * training.epochs, min_steps=2 * training.min_steps)


def joint_ids(wildcards: Wildcards) -> tuple[int, ...]:
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


localrules:
    study,


wildcard_constraints:
    size=r"all|\d+",
    seed=r"\d+",
    start="|".join(STARTS),


rule study:
    input:
        requested_studies,


use rule prepare_task as prepare_study_task with:
    output:
        task_file=f"{STUDIED}task.pt",
        skipped=f"{STUDIED}task_skipped.csv",
    log:
        "logs/prepare_study_task/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/prepare_study_task/{dataset}/{size}_{seed}_{target}.tsv"
    group:
        "study_{dataset}_{size}_{seed}_{target}"
    params:
        **computed(
            samples_of(target_id),
            seed=study_seed,
            members=target_alone,
            train_per_class=study_size,
        ),
        raw=setting("dataset.raw"),
        task=target_id,
        dataset=setting("dataset"),
    message:
        "Draw the samples of target {wildcards.target} of {wildcards.dataset} for the study:"
        " {wildcards.size} per class, seed {wildcards.seed}"


use rule train_baseline as train_study_baseline with:
    input:
        task_file=f"{STUDIED}task.pt",
    output:
        checkpoint=f"{STUDIED}baseline.pt",
        metrics=f"{STUDIED}baseline.json",
        history=f"{STUDIED}baseline.csv",
    log:
        "logs/train_study_baseline/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/train_study_baseline/{dataset}/{size}_{seed}_{target}.tsv"
    group:
        "study_{dataset}_{size}_{seed}_{target}"
    params:
        **computed(seed=study_seed, model="preset.model", training="preset.training"),
        device=SETTINGS.device,
        resume="results/{dataset}/.resume/study_{size}_{seed}_{target}_baseline",
    message:
        "Train the baseline of target {wildcards.target} of {wildcards.dataset} for the study"


use rule train_study_baseline as train_longer_baseline with:
    output:
        checkpoint=temp(f"{STUDIED}longer.pt"),
        metrics=f"{STUDIED}longer.json",
        history=f"{STUDIED}longer.csv",
    log:
        "logs/train_longer_baseline/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/train_longer_baseline/{dataset}/{size}_{seed}_{target}.tsv"
    params:
        **computed(seed=study_seed, model="preset.model", training=longer_training),
        device=SETTINGS.device,
        resume="results/{dataset}/.resume/study_{size}_{seed}_{target}_longer",
    message:
        "Train the baseline of target {wildcards.target} of {wildcards.dataset} for as long as"
        " baseline and target together"


use rule measure_similarity as score_study_candidates with:
    input:
        target_data=f"{STUDIED}task.pt",
        target_baseline=f"{STUDIED}baseline.pt",
        candidate_data=of_candidates("results/{dataset}/data/task_{task}.pt"),
        candidate_baselines=of_candidates("results/{dataset}/baseline/task_{task}.pt"),
    output:
        similarity=f"{STUDIED}scores.csv",
    log:
        "logs/score_study_candidates/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/score_study_candidates/{dataset}/{size}_{seed}_{target}.tsv"
    group:
        "study_{dataset}_{size}_{seed}_{target}"
    params:
        **computed(score_names, seed=study_seed, probing="preset.selection.probing"),
    message:
        "Score the candidates of target {wildcards.target} of {wildcards.dataset} for the study"


rule train_pair:
    input:
        task_file=f"{STUDIED}task.pt",
        backbone="results/{dataset}/backbone/task_{task}/pruned.pt",
        baseline=f"{STUDIED}baseline.pt",
    output:
        metrics=f"{STUDIED}{{start}}_{{task}}.json",
    log:
        "logs/train_pair/{dataset}/{size}_{seed}_{target}_{start}_{task}.log",
    benchmark:
        "benchmarks/train_pair/{dataset}/{size}_{seed}_{target}_{start}_{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(TRAINING_MB),
        runtime=grows(240),
        gpu=GPUS,
    params:
        **computed(seed=study_seed, target=studied_target, training="preset.training"),
        start="{start}",
        device=SETTINGS.device,
        resume="results/{dataset}/.resume/study_{size}_{seed}_{target}_{start}_{task}",
    message:
        "Train target {wildcards.target} of {wildcards.dataset} from {wildcards.start}"
        " {wildcards.task}: {wildcards.size} samples per class, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train_pair.py"


rule collect_study:
    input:
        baselines=of_cells(f"{STUDIED}baseline.json"),
        histories=of_cells(f"{STUDIED}baseline.csv"),
        longer=of_cells(f"{STUDIED}longer.json"),
        longer_histories=of_cells(f"{STUDIED}longer.csv"),
        pairs=study_pairs,
        scores=of_cells(f"{STUDIED}scores.csv"),
    output:
        trainings=f"{STUDY}trainings.csv",
        score_table=f"{STUDY}scores.csv",
    log:
        "logs/collect_study/{dataset}.log",
    benchmark:
        "benchmarks/collect_study/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    message:
        "Collect the trainings of the study of {wildcards.dataset}"
    script:
        "../workflow_scripts/collect_study.py"


rule summarize_study:
    input:
        trainings=f"{STUDY}trainings.csv",
        score_table=f"{STUDY}scores.csv",
    output:
        summary=f"{STUDY}summary.csv",
        gains=f"{STUDY}gains.csv",
        candidates=f"{STUDY}candidates.csv",
        figures=expand(f"{STUDY}{{figure}}.png", figure=STUDY_FIGURES, allow_missing=True),
    log:
        "logs/summarize_study/{dataset}.log",
    benchmark:
        "benchmarks/summarize_study/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        joint=joint_ids,
    message:
        "Judge the scores by the study of {wildcards.dataset}"
    script:
        "../workflow_scripts/summarize_study.py"
