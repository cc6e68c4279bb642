"""The scores of one pair, written plainly: what the shared and batched ones must equal.

Every pair is worked out on its own, and every round of the mutation reads all probes again, as
ModelDiff's description has it.
"""

import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.distance import pdist
from torch import Tensor

from crossback_core.data.task_file import Split, TaskData
from crossback_core.model.network import TaskModel
from crossback_core.selection.comparison import DRAWS, Trained
from crossback_core.selection.profiles import Forward, Mutation, ProbeHalf, Probes, draw_mutations
from crossback_core.selection.scores import measure
from crossback_core.selection.settings import ProbeSettings
from crossback_core.selection.view import View

Array = npt.NDArray[np.float64]


def scores(
    target: Trained, candidate: Trained, settings: ProbeSettings, *, seed: int
) -> dict[str, float]:
    """Return all scores of one candidate for one target."""
    with torch.no_grad():
        return measure(view(target, candidate, settings, seed=seed))


def view(target: Trained, candidate: Trained, settings: ProbeSettings, *, seed: int) -> View:
    """Return what the scores are made of."""
    probes, readers = _pairs(target, candidate, settings, seed), _readers(target, candidate)
    moves = draw_mutations(probes, rounds=settings.mutations, seed=seed)
    halves, _ = mutate(probes, readers, moves, settings.mutation_step)
    mutated = Probes(*map(_half, halves, probes.halves))
    drawn, after = (tuple(_outputs(r, each) for r in readers) for each in (probes, mutated))
    model, data = _behind(target.model, candidate.model), target.data
    ids = f"{seed} {data.task}"
    known = View(
        **_seen(model, data),
        labels=data.train.labels,
        own_features=_features(target.model, data.train),
        held_out_labels=data.validation.labels,
        drawn=drawn,
        mutated=after,
        accuracy=candidate.accuracy,
        shuffled=(),
        seed=zlib.crc32(ids.encode()),
    )
    draws = [f"{ids} {candidate.data.task} {draw}" for draw in range(DRAWS)]
    others = [replace(known, **_seen(_without_knowledge(model, draw), data)) for draw in draws]
    return replace(known, shuffled=tuple(others))


def objective(start: Sequence[Array], now: Sequence[Array]) -> float:
    """Return ModelDiff's objective with NumPy and scipy."""
    changes = [np.linalg.norm(b - a, axis=1).mean() for a, b in zip(start, now, strict=True)]
    return float(np.prod(changes) * np.prod([pdist(outputs).mean() for outputs in now]))


def mutate(
    probes: Probes, models: Sequence[Forward], moves: Sequence[Mutation], step: float
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
    return Probes(*(_drawn(each.model, each.data, count, seed) for each in (target, candidate)))


def _drawn(model: TaskModel, data: TaskData, count: int, seed: int) -> ProbeHalf:
    random = torch.Generator().manual_seed(zlib.crc32(f"{seed} {data.task}".encode()))
    values, mask = data.train.inputs(torch.randperm(len(data.train), generator=random)[:count])
    return ProbeHalf(model.input.encode(values), mask, data.modality)


def _readers(target: Trained, candidate: Trained) -> tuple[Forward, Forward]:
    def reader(model: TaskModel, other: TaskModel) -> Callable[[ProbeHalf], Tensor]:
        def read(half: ProbeHalf) -> Tensor:
            eyes = model.input if half.modality == model.spec.modality else other.input
            return model.head(model.body(eyes(half.values, half.mask)))

        return read

    both = target.model, candidate.model
    return reader(*both), reader(*reversed(both))


def _behind(target: TaskModel, candidate: TaskModel) -> TaskModel:
    """The candidate, behind the target's input where it cannot read the target's modality."""
    kinds = [(each.spec.modality, each.spec.channels) for each in (target, candidate)]
    eyes = candidate.input if kinds[0] == kinds[1] else target.input
    return TaskModel(candidate.spec, eyes, candidate.body, candidate.head)


def _seen(model: TaskModel, data: TaskData) -> dict[str, Any]:
    """What a view has of the candidate; the state after a block is caught where the next reads."""
    read = model.input(*data.train.inputs())
    blocks, body = [], model.body
    hooks = [
        each.register_forward_pre_hook(lambda _, given: blocks.append(given[1]))
        for each in (*body.attentions[1:], body.decoder)
    ]
    body(read)
    for hook in hooks:
        hook.remove()
    return {
        "features": _features(model, data.train),
        "probabilities": model(*data.train.inputs()).double().softmax(dim=1),
        "held_out": _features(model, data.validation),
        "blocks": tuple(state.double().mean(dim=1) for state in blocks),
    }


def _without_knowledge(model: TaskModel, draw: str) -> TaskModel:
    """The same input and head around a body whose parameters are shuffled."""
    random = torch.Generator().manual_seed(zlib.crc32(draw.encode()))
    body = deepcopy(model.body)
    for parameter in body.parameters():
        order = torch.randperm(parameter.numel(), generator=random)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
    return TaskModel(model.spec, model.input, body, model.head)


def _features(model: TaskModel, split: Split) -> Tensor:
    return model.features(*split.inputs()).double()


def _outputs(reader: Forward, probes: Probes) -> Tensor:
    return torch.cat([reader(half) for half in probes.halves]).double()


def _half(values: Tensor, like: ProbeHalf) -> ProbeHalf:
    return ProbeHalf(values, like.mask, like.modality)
