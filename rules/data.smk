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
        joint=joint_network,
    message:
        "Prepare task {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/prepare_task.py"
