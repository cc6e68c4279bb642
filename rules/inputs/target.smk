"""Inputs of the rules for targets."""

from crossback_core.records import SelectionRecord, read_record


def selected_backbone(dataset: str, target: str) -> str | None:
    """Read which backbone was selected for a target, once it has been; None where none was."""
    found = checkpoints.select_backbone.get(dataset=dataset, target=target)
    try:
        return read_record(SelectionRecord, found.output.selection).backbone
    except ValueError as error:
        raise refused_within(str(error)) from None


def of_backbone(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for a file of a target's backbone: none where it has none.

    Args:
        pattern: With {task} for the backbone, if it is named after that.
    """

    def files(wildcards: Wildcards) -> list[str]:
        backbone = selected_backbone(wildcards.dataset, wildcards.target)
        given = {"dataset": wildcards.dataset, "target": wildcards.target, "task": backbone}
        return [] if backbone is None else [pattern.format(**given)]

    return files


def trials_of(wildcards: Wildcards) -> list[str]:
    """List the further trainings that a target's verdict is over; none without a backbone."""
    settings = experiment_of(wildcards).preset.target
    first, name = {"validation": (2, "repeat"), "folds": (1, "fold")}[settings.judged_by]
    trials = [f"{name}_{number}" for number in range(first, settings.repeats + 1)]
    pattern = "results/{dataset}/trials/target_{target}/{trial}/target.json"
    return expand(of_backbone(pattern.replace("{trial}", "{{trial}}"))(wildcards), trial=trials)
