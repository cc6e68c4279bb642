# A backbone that reads its target's modality, and the target trained on it.


include: "inputs/target.smk"


rule swap_kv:
    input:
        selection=ancient("results/{dataset}/selection/target_{target}.json"),
        backbone=of_backbone("results/{dataset}/backbone/task_{task}/pruned.pt"),
        baseline="results/{dataset}/baseline/task_{target}.pt",
    output:
        checkpoint=update("results/{dataset}/kv_swap/target_{target}.pt"),
    log:
        "logs/swap_kv/{dataset}/{target}.log",
    benchmark:
        "benchmarks/swap_kv/{dataset}/{target}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    params:
        **computed(swapping="preset.target.swapping"),
    message:
        "Let the backbone of target {wildcards.target} of {wildcards.dataset} read its modality"
    script:
        "../workflow_scripts/swap_kv.py"


rule train_target:
    input:
        task_file="results/{dataset}/data/task_{target}.pt",
        initial=where_chosen("results/{dataset}/kv_swap/target_{target}.pt"),
        backbone=where_chosen("results/{dataset}/backbone/task_{task}/pruned.pt"),
        backbone_data=where_chosen("results/{dataset}/data/task_{task}.pt"),
        baseline="results/{dataset}/baseline/task_{target}.pt",
        baseline_metrics="results/{dataset}/baseline/task_{target}.json",
        selection=ancient("results/{dataset}/selection/target_{target}.json"),
        trials=trials_of,
    output:
        checkpoint=update("results/{dataset}/target_{target}.pt"),
        metrics=update("results/{dataset}/target_{target}.json"),
        history=update("results/{dataset}/target_{target}.csv"),
    log:
        "logs/train_target/{dataset}/{target}.log",
    benchmark:
        "benchmarks/train_target/{dataset}/{target}.tsv"
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
        **computed(rounding, target="preset.target", training="preset.training"),
        resume="results/{dataset}/.resume/target_{target}",
    message:
        "Train target {wildcards.target} of {wildcards.dataset} on its backbone"
    script:
        "../workflow_scripts/train_target.py"
