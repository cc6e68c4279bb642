"""Collect the trainings and scores of a study (rule collect_study)."""

from crossback_core.runtime.run_log import run_log

with run_log(snakemake.log[0]):
    from crossback_core.stages.study import collect_study  # a failure is logged

    collect_study(**snakemake.input, **snakemake.output)
