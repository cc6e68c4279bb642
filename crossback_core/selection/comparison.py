"""Compare two trained networks of any modalities, each on its own task."""

from __future__ import annotations

import torch
from torch import Tensor

from crossback_core.data.task_file import Split, TaskData
from crossback_core.learning.evaluation import evaluating
from crossback_core.model.network import Network
from crossback_core.selection.ddv import DISTANCES, decision_distances, similarity
from crossback_core.selection.profiles import ProbeHalf, Probes, Reader, mutate, outputs
from crossback_core.settings import ProbeSettings


def compare(
    target: tuple[Network, TaskData],
    candidate: tuple[Network, TaskData],
    settings: ProbeSettings,
    *,
    seed: int,
) -> dict[str, float]:
    """Measure how alike two networks decide, by every distance of decisions.

    Where the modalities differ, each network reads the other modality through the other network's
    key/value projection, as the swap will have it. The same mutated probes serve all distances.

    Args:
        target: The target's baseline network and its task.
        candidate: The candidate's baseline network and its task.
        settings: Number of probes and their mutation.
        seed: Decides the probes and their mutation.

    Returns:
        Similarity by metric: ddv_euclidean, ddv_cosine; higher is more alike.
    """
    readers = (_reader(target[0], candidate[0]), _reader(candidate[0], target[0]))
    count = min(settings.probes, len(target[1].train), len(candidate[1].train))
    first, second = (_probes(*pair, count, seed) for pair in (target, candidate))
    with evaluating(target[0]), evaluating(candidate[0]):
        probes = mutate(
            Probes(first, second),
            readers,
            rounds=settings.mutations,
            step=settings.mutation_step,
            seed=seed,
        )
        answers = [outputs(reader, probes) for reader in readers]
    return {
        f"ddv_{distance}": similarity(*(decision_distances(each, distance) for each in answers))
        for distance in DISTANCES
    }


def _reader(network: Network, other: Network) -> Reader:
    """Let a network read its own modality, and any other through the other network's projection."""
    own, foreign = network.newest, other.newest

    def read(half: ProbeHalf) -> Tensor:
        projection = None if half.modality == own.modality else other.input_projection(foreign.task)
        logits: Tensor = network(own.task, half.values, half.mask, projection=projection)
        return logits

    return read


def _probes(network: Network, data: TaskData, count: int, seed: int) -> ProbeHalf:
    """Draw probes from a task's training split."""
    split: Split = data.train
    # a stream a task: two tasks of one size, in one order of classes, must not pair like with like
    generator = torch.Generator().manual_seed((seed << 20) + data.task)
    rows = torch.randperm(len(split), generator=generator)[:count]
    values, mask = split.inputs(rows)
    return ProbeHalf(network.encode(data.task, values), mask, data.modality)
