"""Train one target task on its backbone (rule train_target)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0], tracker=snakemake.resources.tracker):
    from crossback_core.stages.target import train_target  # a failure is logged

    train_target(
        **snakemake.input,
        **snakemake.output,
        **snakemake.params,
        device=snakemake.resources.device,
    )
