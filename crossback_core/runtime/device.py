"""The device that networks are trained on: a GPU of its own for each process, or the CPU."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from crossback_core.lazy import Lazy

if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")  # planning a workflow only asks `has_gpu`

PER_GPU = "CROSSBACK_JOBS_PER_GPU"  # environment variable: processes that may share a GPU

logger = logging.getLogger(__name__)


_SIGNS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # of drivers: NVIDIA's, Windows', AMD's


def has_gpu() -> bool:
    """Say whether this machine seems to have a GPU, without loading torch."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") != "" and any(map(os.path.exists, _SIGNS))


def resolve_device(name: str) -> torch.device:
    """Return the device that a configuration names; "auto" is a GPU where there is one.

    A GPU is this process's own until the process ends.

    Raises:
        ValueError: A GPU is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch sees no GPU: set device to auto or cpu")
    return own_gpu() if name == "cuda" else torch.device(name)


@cache
def own_gpu() -> torch.device:
    """Take a GPU that no other process of this user has, until this process ends.

    Waits while all are taken. A killed process gives its GPU back, as the system drops its lock.

    Raises:
        ValueError: There is no GPU.
    """
    folder = Path(tempfile.gettempdir()) / f"crossback-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    names = visible_gpus()
    share = processes_per_gpu()
    if not names:
        raise ValueError("torch sees no GPU: set device to auto or cpu")
    while (taken := take_free(names, folder, share)) is None:
        logger.info("all %d GPUs are taken; waiting for one", len(names))
        time.sleep(5)
    index, lock = taken
    _held.append(lock)
    return torch.device("cuda", index)


_held: list[FileLock] = []  # a lock that nothing refers to is released


def visible_gpus() -> list[str]:
    """Name the GPUs that torch sees, in its order; the names are the same for all processes."""
    count = torch.cuda.device_count()
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]


def processes_per_gpu() -> int:
    """Read how many processes may share a GPU: one, unless the user asks for more.

    Raises:
        ValueError: The environment variable holds no positive number.
    """
    text = os.environ.get(PER_GPU, "1")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{PER_GPU} is {text!r}; it must be a whole number of at least 1")
    return int(text)


def take_free(names: Sequence[str], folder: Path, share: int) -> tuple[int, FileLock] | None:
    """Lock a place on a GPU, on an empty one if there is one.

    Args:
        names: Of the GPUs.
        folder: Where the locks are.
        share: Places on each GPU.

    Returns:
        The GPU's place in `names` and the lock; None if all are taken.
    """
    for place, (index, name) in product(range(share), enumerate(names)):
        lock = FileLock(folder / f"{name}.{place}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        return index, lock
    return None
