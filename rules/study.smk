# Is the backbone that a score picks a good one? Targets are trained from candidates and from
# controls, for several seeds and numbers of training samples. Nothing here is planned unless
# `snakemake study`, or a file of a study, is asked for.

STUDY = "results/{dataset}/study/"
STUDIED = "results/{dataset}/study/size_{size}/seed_{draw}/target_{target}/"


localrules:
    study,


wildcard_constraints:
    size=r"all|\d+",
    draw=r"\d+",
    start="|".join(STARTS),


rule study:
    input:
        requested_studies,


use rule prepare_task as prepare_study_task with:
    output:
        task_file=f"{STUDIED}task.pt",
        skipped=f"{STUDIED}task_skipped.csv",
    log:
        "logs/prepare_study_task/{dataset}/{size}_{draw}_{target}.log",
    benchmark:
        "benchmarks/prepare_study_task/{dataset}/{size}_{draw}_{target}.tsv"
    group:
        "study_{dataset}_{size}_{draw}_{target}"
    params:
        rerun_on(samples_of(target_id)),
        raw=setting("dataset.raw"),
        task=target_id,
        members=target_alone,
        dataset=setting("dataset"),
        train_per_class=study_size,
        seed=study_draw,
        version=NUMERICS,
    message:
        "Draw the samples of target {wildcards.target} of {wildcards.dataset} for the study:"
        " {wildcards.size} a class, seed {wildcards.draw}"


use rule train_baseline as train_study_baseline with:
    input:
        task_file=f"{STUDIED}task.pt",
    output:
        checkpoint=f"{STUDIED}baseline.pt",
        metrics=f"{STUDIED}baseline.json",
        history=f"{STUDIED}baseline.csv",
    log:
        "logs/train_study_baseline/{dataset}/{size}_{draw}_{target}.log",
    benchmark:
        "benchmarks/train_study_baseline/{dataset}/{size}_{draw}_{target}.tsv"
    group:
        "study_{dataset}_{size}_{draw}_{target}"
    params:
        rerun_on("preset.model", "preset.training"),
        model=setting("preset.model"),
        training=setting("preset.training"),
        device=SETTINGS.device,
        seed=study_draw,
        resume="results/{dataset}/.resume/study_{size}_{draw}_{target}_baseline",
        version=NUMERICS,
    message:
        "Train the baseline of target {wildcards.target} of {wildcards.dataset} for the study"


use rule train_study_baseline as train_longer_baseline with:
    output:
        checkpoint=temp(f"{STUDIED}longer.pt"),
        metrics=f"{STUDIED}longer.json",
        history=f"{STUDIED}longer.csv",
    log:
        "logs/train_longer_baseline/{dataset}/{size}_{draw}_{target}.log",
    benchmark:
        "benchmarks/train_longer_baseline/{dataset}/{size}_{draw}_{target}.tsv"
    params:
        rerun_on("preset.model", longer_training),
        model=setting("preset.model"),
        training=longer_training,
        device=SETTINGS.device,
        seed=study_draw,
        resume="results/{dataset}/.resume/study_{size}_{draw}_{target}_longer",
        version=NUMERICS,
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
        "logs/score_study_candidates/{dataset}/{size}_{draw}_{target}.log",
    benchmark:
        "benchmarks/score_study_candidates/{dataset}/{size}_{draw}_{target}.tsv"
    group:
        "study_{dataset}_{size}_{draw}_{target}"
    params:
        rerun_on("preset.selection.probing", scored),
        probing=setting("preset.selection.probing"),
        seed=study_draw,
        version=NUMERICS,
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
        "logs/train_pair/{dataset}/{size}_{draw}_{target}_{start}_{task}.log",
    benchmark:
        "benchmarks/train_pair/{dataset}/{size}_{draw}_{target}_{start}_{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(TRAINING_MB),
        runtime=grows(240),
        gpu=GPUS,
    params:
        rerun_on(studied_target, "preset.training"),
        start="{start}",
        target=studied_target,
        training=setting("preset.training"),
        device=SETTINGS.device,
        seed=study_draw,
        resume="results/{dataset}/.resume/study_{size}_{draw}_{target}_{start}_{task}",
        version=NUMERICS,
    message:
        "Train target {wildcards.target} of {wildcards.dataset} from {wildcards.start}"
        " {wildcards.task}: {wildcards.size} samples a class, seed {wildcards.draw}"
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
        wide=wide_ids,
    message:
        "Judge the scores by the study of {wildcards.dataset}"
    script:
        "../workflow_scripts/summarize_study.py"
