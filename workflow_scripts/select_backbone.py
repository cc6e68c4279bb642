"""Select one target's backbone (rule select_backbone)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import select_backbone  # here, so that an import error is logged

    select_backbone(**snakemake.input, **snakemake.output, **snakemake.params)
