"""Say whether two candidates of a target know more than one (rule stack_candidates)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.similarity import stack_candidates  # a failure is logged

    stack_candidates(**snakemake.input, **snakemake.output, **snakemake.params)
