"""Put the indexes of all tasks into one table (rule collect_index)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.index import collect_index  # a failure is logged

    collect_index(**snakemake.input, **snakemake.output, **snakemake.params)
