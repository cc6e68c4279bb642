"""What this machine has of what the project needs."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from crossback_core.runtime.device import has_gpu

Status = Literal["ok", "warning", "error"]

_PYTHON = (3, 11)
_SNAKEMAKE = (9, 20)
_SLURM = ("sbatch", "squeue", "scancel", "sacct")
_ONNX = ("onnx", "onnxscript", "onnxruntime")  # what an export imports
_ROOM = 2e9  # bytes on disk that a small project takes with its environment
_MEMORY = 2e9  # bytes that a training job asks for
_INSTALL = "make install, or pip install 'crossback-core[workflow]'"


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        what: It is about.
        status: Whether it will do; error where something cannot work.
        found: What is there.
        advice: What to do; empty where nothing has to be done.
    """

    what: str
    status: Status
    found: str
    advice: str = ""


def diagnose(folder: str | Path = ".") -> Iterator[Finding]:
    """Look at what the project needs, one thing after another.

    Args:
        folder: Where the project is worked on; with a Snakefile in it, Snakemake is needed.
    """
    looks: tuple[Callable[[Path], Finding], ...]
    looks = (_python, _torch, _threads, _gpu, _snakemake, _lock, _slurm, _memory, _disk)
    looks = (*looks, _encoders, _onnx)
    return (look(Path(folder)) for look in looks)


def _python(folder: Path) -> Finding:
    wanted = ".".join(map(str, _PYTHON))
    if tuple(map(int, platform.python_version_tuple()[:2])) < _PYTHON:
        advice = f"make PYTHON=python{wanted} install"
        return Finding(
            "Python", "error", f"{platform.python_version()}, {wanted} is needed", advice
        )
    return Finding("Python", "ok", platform.python_version())


def _torch(folder: Path) -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:  # a library beneath that does not load
        return Finding("PyTorch", "error", f"it cannot be loaded ({error})", _INSTALL)
    return Finding("PyTorch", "ok", str(torch.__version__))


def _threads(folder: Path) -> Finding:
    cores = len(os.sched_getaffinity(0))
    limit = os.environ.get("OMP_NUM_THREADS")
    limited = f"; OMP_NUM_THREADS={limit}" if limit else ""
    return Finding("cores", "ok", f"{cores}, of which a training job takes 1{limited}")


def _gpu(folder: Path) -> Finding:
    try:
        import torch

        names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(
            "GPU", "warning", f"it cannot be asked ({error})", "device: cpu in config.yaml"
        )
    if names:
        return Finding("GPU", "ok", ", ".join(names))
    if has_gpu():
        advice = "install PyTorch for its driver (pytorch.org), or set device: cpu in config.yaml"
        return Finding("GPU", "warning", "there is one, but PyTorch sees none", advice)
    return Finding("GPU", "ok", "none: preset demo does without, preset paper wants one")


def _snakemake(folder: Path) -> Finding:
    wanted = ".".join(map(str, _SNAKEMAKE))
    status: Status = "error" if (folder / "Snakefile").is_file() else "warning"
    try:
        found = version("snakemake")
    except PackageNotFoundError:
        return Finding("Snakemake", status, "not installed: crossback run needs it", _INSTALL)
    if tuple(map(int, found.split(".")[:2])) < _SNAKEMAKE:
        return Finding("Snakemake", status, f"{found}, {wanted} is needed", _INSTALL)
    return Finding("Snakemake", "ok", found)


def is_locked(folder: str | Path) -> bool:
    """Say whether a run of Snakemake works in a folder, or was killed there."""
    return any(Path(folder, ".snakemake", "locks").glob("*"))


def _lock(folder: Path) -> Finding:
    if is_locked(folder):
        found = "a run works in this folder, or was killed: .snakemake/locks is not empty"
        advice = "wait for it; after a kill, when its jobs have ended: snakemake --unlock"
        return Finding("lock", "warning", found, advice)
    return Finding("lock", "ok", "none: no run works in this folder")


def _slurm(folder: Path) -> Finding:
    there = [name for name in _SLURM if shutil.which(name)]
    missing = [name for name in _SLURM if name not in there]
    if not there:
        return Finding("Slurm", "ok", "not here: only --profile slurm needs it")
    if missing:
        advice = "load the cluster's module, or work on a login node (docs/cluster.md)"
        return Finding("Slurm", "warning", f"no {', '.join(missing)}", advice)
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return Finding("Slurm", "warning", "Snakemake's plugin for it is not installed", _INSTALL)
    return Finding("Slurm", "ok", ", ".join(there))


def _memory(folder: Path) -> Finding:
    free = _available() or os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = f"{free / 1e9:.1f} GB are free"
    if free < _MEMORY:
        return Finding("memory", "warning", found, "a training job asks for 2 GB: close others")
    return Finding("memory", "ok", found)


def _available() -> int:
    """Return what Linux would give, caches included, in bytes; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvail")), 0)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB are free in {folder.resolve()}"
    if not os.access(folder, os.W_OK):
        return Finding("disk", "error", f"{folder.resolve()} cannot be written to", "chmod u+w")
    if free < _ROOM:
        return Finding("disk", "warning", found, "make room: crossback clean")
    return Finding("disk", "ok", found)


def _onnx(folder: Path) -> Finding:
    missing = [name for name in _ONNX if find_spec(name) is None]
    advice = "pip install 'crossback-core[export]'"
    if len(missing) == len(_ONNX):
        return Finding("ONNX", "ok", f"not here: only crossback export needs it ({advice})")
    if missing:
        return Finding("ONNX", "warning", f"no {', '.join(missing)}", advice)
    return Finding("ONNX", "ok", ", ".join(_ONNX))


def _encoders(folder: Path) -> Finding:
    what = "encoders"
    try:
        from huggingface_hub import constants
    except ImportError:
        return Finding(what, "error", "Hugging Face's libraries are not installed", _INSTALL)
    cache = Path(constants.HF_HUB_CACHE)
    names = [each.name.split("--", 1)[1].replace("--", "/") for each in cache.glob("models--*")]
    if names:
        return Finding(what, "ok", f"{', '.join(sorted(names))} in {cache}")
    found = f"none in {cache}: a name is downloaded at first use, data of pictures need none"
    if os.environ.get("HF_HUB_OFFLINE"):
        advice = "HF_HUB_OFFLINE is set: name a folder as encoder (docs/datasets.md)"
        return Finding(what, "warning", found, advice)
    return Finding(what, "ok", found)
