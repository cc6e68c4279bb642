"""How wide a network may become for a target (CPG, section 3: the growing step)."""

from __future__ import annotations


def widths(start: float, *, step: float, maximum: float) -> list[float]:
    """Return the widths to try, narrowest first.

    Args:
        start: Width of the backbone.
        step: By how much to widen each time; positive.
        maximum: No width above this is tried.

    Raises:
        ValueError: The step is not positive.
    """
    if step <= 0:
        raise ValueError(f"width_step {step} must be positive")
    count = int((maximum - start) / step + 1e-9)
    return [start + index * step for index in range(max(0, count) + 1)]
