"""Train a target from one candidate or control (rule train_pair)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.study.stages import train_pair  # here, so that an import error is logged

    train_pair(**snakemake.input, **snakemake.output, **snakemake.params)
