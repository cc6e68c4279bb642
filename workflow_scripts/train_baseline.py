"""Train one task from scratch (rule train_baseline)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import train_baseline  # here, so that an import error is logged

    train_baseline(**snakemake.input, **snakemake.output, **snakemake.params)
