"""Judge the scores by the trainings of a study (rule summarize_study)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.study import summarize_study  # a failure is logged

    summarize_study(**snakemake.input, **snakemake.output, **snakemake.params)
