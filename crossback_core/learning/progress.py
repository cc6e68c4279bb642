"""How far a training is, in words."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

_RECENT = 10  # epochs by which the next ones are estimated: a resumed one may have moved


def progress(label: str, seconds: Sequence[float], epochs: int, *, later: int = 0) -> str:
    """Say which epoch of a training is done, and about how long the rest takes.

    Args:
        label: What the training is called.
        seconds: Duration of each finished epoch, those before an interruption among them.
        epochs: Length of the training.
        later: Epochs of this kind that follow it.
    """
    left = fmean(seconds[-_RECENT:]) * (epochs - len(seconds) + later)
    return f"{label}: epoch {len(seconds)} of {epochs}, about {duration(left)} left"


def duration(seconds: float) -> str:
    """Return a duration in the unit that a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
