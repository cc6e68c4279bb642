"""Judge the scores by the trainings of a study (rule summarize_study)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.study.stages import (
        summarize_study,  # here, so that an import error is logged
    )

    summarize_study(**snakemake.input, **snakemake.output, **snakemake.params)
