"""Train a target from one candidate or control (rule train_pair)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0], tracker=snakemake.resources.tracker):
    from crossback_core.stages.study import train_pair  # a failure is logged

    train_pair(
        **snakemake.input,
        **snakemake.output,
        **snakemake.params,
        device=snakemake.resources.device,
    )
