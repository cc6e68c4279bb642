"""The scores of one pair, written plainly: what the shared and batched ones must equal.

Every pair is worked out on its own, and every round of the mutation reads all probes again, as
ModelDiff's description has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.distance import pdist
from torch import Tensor

from crossback_core.data.task_file import Split, TaskData
from crossback_core.model.adapters import InputProjection
from crossback_core.model.network import Network
from crossback_core.selection import METRICS, ProbeHalf, Probes, Reader, View
from crossback_core.selection.comparison import Trained
from crossback_core.selection.profiles import Mutation, draw_mutations
from crossback_core.settings import ProbeSettings

Array = npt.NDArray[np.float64]


def scores(
    target: Trained, candidate: Trained, settings: ProbeSettings, *, seed: int
) -> dict[str, float]:
    """Return all scores of one candidate for one target."""
    for network in (target.network, candidate.network):
        network.eval()
    with torch.no_grad():
        seen = view(target, candidate, settings, seed=seed)
    return {name: score(seen) for name, score in METRICS.items()}


def view(target: Trained, candidate: Trained, settings: ProbeSettings, *, seed: int) -> View:
    """Return what the scores are made of."""
    probes, readers = _pairs(target, candidate, settings, seed), _readers(target, candidate)
    moves = draw_mutations(probes, rounds=settings.mutations, seed=seed)
    halves, _ = mutate(probes, readers, moves, settings.mutation_step)
    mutated = Probes(*map(_half, halves, probes.halves))
    drawn, after = (tuple(_outputs(r, each) for r in readers) for each in (probes, mutated))
    network, own = candidate.network, candidate.network.newest.task
    data, eyes = target.data, _eyes(target.network, candidate.network)
    logits = network(own, *data.train.inputs(), projection=eyes)
    return View(
        features=_features(network, data.train, eyes),
        labels=data.train.labels,
        own_features=_features(target.network, data.train, None),
        probabilities=logits.double().softmax(dim=1),
        held_out=_features(network, data.validation, eyes),
        held_out_labels=data.validation.labels,
        drawn=drawn,
        mutated=after,
        accuracy=candidate.accuracy,
    )


def objective(start: Sequence[Array], now: Sequence[Array]) -> float:
    """Return ModelDiff's objective with NumPy and scipy."""
    changes = [np.linalg.norm(b - a, axis=1).mean() for a, b in zip(start, now, strict=True)]
    return float(np.prod(changes) * np.prod([pdist(outputs).mean() for outputs in now]))


def mutate(
    probes: Probes, models: Sequence[Reader], moves: Sequence[Mutation], step: float
) -> tuple[list[Tensor], list[float]]:
    """Mutate one round at a time, reading every input again; return the inputs and the scores."""
    halves = [half.values.clone() for half in probes.halves]

    def read() -> list[Array]:
        new = [_half(values, half) for values, half in zip(halves, probes.halves, strict=True)]
        return [torch.cat([model(half) for half in new]).double().numpy() for model in models]

    start = read()
    scores = [0.0]
    for move in moves:
        row = halves[move.half][move.row].view(-1)
        before = row[move.position].item()
        for sign in (1, -1):
            row[move.position] = before + sign * step
            score = objective(start, read())
            if score > scores[-1]:
                scores.append(score)
                break
            row[move.position] = before
    return halves, scores


def _pairs(target: Trained, candidate: Trained, settings: ProbeSettings, seed: int) -> Probes:
    count = min(settings.probes, len(target.data.train), len(candidate.data.train))
    return Probes(*(_drawn(each.network, each.data, count, seed) for each in (target, candidate)))


def _drawn(network: Network, data: TaskData, count: int, seed: int) -> ProbeHalf:
    random = torch.Generator().manual_seed((seed << 20) + data.task)
    values, mask = data.train.inputs(torch.randperm(len(data.train), generator=random)[:count])
    return ProbeHalf(network.encode(data.task, values), mask, data.modality)


def _readers(target: Trained, candidate: Trained) -> tuple[Reader, Reader]:
    def reader(network: Network, other: Network) -> Callable[[ProbeHalf], Tensor]:
        def read(half: ProbeHalf) -> Tensor:
            foreign = half.modality != network.newest.modality
            eyes = other.input_projection(other.newest.task) if foreign else None
            logits: Tensor = network(network.newest.task, half.values, half.mask, projection=eyes)
            return logits

        return read

    both = target.network, candidate.network
    return reader(*both), reader(*reversed(both))


def _eyes(target: Network, candidate: Network) -> InputProjection | None:
    kinds = [(each.newest.modality, each.newest.channels) for each in (target, candidate)]
    return None if kinds[0] == kinds[1] else target.input_projection(target.newest.task)


def _features(network: Network, split: Split, eyes: InputProjection | None) -> Tensor:
    values, mask = split.inputs()
    return network.features(network.newest.task, values, mask, projection=eyes).double()


def _outputs(reader: Reader, probes: Probes) -> Tensor:
    return torch.cat([reader(half) for half in probes.halves]).double()


def _half(values: Tensor, like: ProbeHalf) -> ProbeHalf:
    return ProbeHalf(values, like.mask, like.modality)
