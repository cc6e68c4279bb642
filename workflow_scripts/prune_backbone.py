"""Prune one task's network along the ladder of sparsities (rule prune_backbone)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0], tracker=snakemake.resources.tracker):
    from crossback_core.stages.backbone import prune_backbone  # a failure is logged

    prune_backbone(
        **snakemake.input,
        **snakemake.output,
        **snakemake.params,
        device=snakemake.resources.device,
    )
