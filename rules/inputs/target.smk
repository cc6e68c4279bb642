"""Inputs of the rules for targets."""

from crossback_core.records import SelectionRecord, read_record


def selected_backbone(dataset: str, target: str) -> str:
    """Read which backbone was selected for a target, once it has been."""
    found = checkpoints.select_backbone.get(dataset=dataset, target=target)
    try:
        return read_record(SelectionRecord, found.output.selection).backbone
    except ValueError as error:
        raise refused_within(str(error)) from None


def of_backbone(pattern: str) -> Callable[[Wildcards], str]:
    """Return the input function for a file of a target's backbone."""
    return lambda wildcards: pattern.format(
        dataset=wildcards.dataset,
        task=selected_backbone(wildcards.dataset, wildcards.target),
    )
