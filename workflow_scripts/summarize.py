"""Make the table and the report of a data set (rule summarize)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.report import summarize  # a failure is logged

    summarize(**snakemake.input, **snakemake.output, **snakemake.params)
