"""Compares what two runs of the workflow made, times and folders aside."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from crossback_core.storage.archive import load_archive

TIMES = ["seconds"]
HASHES = ["made_from", "contents"]  # of files that say how long something took


def differences(one: Path, other: Path) -> list[str]:
    """Name the files of two results folders whose contents differ; resume state counts as one."""
    names = [sorted(_files(folder)) for folder in (one, other)]
    if names[0] != names[1]:
        return sorted(set(names[0]) ^ set(names[1]))
    return [name for name in names[0] if not _equal(_read(one / name), _read(other / name))]


def spoilt(part: Path, whole: Path) -> list[str]:
    """Name the files of an unfinished run that differ from those of a finished one."""
    return [name for name in contents(part) if not _equal(_read(part / name), _read(whole / name))]


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder but hidden ones and what is in hidden folders."""
    names = [name for name in sorted(_files(folder)) if "/." not in f"/{name}"]
    return {name: (folder / name).read_bytes() for name in names}


def largest_difference(one: Path, other: Path) -> float:
    """Return by how much the numbers (not the masks) in two checkpoints differ at most."""
    pairs = zip(_numbers(_read(one)), _numbers(_read(other)), strict=True)
    return max((first.double() - second.double()).abs().max().item() for first, second in pairs)


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def _read(path: Path) -> Any:
    """Read a file into values that can be compared."""
    if path.suffix == ".pt":
        payload = load_archive(path)
        record = json.loads(payload.pop("record", "{}"))
        payload.pop("digest", None)  # a hash over the record as well, whose seconds differ
        return payload, _timeless(record)
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    if path.suffix == ".csv":
        return pd.read_csv(path).drop(columns=[*TIMES, *HASHES], errors="ignore").to_csv()
    if path.suffix == ".html":
        return None  # pictures of the tables, which are compared themselves
    if path.name == "summary.txt":
        return re.sub(r" +[\d.]+$", "", path.read_text(), flags=re.MULTILINE)  # seconds come last
    return path.read_text()


def _timeless(value: Any) -> Any:
    """Drop what says how long something took, and hashes of files that say so."""
    if isinstance(value, dict):
        return {key: _timeless(value[key]) for key in value if key not in (*TIMES, "parents")}
    return value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _numbers(value: Any) -> list[torch.Tensor]:
    """List the tensors of floating numbers in nested containers, in order."""
    if isinstance(value, torch.Tensor):
        return [value] if value.is_floating_point() and value.numel() else []
    if isinstance(value, dict):
        value = list(value.values())
    return [t for item in value for t in _numbers(item)] if isinstance(value, list | tuple) else []
