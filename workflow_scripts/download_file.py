"""Fetch one file of a published data set (rule download_file)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import download_file  # here, so that an import error is logged

    download_file(**snakemake.input, **snakemake.output, **snakemake.params)
