"""What a run makes and shows; inputs and params of its report."""

import logging
import time
from functools import cache

from snakemake.logging import logger as screen
from snakemake_interface_logger_plugins.common import LogEvent

from crossback_core.data.names import by_number
from crossback_core.wording import with_name

STARTED = time.time()


def requested_results() -> list[str]:
    """List what plain `snakemake` makes."""
    return [
        f"results/{name}/{file}"
        for name in SETTINGS.run
        for file in (
            "summary.csv",
            "report.html",
            "data/index.csv",
            *(f"target_{target}.pt" for target in SETTINGS.datasets[name].targets),
        )
    ]


def show_summaries() -> None:
    """Print the tables that this run has made, or the rows of the targets that it made alone."""
    from crossback_core.report.outcome import end_of_run  # pandas: planning does without

    for name in SETTINGS.datasets:
        if text := end_of_run(f"results/{name}", since=STARTED, called=called_in(name)):
            encoding = sys.stdout.encoding or "utf-8"  # a name may be more than it can show
            print(text.encode(encoding, "backslashreplace").decode(encoding))


def name_task(record: logging.LogRecord) -> bool:
    """Let the line that a job starts with say what its task is called; to the logger a filter."""
    if getattr(record, "event", None) == LogEvent.JOB_INFO and record.rule_msg:
        dataset = record.wildcards.get("dataset")
        for kind in ("task", "target"):
            id_ = record.wildcards.get(kind, "")
            if name := called_in(dataset).get(id_, "") if dataset in SETTINGS.datasets else "":
                numbered = f" {id_} of {dataset}"
                named = f" {with_name(id_, name)} of {dataset}"
                record.rule_msg = record.rule_msg.replace(numbered, named)
    return True


@cache
def called_in(dataset: str) -> dict[str, str]:
    """Return the names of a data set's tasks and joint networks that have one, by id."""
    from crossback_core.data.kind import task_names

    experiment = SETTINGS.datasets[dataset]
    return {**task_names(experiment.dataset), **names_of(experiment)}


def of_backbones(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for a file of each backbone that a data set's targets selected."""

    def files(wildcards: Wildcards) -> list[str]:
        targets = experiment_of(wildcards).targets
        backbones = {selected_backbone(wildcards.dataset, target) for target in targets} - {None}
        return expand(pattern, dataset=wildcards.dataset, task=sorted(backbones, key=by_number))

    return files


def of_known(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for a file of each network that a data set's report names."""

    def files(wildcards: Wildcards) -> list[str]:
        experiment = experiment_of(wildcards)
        known = dict.fromkeys((*experiment.targets, *experiment.candidates))
        return expand(pattern, dataset=wildcards.dataset, task=sorted(known, key=by_number))

    return files


def joint_names(wildcards: Wildcards) -> dict[str, str]:
    """Return the names of the joint networks of a job's data set."""
    return names_of(experiment_of(wildcards))


def names_of(experiment: Experiment) -> dict[str, str]:
    """Return the names of a data set's joint networks."""
    return {id_: network.name for id_, network in experiment.joint.items()}


screen.addFilter(name_task)
