"""Inputs and params of the rules for scores."""

from crossback_core.selection.scores import columns


def score_names(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the columns of a target's scores: a new one has them measured again."""
    return columns()


def excluded(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the candidates of a data set that are none for a job's target."""
    return experiment_of(wildcards).excluded_for(target_id(wildcards))


def none_shuffled(wildcards: Wildcards) -> tuple[str, ...]:
    """Return the candidates that are scored with their weights shuffled, too: a study has some."""
    return ()
