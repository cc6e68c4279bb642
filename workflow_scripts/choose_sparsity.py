"""Choose the level of the ladder that becomes the backbone (rule choose_sparsity)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import choose_sparsity  # here, so that an import error is logged

    choose_sparsity(**snakemake.input, **snakemake.output, **snakemake.params)
