"""What a run makes and shows; inputs and params of its report."""

import time

from crossback_core.data.names import by_number

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
    from crossback_core.data.kind import task_names
    from crossback_core.report.outcome import end_of_run  # pandas: planning does without

    for name, experiment in SETTINGS.datasets.items():
        called = {**task_names(experiment.dataset), **names_of(experiment)}
        if text := end_of_run(f"results/{name}", since=STARTED, called=called):
            encoding = sys.stdout.encoding or "utf-8"  # a name may be more than it can show
            print(text.encode(encoding, "backslashreplace").decode(encoding))


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
