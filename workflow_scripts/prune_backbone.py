"""Prune one task's network along the ladder of sparsities (rule prune_backbone)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import prune_backbone  # here, so that an import error is logged

    prune_backbone(**snakemake.input, **snakemake.output, **snakemake.params)
