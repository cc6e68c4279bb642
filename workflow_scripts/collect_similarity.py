"""Put the similarities of all targets into one table (rule collect_similarity)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.choice import collect_similarity  # a failure is logged

    collect_similarity(**snakemake.input, **snakemake.output)
