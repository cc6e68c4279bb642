"""Make the table and the report of a data set (rule summarize)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import summarize  # here, so that an import error is logged

    summarize(**snakemake.input, **snakemake.output, **snakemake.params)
