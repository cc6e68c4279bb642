"""Unpack the files of a data set (rule unpack_data)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.data import unpack_data  # a failure is logged

    unpack_data(**snakemake.input, **snakemake.output, **snakemake.params)
