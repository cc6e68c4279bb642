# Data sets, from published files or a folder to one tensor file per task. Where the configuration names
# a folder (`raw`), nothing is downloaded or unpacked. Downloads run where Snakemake does: nodes of a
# cluster often have no network.


include: "inputs/data.smk"


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


rule prepare_task:
    input:
        unpacked_listing,
        indexes=of_members("results/{dataset}/data/index/{task}.csv"),
    output:
        task_file=update("results/{dataset}/data/task_{task}.pt"),
        skipped=update("results/{dataset}/data/task_{task}_skipped.csv"),
    log:
        "logs/prepare_task/{dataset}/{task}.log",
    benchmark:
        "benchmarks/prepare_task/{dataset}/{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(4000),
        runtime=grows(30),
    params:
        **computed(samples_of(task_id), members=members, train_per_class=train_per_class(task_id)),
        task=task_id,
        dataset=setting("dataset"),
    message:
        "Prepare task {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/prepare_task.py"
