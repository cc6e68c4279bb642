"""Where a result comes from: what its JSON file records beside the numbers."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch

from crossback_core import NUMERICS, __version__
from crossback_core.files import sha256
from crossback_core.gpus import own_gpu


def resolve_device(name: str) -> torch.device:
    """Return the device that a configuration names; "auto" is a GPU where there is one.

    A GPU is this process's own; see crossback_core.gpus.

    Raises:
        ValueError: A GPU is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch sees no GPU: set device to auto or cpu")
    return own_gpu() if name == "cuda" else torch.device(name)


def provenance(
    *, seed: int, device: torch.device, settings: Mapping[str, Any], parents: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe what determined a result.

    Args:
        seed: Source of all randomness.
        device: Where it was computed.
        settings: Plain values or dataclasses, by name.
        parents: Files that it was made from, by role; each is hashed.
    """
    return {
        "seed": seed,
        "device": device.type,
        "threads": torch.get_num_threads(),
        **origin(settings=settings, parents=parents),
    }


def origin(*, settings: Mapping[str, Any], parents: Mapping[str, Any]) -> dict[str, Any]:
    """Describe what determined a choice among results, which draws and computes nothing.

    Args:
        settings: Plain values or dataclasses, by name.
        parents: Files that it was made from, by role; each is hashed.
    """
    return {
        "settings": {name: _plain(value) for name, value in settings.items()},
        "versions": {
            "crossback_core": __version__,
            "numerics": NUMERICS,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "parents": {
            role: {"path": str(path), "sha256": sha256(Path(path))}
            for role, path in parents.items()
        },
    }


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
