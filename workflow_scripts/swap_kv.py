"""Let one target's backbone read its modality (rule swap_kv)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.target import swap_kv  # a failure is logged

    swap_kv(**snakemake.input, **snakemake.output, **snakemake.params)
