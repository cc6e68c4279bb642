"""Make the tensors of one task or wide task (rule prepare_task)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import prepare_task  # here, so that an import error is logged

    prepare_task(
        **snakemake.input, **snakemake.output, **snakemake.params, threads=snakemake.threads
    )
