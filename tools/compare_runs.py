"""Say whether two runs gave the same: every tensor, table and number in their result folders.

    python tools/compare_runs.py BEFORE/results/icons AFTER/results/icons

Compare an old and a new commit on one machine, one after the other: another processor gives other
last digits. What tells of the run and not of its results (durations, versions, hashes of files) is
left out, and so are texts, pages and pictures, which are made from the tables. The exit code is 1
where something differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from crossback_core.storage.archive import load_archive

OF_THE_RUN = ("seconds", "versions", "parents", "digest")
OF_THE_RUN += ("checkpoint_bytes", "checkpoint_kB")  # by the digits of the seconds in it
OF_THE_RUN += ("made_from", "contents")  # hashes of files that say how long something took
SHOWN = 40  # differences that are printed


def differences(before: Any, after: Any, ignored: frozenset[str], path: str = "") -> Iterator[str]:
    """Yield where two nested values differ, and how."""
    if type(before) is not type(after):
        yield f"{path}: {type(before).__name__} and {type(after).__name__}"
    elif isinstance(before, dict):
        for key in before.keys() ^ after.keys():
            if key not in ignored:
                yield f"{path}/{key}: only {'before' if key in before else 'after'}"
        for key in before.keys() & after.keys() - ignored:
            yield from differences(before[key], after[key], ignored, f"{path}/{key}")
    elif isinstance(before, list | tuple):
        if len(before) != len(after):
            yield f"{path}: {len(before)} and {len(after)} entries"
        for index, pair in enumerate(zip(before, after, strict=False)):
            yield from differences(*pair, ignored, f"{path}/{index}")
    elif isinstance(before, Tensor):
        yield from _tensor_differences(before, after, path)
    elif before != after and not (before != before and after != after):  # both may be NaN
        yield f"{path}: {before!r} and {after!r}"


def _tensor_differences(before: Tensor, after: Tensor, path: str) -> Iterator[str]:
    if (before.dtype, before.shape) != (after.dtype, after.shape):
        shapes = [f"{each.dtype} {tuple(each.shape)}" for each in (before, after)]
        yield f"{path}: {shapes[0]} and {shapes[1]}"
    elif not torch.equal(before, after):
        apart = (before.double() - after.double()).abs()
        yield f"{path}: {int((apart != 0).sum())} values differ, by up to {float(apart.max()):g}"


def read(path: Path) -> Any:
    """Read a result file as nested values: what is JSON inside an archive as well."""
    if path.suffix == ".pt":
        return {key: _unpacked(value) for key, value in load_archive(path).items()}
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return {str(column): table[column].tolist() for column in table}


def _unpacked(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def compare(before: Path, after: Path, ignored: frozenset[str]) -> tuple[int, list[str]]:
    """Compare two folders; return the number of files in both and what differs."""
    names = [
        {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.suffix in (".pt", ".json", ".csv") and ".resume" not in path.parts
        }
        for folder in (before, after)
    ]
    found = [f"{name}: only in {before}" for name in sorted(names[0] - names[1])]
    found += [f"{name}: only in {after}" for name in sorted(names[1] - names[0])]
    for name in sorted(names[0] & names[1]):
        found += differences(read(before / name), read(after / name), ignored, name)
    return len(names[0] & names[1]), found


def main() -> int:
    """Print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--ignore", nargs="*", default=[], help="more names of entries or columns")
    arguments = parser.parse_args()
    for folder in (arguments.before, arguments.after):
        if not folder.is_dir():
            parser.error(f"{folder} is no folder")
    ignored = frozenset(OF_THE_RUN) | set(arguments.ignore)
    files, found = compare(arguments.before, arguments.after, ignored)
    for line in found[:SHOWN]:
        print(line)
    if len(found) > SHOWN:
        print(f"... and {len(found) - SHOWN} more")
    print(f"{files} files in both, {len(found)} differences")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
