# What samples each task has, and the split that each of them stays in.


rule prepare_index:
    input:
        unpacked_listing,
    output:
        index=update("results/{dataset}/data/index/{task}.csv"),
        splits=update("results/{dataset}/data/splits/{task}.csv"),
        skipped=update("results/{dataset}/data/index_skipped/{task}.csv"),
    log:
        "logs/prepare_index/{dataset}/{task}.log",
    benchmark:
        "benchmarks/prepare_index/{dataset}/{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),  # COCO's annotations: 1.4 GB
        runtime=grows(30),
    params:
        **computed(index_settings, raw_contents),
        task=task_id,
        dataset=setting("dataset"),
    message:
        "Index and split the samples of task {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/prepare_index.py"


rule collect_index:
    input:
        indexes=of_tasks("results/{dataset}/data/index/{task}.csv"),
        left_out=of_tasks("results/{dataset}/data/index_skipped/{task}.csv"),
    output:
        index=update("results/{dataset}/data/index.csv"),
        skipped=update("results/{dataset}/data/index_skipped.csv"),
    log:
        "logs/collect_index/{dataset}.log",
    benchmark:
        "benchmarks/collect_index/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        **computed(unread_files, seed=None),
        dataset=setting("dataset"),
    message:
        "Collect the samples of all tasks of {wildcards.dataset}"
    script:
        "../workflow_scripts/collect_index.py"
