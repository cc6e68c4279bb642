"""Index and split the samples of a task (rule prepare_index)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.index import prepare_index  # a failure is logged

    prepare_index(**snakemake.input, **snakemake.output, **snakemake.params)
