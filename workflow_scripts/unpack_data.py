"""Unpack the files of a data set (rule unpack_data)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import unpack_data  # here, so that an import error is logged

    unpack_data(**snakemake.input, **snakemake.output, **snakemake.params)
