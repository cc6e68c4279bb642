"""List the candidates of a data set (rule list_candidates)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.choice import list_candidates  # a failure is logged

    list_candidates(**snakemake.input, **snakemake.output, **snakemake.params)
