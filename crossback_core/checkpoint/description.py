"""What a checkpoint says about itself, as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossback_core.checkpoint.network_file import Record, load_checkpoint
from crossback_core.model.network import Network
from crossback_core.storage.archive import entry
from crossback_core.storage.files import sha256
from crossback_core.wording import printable

_TOLD: dict[str, type[Any]] = {"target": str, "verdict": str, "versions": dict, "parents": dict}


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
        **_told(path, record),
    }


def _told(path: str | Path, record: Record) -> dict[str, Any]:
    """Return what a record says, if it says that as the workflow does: nothing else holds it so."""
    told = {name: record.get(name) for name in _TOLD}
    parents = told["parents"] or {}
    try:
        for name, kind in _TOLD.items():
            if told[name] is not None:
                entry(told, name, kind)
        for role in parents:
            for name in ("path", "sha256"):
                entry(entry(parents, role, dict), name, str)
    except ValueError as error:
        problem = printable(error)
        raise ValueError(f"{path}: its record is none of the workflow: {problem}") from error
    return told


def _task(network: Network, task: str) -> dict[str, Any]:
    spec = network.tasks[task]
    shares = network.ownership.weights.shares(network.position(task))
    seen = network.seen[network.position(task) - 1]
    return {
        "number": network.position(task),
        "task": task,
        "task_name": spec.name or None,
        "modality": spec.modality,
        "classes": list(spec.classes),
        "width": spec.width,
        "owned": shares.owned,
        "picked": shares.picked,
        "seen": None if seen is None else len(seen.train) + len(seen.validation),
    }
