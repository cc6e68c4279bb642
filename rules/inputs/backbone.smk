"""Params of the rules for backbones."""


def ladder_levels(wildcards: Wildcards) -> list[str]:
    """List the checkpoints of a backbone's ladder, the least pruned first.

    A data set's preset decides how many there are, so the rules know the ladder as a folder.
    """
    return expand(
        "results/{dataset}/backbone/task_{task}/ladder/sparsity_{sparsity}.pt",
        dataset=wildcards.dataset,
        task=wildcards.task,
        sparsity=experiment_of(wildcards).preset.pruning.sparsities,
    )
