"""What a checkpoint says about itself, as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossback_core.checkpoint.network_file import load_checkpoint
from crossback_core.model.network import Network
from crossback_core.storage.files import sha256


def describe_product(path: str | Path) -> dict[str, Any]:
    """Describe a checkpoint: its tasks, who owns its weights, and what it was made from.

    Args:
        path: A checkpoint of any step, such as results/icons/target_3.pt.

    Returns:
        `tasks`, in the order in which they were learned; `weights`, how many a mask covers and
        which fraction is free; `values`, how many numbers are stored; `bytes` and `sha256` of the
        file; and of its record `target`, `parents`, `versions` and `verdict`, None where it says
        nothing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged or no checkpoint.
    """
    checkpoint = load_checkpoint(path)
    network, record = checkpoint.network, checkpoint.record
    weights = network.ownership.weights
    masked = weights.counts(len(network.specs)).values()
    return {
        "path": str(path),
        "bytes": Path(path).stat().st_size,
        "sha256": sha256(path),
        "weights": sum(each.total for each in masked),
        "free": weights.shares(len(network.specs)).free,
        "values": network.stored_values(),
        "tasks": [_task(network, task) for task in network.tasks],
        **{name: record.get(name) for name in ("target", "verdict", "versions", "parents")},
    }


def _task(network: Network, task: str) -> dict[str, Any]:
    spec = network.tasks[task]
    shares = network.ownership.weights.shares(network.position(task))
    seen = network.seen[network.position(task) - 1]
    return {
        "number": network.position(task),
        "task": task,
        "modality": spec.modality,
        "classes": list(spec.classes),
        "width": spec.width,
        "owned": shares.owned,
        "picked": shares.picked,
        "seen": None if seen is None else len(seen.train) + len(seen.validation),
    }
