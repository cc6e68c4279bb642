"""Selection of a backbone: how alike models decide, and the choice among candidates."""

from __future__ import annotations

from crossback_core.selection.choice import Choice, choose_backbone
from crossback_core.selection.ddv import decision_distances, similarity
from crossback_core.selection.profiles import ProbeHalf, Probes, Reader, mutate

__all__ = [
    "Choice",
    "ProbeHalf",
    "Probes",
    "Reader",
    "choose_backbone",
    "decision_distances",
    "mutate",
    "similarity",
]
