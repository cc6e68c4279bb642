"""Make the tensors of one task or joint network (rule prepare_task)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.data import prepare_task  # a failure is logged

    prepare_task(
        **snakemake.input, **snakemake.output, **snakemake.params, threads=snakemake.threads
    )
