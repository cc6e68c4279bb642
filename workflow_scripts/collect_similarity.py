"""Put the similarities of all targets into one table (rule collect_similarity)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import collect_similarity  # here, so that an import error is logged

    collect_similarity(**snakemake.input, **snakemake.output)
