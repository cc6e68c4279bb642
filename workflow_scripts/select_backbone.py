"""Select one target's backbone (rule select_backbone)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.choice import select_backbone  # a failure is logged

    select_backbone(**snakemake.input, **snakemake.output, **snakemake.params)
