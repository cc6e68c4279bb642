# Further trainings of a target and its baseline, which its verdict is over: with other training samples
# drawn (`target.repeats`), or with training samples held out in turn (`target.judged_by: folds`).


include: "inputs/trials.smk"


wildcard_constraints:
    repeat=r"\d+",
    fold=r"\d+",
    trial=r"(repeat|fold)_\d+",


use rule prepare_task as prepare_repeat with:
    input:
        unpacked_listing,
        indexes=["results/{dataset}/data/index/{target}.csv"],
    output:
        task_file=update(f"{REPEAT}task.pt"),
        skipped=update(f"{REPEAT}task_skipped.csv"),
    log:
        "logs/prepare_repeat/{dataset}/{target}_{repeat}.log",
    benchmark:
        "benchmarks/prepare_repeat/{dataset}/{target}_{repeat}.tsv"
    params:
        **computed(
            samples_of(target_id),
            seed=repeat_seed,
            members=target_alone,
            train_per_class=train_per_class(target_id),
        ),
        task=target_id,
        dataset=setting("dataset"),
    message:
        "Draw other training samples of target {wildcards.target} of {wildcards.dataset}:"
        " repeat {wildcards.repeat}"


rule hold_out_fold:
    input:
        task_file="results/{dataset}/data/task_{target}.pt",
        index="results/{dataset}/data/index/{target}.csv",
    output:
        held_out=update(f"{FOLD}task.pt"),
    log:
        "logs/hold_out_fold/{dataset}/{target}_{fold}.log",
    benchmark:
        "benchmarks/hold_out_fold/{dataset}/{target}_{fold}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(10),
    params:
        **computed(folds="preset.target.repeats"),
        fold=fold_number,
    message:
        "Hold out part {wildcards.fold} of the training samples of target {wildcards.target} of"
        " {wildcards.dataset}"
    script:
        "../workflow_scripts/hold_out_fold.py"


use rule train_baseline as train_trial_baseline with:
    input:
        task_file=f"{TRIAL}task.pt",
    output:
        checkpoint=update(f"{TRIAL}baseline.pt"),
        metrics=update(f"{TRIAL}baseline.json"),
        history=update(f"{TRIAL}baseline.csv"),
    log:
        "logs/train_trial_baseline/{dataset}/{target}_{trial}.log",
    benchmark:
        "benchmarks/train_trial_baseline/{dataset}/{target}_{trial}.tsv"
    params:
        **computed(rounding, seed=trial_seed, model="preset.model", training="preset.training"),
        resume="results/{dataset}/.resume/trial_{target}_{trial}_baseline",
    message:
        "Train the baseline of target {wildcards.target} of {wildcards.dataset} once more:"
        " {wildcards.trial}"


use rule train_pair as train_trial with:
    input:
        task_file=f"{TRIAL}task.pt",
        backbone=of_backbone("results/{dataset}/backbone/task_{task}/pruned.pt"),
        baseline=f"{TRIAL}baseline.pt",
    output:
        metrics=update(f"{TRIAL}target.json"),
    log:
        "logs/train_trial/{dataset}/{target}_{trial}.log",
    benchmark:
        "benchmarks/train_trial/{dataset}/{target}_{trial}.tsv"
    resources:  # as its target, which may grow: a pair of a study does not
        mem_mb=grows(TRAINING_MB),
        runtime=grows(480),
        gpu=GPUS,
        device=SETTINGS.device,
        tracker=SETTINGS.tracker,
    params:
        **computed(
            rounding, seed=trial_seed, target="preset.target.training", training="preset.training"
        ),
        start="backbone",
        resume="results/{dataset}/.resume/trial_{target}_{trial}",
    message:
        "Train target {wildcards.target} of {wildcards.dataset} on its backbone once more:"
        " {wildcards.trial}"
