# How good a start each candidate is for a target, by every score.


include: "inputs/similarity.smk"


rule measure_similarity:
    input:
        target_data="results/{dataset}/data/task_{target}.pt",
        target_baseline="results/{dataset}/baseline/task_{target}.pt",
        candidates="results/{dataset}/candidates.csv",
    output:
        similarity=update("results/{dataset}/similarity/target_{target}.csv"),
        stacking=update("results/{dataset}/stacking/target_{target}.json"),
    log:
        "logs/measure_similarity/{dataset}/{target}.log",
    benchmark:
        "benchmarks/measure_similarity/{dataset}/{target}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        **computed(
            score_names,
            probing="preset.selection.probing",
            excluded=excluded,
            shuffled=none_shuffled,
        ),
    message:
        "Score the candidates of target {wildcards.target} of {wildcards.dataset}"
    script:
        "../workflow_scripts/measure_similarity.py"
