# The candidates of a data set, and the choice among them by their scores.


include: "inputs/choice.smk"


rule list_candidates:
    input:
        task_files=of_candidates("results/{dataset}/data/task_{task}.pt"),
        baselines=of_candidates("results/{dataset}/baseline/task_{task}.pt"),
    output:
        candidates=update("results/{dataset}/candidates.csv"),
    log:
        "logs/list_candidates/{dataset}.log",
    benchmark:
        "benchmarks/list_candidates/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        ids=candidate_ids,
    message:
        "List the candidates of {wildcards.dataset}"
    script:
        "../workflow_scripts/list_candidates.py"


rule collect_similarity:
    input:
        similarities=of_targets("results/{dataset}/similarity/target_{target}.csv"),
    output:
        matrix=update("results/{dataset}/similarity.csv"),
    log:
        "logs/collect_similarity/{dataset}.log",
    benchmark:
        "benchmarks/collect_similarity/{dataset}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    message:
        "Collect the similarities of {wildcards.dataset}"
    script:
        "../workflow_scripts/collect_similarity.py"


checkpoint select_backbone:
    input:
        similarity="results/{dataset}/similarity/target_{target}.csv",
    output:
        selection=update("results/{dataset}/selection/target_{target}.json"),
    log:
        "logs/select_backbone/{dataset}/{target}.log",
    benchmark:
        "benchmarks/select_backbone/{dataset}/{target}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    params:
        **computed(
            seed=None,
            candidates="preset.selection.candidates",
            score="preset.selection.score",
            minimum="preset.selection.minimum",
        ),
        target=target_id,
    message:
        "Select the backbone of target {wildcards.target} of {wildcards.dataset}"
    script:
        "../workflow_scripts/select_backbone.py"
