"""Collect the trainings and scores of a study (rule collect_study)."""

from crossback_core.files import run_log

with run_log(snakemake.log[0]):
    from crossback_core.study.stages import collect_study  # here, so that an import error is logged

    collect_study(**snakemake.input, **snakemake.output, **snakemake.params)
