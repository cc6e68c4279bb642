"""Hold out a part of a target's training samples (rule hold_out_fold)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.trials import hold_out_fold  # a failure is logged

    hold_out_fold(**snakemake.input, **snakemake.output, **snakemake.params)
