"""CrossBack: picks a trained backbone for each target task and grows the target on it."""

from snakemake.utils import min_version

min_version("9.20")


include: "rules/run.smk"


check_configuration("config.yaml")


configfile: "config.yaml"


include: "rules/common.smk"


wildcard_constraints:
    dataset="|".join(SETTINGS.datasets),
    task="[^/]+",
    target="[^/]+",


include: "rules/data.smk"
include: "rules/index.smk"
include: "rules/baseline.smk"
include: "rules/similarity.smk"
include: "rules/choice.smk"
include: "rules/backbone.smk"
include: "rules/target.smk"
include: "rules/report.smk"
include: "rules/study.smk"
include: "rules/trials.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        requested_results(),


onsuccess:
    show_summaries()
