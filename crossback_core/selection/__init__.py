"""Selection of a backbone: scores of its candidates, and the choice among them."""

from __future__ import annotations

from crossback_core.selection.choice import Choice, choose_backbone
from crossback_core.selection.ddv import decision_distances, similarity
from crossback_core.selection.profiles import ProbeHalf, Probes, Reader, mutate
from crossback_core.selection.scores import METRICS
from crossback_core.selection.view import View

__all__ = [
    "METRICS",
    "Choice",
    "ProbeHalf",
    "Probes",
    "Reader",
    "View",
    "choose_backbone",
    "decision_distances",
    "mutate",
    "similarity",
]
