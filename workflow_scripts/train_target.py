"""Train one target task on its backbone (rule train_target)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import train_target  # here, so that an import error is logged

    train_target(**snakemake.input, **snakemake.output, **snakemake.params)
