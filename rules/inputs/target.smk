"""Inputs of the rules for targets."""

from functools import cache

from crossback_core.records import SelectionRecord, read_record


def selected_backbone(dataset: str, target: str) -> str | None:
    """Read which backbone was selected for a target, once it has been; None where none was."""
    found = checkpoints.select_backbone.get(dataset=dataset, target=target)
    path = Path(found.output.selection)
    return backbone_in(path, path.stat().st_mtime_ns)


@cache
def backbone_in(path: Path, changed: int) -> str | None:
    """Read a file once for all jobs that ask for it, and again when it has changed."""
    try:
        return read_record(SelectionRecord, path).backbone
    except ValueError as error:
        raise refused_within(str(error)) from None


def of_backbone(pattern: str) -> Callable[[Wildcards], str]:
    """Return the input function for a file of a target's backbone, {task} in the pattern."""

    def file(wildcards: Wildcards) -> str:
        backbone = selected_backbone(wildcards.dataset, wildcards.target)
        if backbone is None:
            raise refused_within(
                f"target {wildcards.target} of {wildcards.dataset} has no backbone: no candidate's"
                " score is above selection.minimum"
            )
        return pattern.format(dataset=wildcards.dataset, target=wildcards.target, task=backbone)

    return file


def where_chosen(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for what a target has only with a backbone: one file or none."""

    def files(wildcards: Wildcards) -> list[str]:
        chosen = selected_backbone(wildcards.dataset, wildcards.target) is not None
        return [of_backbone(pattern)(wildcards)] if chosen else []

    return files


def trials_of(wildcards: Wildcards) -> list[str]:
    """List the further trainings that a target's verdict is over; none without a backbone."""
    settings = experiment_of(wildcards).preset.target
    first, name = {"validation": (2, "repeat"), "folds": (1, "fold")}[settings.judged_by]
    trials = [f"{name}_{number}" for number in range(first, settings.repeats + 1)]
    found = where_chosen("results/{dataset}/trials/target_{target}/{{trial}}/target.json")
    return expand(found(wildcards), trial=trials)
