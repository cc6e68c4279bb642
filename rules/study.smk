# Is the backbone that a score picks a good one? Targets are trained from candidates and from
# controls, for several seeds and numbers of training samples. Nothing here is planned unless
# `snakemake study`, or a file of a study, is asked for.


include: "inputs/study.smk"


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
    input:
        unpacked_listing,
        indexes=["results/{dataset}/data/index/{target}.csv"],
    output:
        task_file=update(f"{STUDIED}task.pt"),
        skipped=update(f"{STUDIED}task_skipped.csv"),
    log:
        "logs/prepare_study_task/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/prepare_study_task/{dataset}/{size}_{seed}_{target}.tsv"
    params:
        **computed(
            samples_of(target_id),
            seed=study_seed,
            members=target_alone,
            train_per_class=study_size,
        ),
        task=target_id,
        dataset=setting("dataset"),
    message:
        "Draw the samples of target {wildcards.target} of {wildcards.dataset} for the study:"
        " {wildcards.size} per class, seed {wildcards.seed}"


use rule train_baseline as train_study_baseline with:
    input:
        task_file=f"{STUDIED}task.pt",
    output:
        checkpoint=update(f"{STUDIED}baseline.pt"),
        metrics=update(f"{STUDIED}baseline.json"),
        history=update(f"{STUDIED}baseline.csv"),
    log:
        "logs/train_study_baseline/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/train_study_baseline/{dataset}/{size}_{seed}_{target}.tsv"
    params:
        **computed(rounding, seed=study_seed, model="preset.model", training="preset.training"),
        resume="results/{dataset}/.resume/study_{size}_{seed}_{target}_baseline",
    message:
        "Train the baseline of target {wildcards.target} of {wildcards.dataset} for the study"


use rule train_study_baseline as train_longer_baseline with:
    output:
        checkpoint=temp(f"{STUDIED}longer.pt"),
        metrics=update(f"{STUDIED}longer.json"),
        history=update(f"{STUDIED}longer.csv"),
    log:
        "logs/train_longer_baseline/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/train_longer_baseline/{dataset}/{size}_{seed}_{target}.tsv"
    params:
        **computed(rounding, seed=study_seed, model="preset.model", training=longer_training),
        resume="results/{dataset}/.resume/study_{size}_{seed}_{target}_longer",
    message:
        "Train the baseline of target {wildcards.target} of {wildcards.dataset} for as long as"
        " baseline and target together"


use rule measure_similarity as score_study_candidates with:
    input:
        target_data=f"{STUDIED}task.pt",
        target_baseline=f"{STUDIED}baseline.pt",
        candidates="results/{dataset}/candidates.csv",
    output:
        similarity=update(f"{STUDIED}scores.csv"),
        stacking=update(f"{STUDIED}stacking.json"),
    log:
        "logs/score_study_candidates/{dataset}/{size}_{seed}_{target}.log",
    benchmark:
        "benchmarks/score_study_candidates/{dataset}/{size}_{seed}_{target}.tsv"
    params:
        **computed(
            score_names,
            seed=study_seed,
            probing="preset.selection.probing",
            excluded=excluded,
            shuffled=shuffled_candidates,
        ),
    message:
        "Score the candidates of target {wildcards.target} of {wildcards.dataset} for the study"


rule train_pair:
    input:
        task_file=f"{STUDIED}task.pt",
        backbone="results/{dataset}/backbone/task_{task}/pruned.pt",
        baseline=f"{STUDIED}baseline.pt",
    output:
        metrics=update(f"{STUDIED}{{start}}_{{task}}.json"),
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
        device=SETTINGS.device,
        tracker=SETTINGS.tracker,
    params:
        **computed(rounding, seed=study_seed, target=studied_target, training="preset.training"),
        start="{start}",
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
        trainings=update(f"{STUDY}trainings.csv"),
        score_table=update(f"{STUDY}scores.csv"),
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
        summary=update(f"{STUDY}summary.csv"),
        gains=update(f"{STUDY}gains.csv"),
        candidates=update(f"{STUDY}candidates.csv"),
        signs=update(f"{STUDY}signs.csv"),
        verdicts=update(f"{STUDY}verdicts.csv"),
        figures=update(expand(f"{STUDY}{{figure}}.png", figure=STUDY_FIGURES, allow_missing=True)),
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
