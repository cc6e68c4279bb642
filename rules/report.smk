# What people see of a run: the table, and the report.


include: "inputs/report.smk"


rule summarize:
    input:
        metrics=of_targets("results/{dataset}/target_{target}.json"),
        histories=of_targets("results/{dataset}/target_{target}.csv"),
        products=of_targets("results/{dataset}/target_{target}.pt"),
        task_files=of_targets("results/{dataset}/data/task_{target}.pt"),
        indexes=of_targets("results/{dataset}/data/index/{target}.csv"),
        selections=of_targets("results/{dataset}/selection/target_{target}.json"),
        networks=of_known("results/{dataset}/baseline/task_{task}.json"),
        baseline_histories=of_targets("results/{dataset}/baseline/task_{target}.csv"),
        matrix="results/{dataset}/similarity.csv",
        stacks=of_targets("results/{dataset}/stacking/target_{target}.json"),
        tables=of_backbones("results/{dataset}/backbone/task_{task}/pruning.csv"),
        choices=of_backbones("results/{dataset}/backbone/task_{task}/choice.json"),
    output:
        summary=report(
            update("results/{dataset}/summary.csv"),
            caption="captions/summary.rst",
            category="{dataset}",
            labels={"what": "table of targets"},
        ),
        text=update("results/{dataset}/summary.txt"),
        report=report(
            update("results/{dataset}/report.html"),
            caption="captions/report.rst",
            category="{dataset}",
            labels={"what": "report"},
        ),
        figures=report(
            update(directory("results/{dataset}/figures")),
            patterns=["{figure}.svg"],
            caption="captions/figures.rst",
            category="{dataset}",
            subcategory="figures",
            labels={"what": "{figure}"},
        ),
    log:
        "logs/summarize/{dataset}.log",
    benchmark:
        "benchmarks/summarize/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        joint=joint_names,
        dataset=setting("dataset"),
    message:
        "Summarise the results of {wildcards.dataset}"
    script:
        "../workflow_scripts/summarize.py"
