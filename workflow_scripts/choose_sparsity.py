"""Choose the level of the ladder that becomes the backbone (rule choose_sparsity)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.backbone import choose_sparsity  # a failure is logged

    choose_sparsity(**snakemake.input, **snakemake.output, **snakemake.params)
