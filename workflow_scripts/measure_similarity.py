"""Compare one target with its candidates (rule measure_similarity)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import measure_similarity  # here, so that an import error is logged

    measure_similarity(**snakemake.input, **snakemake.output, **snakemake.params)
