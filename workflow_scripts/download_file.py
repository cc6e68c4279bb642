"""Fetch one file of a published data set (rule download_file)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.data import download_file  # a failure is logged

    download_file(**snakemake.input, **snakemake.output, **snakemake.params)
