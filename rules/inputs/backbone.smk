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


def finished_ladders(wildcards: Wildcards) -> list[str]:
    """List the ladders whose level has been chosen."""
    found = [
        path.parent / "ladder"
        for name in SETTINGS.datasets
        for path in Path(f"results/{name}/backbone").glob("*/pruned.pt")
    ]
    return sorted(str(path) for path in found if path.is_dir())
