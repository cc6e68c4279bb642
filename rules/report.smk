# What people see of a run: the table, and the report.


include: "inputs/report.smk"


rule summarize:
    input:
        metrics=of_targets("results/{dataset}/target_{target}.json"),
        histories=of_targets("results/{dataset}/target_{target}.csv"),
        selections=of_targets("results/{dataset}/selection/target_{target}.json"),
        matrix="results/{dataset}/similarity.csv",
        stacks=of_targets("results/{dataset}/stacking/target_{target}.json"),
        tables=of_backbones("results/{dataset}/backbone/task_{task}/pruning.csv"),
        choices=of_backbones("results/{dataset}/backbone/task_{task}/choice.json"),
    output:
        summary=update("results/{dataset}/summary.csv"),
        text=update("results/{dataset}/summary.txt"),
        report=update("results/{dataset}/report.html"),
    log:
        "logs/summarize/{dataset}.log",
    benchmark:
        "benchmarks/summarize/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        joint=joint_names,
    message:
        "Summarise the results of {wildcards.dataset}"
    script:
        "../workflow_scripts/summarize.py"
