"""Let one target's backbone read its modality (rule swap_kv)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages import swap_kv  # here, so that an import error is logged

    swap_kv(**snakemake.input, **snakemake.output, **snakemake.params)
