"""Index and split the samples of a data set (rule prepare_index)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import prepare_index  # here, so that an import error is logged

    prepare_index(**snakemake.input, **snakemake.output, **snakemake.params)
