# Networks pruned along a ladder of sparsities, and the level of it that becomes the backbone.


include: "inputs/backbone.smk"


localrules:
    clean_ladders,


rule prune_backbone:
    input:
        task_file="results/{dataset}/data/task_{task}.pt",
        baseline="results/{dataset}/baseline/task_{task}.pt",
    output:
        directory("results/{dataset}/backbone/task_{task}/ladder"),
        table=update("results/{dataset}/backbone/task_{task}/pruning.csv"),
    log:
        "logs/prune_backbone/{dataset}/{task}.log",
    benchmark:
        "benchmarks/prune_backbone/{dataset}/{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(TRAINING_MB),
        runtime=grows(480),
        gpu=GPUS,
        device=SETTINGS.device,
        tracker=SETTINGS.tracker,
    params:
        **computed(rounding, pruning="preset.pruning.ladder", training="preset.training"),
        levels=ladder_levels,
        resume="results/{dataset}/.resume/backbone_{task}",
    message:
        "Prune the network of task {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/prune_backbone.py"


rule choose_sparsity:
    input:
        ancient("results/{dataset}/backbone/task_{task}/ladder"),  # the table tells of its contents
        baseline="results/{dataset}/baseline/task_{task}.pt",
        baseline_metrics="results/{dataset}/baseline/task_{task}.json",
        table="results/{dataset}/backbone/task_{task}/pruning.csv",
    output:
        checkpoint=update("results/{dataset}/backbone/task_{task}/pruned.pt"),
        choice=update("results/{dataset}/backbone/task_{task}/choice.json"),
    log:
        "logs/choose_sparsity/{dataset}/{task}.log",
    benchmark:
        "benchmarks/choose_sparsity/{dataset}/{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    params:
        **computed(seed=None, allowed_loss="preset.pruning.allowed_loss"),
        levels=ladder_levels,
    message:
        "Choose the sparsity of backbone {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/choose_sparsity.py"


# Asked for by name: gives back the room of ladders whose level has been chosen.
rule clean_ladders:
    log:
        "logs/clean_ladders/all.log",
    benchmark:
        "benchmarks/clean_ladders/all.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(500),
        runtime=grows(10),
    params:
        ladders=finished_ladders,
    message:
        "Remove the ladders of backbones that have been chosen from"
    script:
        "../workflow_scripts/clean_ladders.py"
