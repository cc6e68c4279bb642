"""Remove the ladders of backbones that have been chosen from (rule clean_ladders)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.backbone import clean_ladders  # a failure is logged

    clean_ladders(**snakemake.input, **snakemake.output, **snakemake.params)
