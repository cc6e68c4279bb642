rule prepare_index:
    input:
        raw_listing,
    output:
        index="results/{dataset}/data/index.csv",
    log:
        "logs/prepare_index/{dataset}.log",
    benchmark:
        "benchmarks/prepare_index/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        rerun_on("dataset"),
        raw=setting("dataset.raw"),
        dataset=setting("dataset"),
        seed=SETTINGS.seed,
        version=NUMERICS,
    message:
        "Index and split the samples of {wildcards.dataset}"
    script:
        "../workflow_scripts/prepare_index.py"


rule prepare_task:
    input:
        raw_listing,
        index="results/{dataset}/data/index.csv",
    output:
        task_file="results/{dataset}/data/task_{task}.pt",
    log:
        "logs/prepare_task/{dataset}/{task}.log",
    benchmark:
        "benchmarks/prepare_task/{dataset}/{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        rerun_on("dataset", members, train_per_class),
        raw=setting("dataset.raw"),
        task=task_id,
        members=members,
        dataset=setting("dataset"),
        train_per_class=train_per_class,
        seed=SETTINGS.seed,
        version=NUMERICS,
    message:
        "Prepare task {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/prepare_task.py"
