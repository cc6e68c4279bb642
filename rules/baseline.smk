rule train_baseline:
    input:
        task_file="results/{dataset}/data/task_{task}.pt",
    output:
        checkpoint=update("results/{dataset}/baseline/task_{task}.pt"),
        metrics=update("results/{dataset}/baseline/task_{task}.json"),
        history=update("results/{dataset}/baseline/task_{task}.csv"),
    log:
        "logs/train_baseline/{dataset}/{task}.log",
    benchmark:
        "benchmarks/train_baseline/{dataset}/{task}.tsv"
    conda:
        "../envs/crossback.yaml"
    threads: 1
    resources:
        mem_mb=grows(TRAINING_MB),
        runtime=grows(240),
        gpu=GPUS,
        device=SETTINGS.device,
        tracker=SETTINGS.tracker,
    params:
        **computed(rounding, model="preset.model", training="preset.training"),
        resume="results/{dataset}/.resume/baseline_{task}",
    message:
        "Train the baseline of task {wildcards.task} of {wildcards.dataset}"
    script:
        "../workflow_scripts/train_baseline.py"
