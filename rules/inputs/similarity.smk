"""Inputs and params of the rules for scores."""

from crossback_core.selection.scores import SCORES


def score_names(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the columns of a target's scores: a new one has them measured again."""
    return tuple(SCORES)


def of_targets(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for one file of each target of a data set."""
    return lambda wildcards: expand(
        pattern, dataset=wildcards.dataset, target=experiment_of(wildcards).targets
    )


def of_candidates(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for one file of each candidate of a target."""
    return lambda wildcards: expand(
        pattern,
        dataset=wildcards.dataset,
        task=experiment_of(wildcards).candidates_of(target_id(wildcards)),
    )
