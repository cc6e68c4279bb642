"""Train one task from scratch (rule train_baseline)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0], tracker=snakemake.resources.tracker):
    from crossback_core.stages.baseline import train_baseline  # a failure is logged

    train_baseline(
        **snakemake.input,
        **snakemake.output,
        **snakemake.params,
        device=snakemake.resources.device,
    )
