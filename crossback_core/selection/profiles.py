"""Profiling inputs: the probes that two models are compared on, and their mutation.

Source: Li et al., "ModelDiff: Testing-Based DNN Similarity Comparison for Model Reuse Detection"
(ISSTA 2021), section 4.2. A model is any callable from probes to outputs, so nothing here depends
on how networks are built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class ProbeHalf:
    """Inputs of one task, all of one modality and one length, on the CPU.

    Attributes:
        values: Floating inputs (n, ...): normalised pixels (n, 3, H, W) or token embeddings
            (n, T, E).
        mask: True for a real token (n, T); None where every coordinate is real.
        modality: What the values are.
    """

    values: Tensor
    mask: Tensor | None
    modality: str

    def __post_init__(self) -> None:
        """Refuse what no model could read or no mutation could touch."""
        if not self.values.is_floating_point() or self.values.ndim < 2 or not len(self.values):
            raise ValueError(
                f"probes must be a floating tensor of shape (n, ...) with n of at least 1, not "
                f"{self.values.dtype} of shape {tuple(self.values.shape)}"
            )
        if self.mask is None:
            return
        if self.mask.dtype != torch.bool or self.mask.shape != self.values.shape[:2]:
            raise ValueError(
                f"the mask must be bool of shape {tuple(self.values.shape[:2])}, not "
                f"{self.mask.dtype} of shape {tuple(self.mask.shape)}"
            )
        if not bool(self.mask.any(dim=1).all()):
            raise ValueError("every probe needs at least one real token; drop empty texts")

    def __len__(self) -> int:
        """Return the number of inputs."""
        return len(self.values)


@dataclass(frozen=True)
class Probes:
    """Inputs of two tasks; input i of the first half and input i of the second are a pair.

    The halves stay two tensors, never one: they may differ in modality or in token length, and
    joining them along any axis but the batch would compare something else.
    """

    first: ProbeHalf
    second: ProbeHalf

    def __post_init__(self) -> None:
        """Refuse halves that cannot be paired."""
        if len(self.first) != len(self.second):
            raise ValueError(
                f"pairs need as many probes of either task: {len(self.first)} and "
                f"{len(self.second)} were given"
            )

    @property
    def halves(self) -> tuple[ProbeHalf, ProbeHalf]:
        """Both halves in order."""
        return self.first, self.second

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)


Forward = Callable[[ProbeHalf], Tensor]
"""A model as the comparison sees it: n inputs to outputs (n, classes), each input on its own, the
same at every call (evaluation mode)."""


def outputs(model: Forward, probes: Probes) -> Tensor:
    """Read both halves, each in one batch.

    Returns:
        Outputs (2n, classes), float64: row i and row i + n are a pair.

    Raises:
        ValueError: An output is not finite or has another shape.
    """
    return torch.cat([read(model, half) for half in probes.halves])


def read(model: Forward, half: ProbeHalf) -> Tensor:
    """Read inputs of one modality in one batch; see `outputs`."""
    with torch.no_grad():
        result = model(half).detach().to("cpu", torch.float64)
    if result.ndim != 2 or len(result) != len(half):
        raise ValueError(
            f"a model must return ({len(half)}, classes) for {len(half)} probes, not "
            f"{tuple(result.shape)}"
        )
    if not bool(result.isfinite().all()):
        raise ValueError(
            f"a model's outputs on {half.modality} probes hold NaN or infinity: it cannot be "
            f"compared; train it again, for instance with a lower learning rate"
        )
    return result


def objective(start: Iterable[Tensor], now: Iterable[Tensor]) -> float:
    """Score a state of the probes: how much they changed and spread the models' outputs.

    ModelDiff, section 4.2: the product over both models of the change (mean Euclidean distance of
    an input's output to the one it started with) and of the spread (mean Euclidean distance of two
    inputs' outputs). As a product it does not depend on the scale of either model's outputs.

    Args:
        start: Each model's outputs (inputs, classes) before any mutation.
        now: Each model's outputs (inputs, classes).
    """
    score = 1.0
    for before, after in zip(start, now, strict=True):
        change = torch.linalg.vector_norm(after - before, dim=1).mean()
        score *= float(change * torch.pdist(after).mean())
    return score


@dataclass(frozen=True)
class Mutation:
    """One coordinate of one input: `position` counts through the flattened input."""

    half: int
    row: int
    position: int


def draw_mutations(probes: Probes, *, rounds: int, seed: int) -> list[Mutation]:
    """Draw which coordinate of which input each round touches; padding is never drawn.

    The draw looks only at shapes and masks, so that all pairs of models get the same one on the
    same probes with the same seed.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(2 * len(probes), (rounds,), generator=generator).tolist()
    fractions = torch.rand(rounds, generator=generator, dtype=torch.float64).tolist()
    return [
        _mutation(probes, chosen // len(probes), chosen % len(probes), fraction)
        for chosen, fraction in zip(inputs, fractions, strict=True)
    ]


def _mutation(probes: Probes, half: int, row: int, fraction: float) -> Mutation:
    """Turn a fraction in [0, 1) of an input's real coordinates into a position."""
    values = probes.halves[half].values
    mask = probes.halves[half].mask
    if mask is None:
        return Mutation(half, row, int(fraction * values[row].numel()))
    width = values[row, 0].numel()  # coordinates per token
    real = mask[row].nonzero().flatten()
    token, feature = divmod(int(fraction * len(real) * width), width)
    return Mutation(half, row, int(real[token]) * width + feature)


def mutate(
    probes: Probes,
    models: tuple[Forward, Forward],
    *,
    rounds: int,
    step: float,
    seed: int,
    start: tuple[Tensor, Tensor] | None = None,
) -> Probes:
    """Search for probes on which both models decide differently from input to input.

    A round moves one random coordinate of one random input up by `step`, or down where up does not
    help, and keeps the move only if `objective` grows. Only the touched input is read again.

    Args:
        probes: Where the search starts; left as they are.
        models: The two models compared.
        rounds: Coordinates tried; 0 returns equal probes.
        step: Size of a move, in units of the inputs.
        seed: Determines the coordinates.
        start: Each model's `outputs` on the probes where they are known; else they are read.
    """
    known = start or (outputs(models[0], probes), outputs(models[1], probes))
    search = _Search(probes, models, known, step)
    for stretch in _stretches(draw_mutations(probes, rounds=rounds, seed=seed)):
        search.advance(stretch)
    return search.probes


def _stretches(mutations: list[Mutation]) -> Iterator[list[Mutation]]:
    """Cut the rounds into runs that touch no input twice.

    Within such a run, what a round tries does not depend on what earlier rounds kept. So the whole
    run is read in one batch, with the same result as round by round.
    """
    stretch: list[Mutation] = []
    touched: set[tuple[int, int]] = set()
    for mutation in mutations:
        if (mutation.half, mutation.row) in touched:
            yield stretch
            stretch = []
            touched = set()
        stretch.append(mutation)
        touched.add((mutation.half, mutation.row))
    if stretch:
        yield stretch


class _Search:
    """The state of a hill climb: the probes so far, each model's outputs on them, their score."""

    def __init__(
        self,
        probes: Probes,
        models: tuple[Forward, Forward],
        start: tuple[Tensor, Tensor],
        step: float,
    ) -> None:
        first, second = (replace(half, values=half.values.clone()) for half in probes.halves)
        self.probes = Probes(first, second)
        self.models = models
        self.step = step
        self.start = start
        self.now = list(start)
        self.score = 0.0  # nothing has changed yet

    def advance(self, stretch: list[Mutation]) -> None:
        """Try a run of rounds, none of which touches an input twice."""
        trials = [self._trials(model, stretch) for model in self.models]
        for mutation in stretch:
            self._keep_if_better(mutation, [trial[mutation] for trial in trials])

    def _trials(self, model: Forward, stretch: list[Mutation]) -> dict[Mutation, Tensor]:
        """Read each round's input moved up and moved down: outputs (2, classes) per round."""
        trials: dict[Mutation, Tensor] = {}
        for index, half in enumerate(self.probes.halves):
            mutations = [mutation for mutation in stretch if mutation.half == index]
            if mutations:
                both = read(model, _moved(half, mutations, self.step))
                up_and_down = both.view(2, len(mutations), -1).unbind(1)  # each (2, classes)
                trials |= zip(mutations, up_and_down, strict=True)
        return trials

    def _keep_if_better(self, mutation: Mutation, trials: list[Tensor]) -> None:
        for direction, sign in enumerate((1, -1)):
            moved = [
                _with_row(now, mutation.half * len(self.probes) + mutation.row, trial[direction])
                for now, trial in zip(self.now, trials, strict=True)
            ]
            score = objective(self.start, moved)
            if score > self.score:
                row = self.probes.halves[mutation.half].values[mutation.row]
                row.view(-1)[mutation.position] += sign * self.step
                self.now = moved
                self.score = score
                return


def _moved(half: ProbeHalf, mutations: list[Mutation], step: float) -> ProbeHalf:
    """Copy the touched inputs twice: all moved up, then all moved down."""
    rows = torch.tensor([mutation.row for mutation in mutations]).repeat(2)
    positions = torch.tensor([mutation.position for mutation in mutations]).repeat(2)
    steps = torch.tensor([step, -step], dtype=half.values.dtype).repeat_interleave(len(mutations))
    values = half.values[rows]  # indexing by a tensor copies
    values.view(len(rows), -1)[torch.arange(len(rows)), positions] += steps
    return replace(half, values=values, mask=None if half.mask is None else half.mask[rows])


def _with_row(table: Tensor, row: int, new: Tensor) -> Tensor:
    changed = table.clone()
    changed[row] = new
    return changed
