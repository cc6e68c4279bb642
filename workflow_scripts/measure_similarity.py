"""Compare one target with its candidates (rule measure_similarity)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.similarity import measure_similarity  # a failure is logged

    measure_similarity(**snakemake.input, **snakemake.output, **snakemake.params)
