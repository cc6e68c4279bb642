"""Selection of a backbone: how alike models decide, and the choice among candidates."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from crossback_core.selection.choice import Choice, choose_backbone
from crossback_core.selection.ddv import ddv_similarity, decision_distances, similarity
from crossback_core.selection.profiles import ProbeHalf, Probes, Reader, mutate


class Score(Protocol):
    """How alike two models are on the probes of both tasks; higher is more alike."""

    def __call__(
        self,
        model_a: Reader,
        model_b: Reader,
        probes: Probes,
        *,
        rounds: int,
        step: float,
        seed: int,
    ) -> float:
        """Return the similarity."""
        ...


METRICS: dict[str, Score] = {
    "ddv_euclidean": partial(ddv_similarity, metric="euclidean"),
    "ddv_cosine": partial(ddv_similarity, metric="cosine"),
}
"""What `selection.metric` may name."""

__all__ = [
    "METRICS",
    "Choice",
    "ProbeHalf",
    "Probes",
    "Reader",
    "Score",
    "choose_backbone",
    "ddv_similarity",
    "decision_distances",
    "mutate",
    "similarity",
]
