"""Inputs and params of the rules for the candidates and the choice."""


def of_targets(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for one file of each target of a data set."""
    return lambda wildcards: expand(
        pattern, dataset=wildcards.dataset, target=experiment_of(wildcards).targets
    )


def candidate_ids(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the ids of a data set's candidates."""
    return experiment_of(wildcards).candidates


def of_candidates(pattern: str) -> Callable[[Wildcards], list[str]]:
    """Return the input function for one file of each candidate of a data set."""
    return lambda wildcards: expand(
        pattern, dataset=wildcards.dataset, task=candidate_ids(wildcards)
    )
