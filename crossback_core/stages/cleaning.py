"""What a finished project no longer needs: found by what the records say, and removed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from crossback_core.records import PairRecord, Parent, PruningRecord, TargetRecord, read_record
from crossback_core.runtime.run_log import ended_well
from crossback_core.stages.common import level_chosen
from crossback_core.storage.files import sha256

# By sort: what it is, and when it would be made again.
SORTS = {
    "ladders": "networks at each sparsity, of which one was chosen; another allowed_loss",
    "starts": "what targets were trained from; another training of targets",
    "trials": "samples and networks behind verdicts; other targets' settings or backbones",
    "resume states": "of trainings that were interrupted and have ended since",
    "leftovers": "temporary files of killed jobs",
    "logs": "of jobs that went well",
}
_RESULTS = {  # of trainings, by the names of their states
    r"baseline_(.+)": r"baseline/task_\1.json",
    r"backbone_(.+)": r"backbone/task_\1/pruning.csv",
    r"target_(.+)": r"target_\1.json",
    r"trial_(.+)_((?:repeat|fold)_\d+)": r"trials/target_\1/\2/target.json",
    r"trial_(.+)_((?:repeat|fold)_\d+)_baseline": r"trials/target_\1/\2/baseline.json",
}
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


@dataclass(frozen=True)
class Spare:
    """A file or folder that nothing needs.

    Attributes:
        sort: One of `SORTS`.
        path: Where it is.
        bytes: All that it holds.
    """

    sort: str
    path: Path
    bytes: int


def find_spare(root: str | Path) -> list[Spare]:
    """List what a finished project no longer needs, the results of each data set in turn.

    A file that a result was made from is one of these only if the result's record names it by its
    present contents: what was made again since is needed to make the result again.

    Args:
        root: The folder of the project.

    Raises:
        ValueError: A record is damaged.
    """
    results = sorted(path for path in (Path(root) / "results").glob("*") if path.is_dir())
    found = {
        "ladders": chain.from_iterable(map(_ladders, results)),
        "starts": chain.from_iterable(map(_starts, results)),
        "trials": chain.from_iterable(map(_trials, results)),
        "resume states": chain.from_iterable(map(_resume_states, results)),
        "leftovers": chain.from_iterable(map(_leftovers, results)),
        "logs": _logs(Path(root)),
    }
    return [Spare(sort, path, _size(path)) for sort, paths in found.items() for path in paths]


def remove(spare: Spare) -> None:
    """Remove a file or folder, if it is still there."""
    if spare.path.is_dir() and not spare.path.is_symlink():
        shutil.rmtree(spare.path)
    else:
        spare.path.unlink(missing_ok=True)


def _ladders(results: Path) -> Iterator[Path]:
    for ladder in sorted(results.glob("backbone/*/ladder")):
        choice = ladder.parent / "choice.json"
        chosen = choice.is_file() and (ladder.parent / "pruned.pt").is_file()
        if chosen and level_chosen(ladder, read_record(PruningRecord, choice)):
            yield ladder


def _starts(results: Path) -> Iterator[Path]:
    for start in sorted(results.glob("kv_swap/target_*.pt")):
        record = results / f"{start.stem}.json"
        if record.is_file() and (results / start.name).is_file():
            yield from _used(start, read_record(TargetRecord, record).parents, "initial")


def _trials(results: Path) -> Iterator[Path]:
    for record in sorted(results.glob("trials/target_*/*/target.json")):
        parents = read_record(PairRecord, record).parents
        yield from _used(record.parent / "task.pt", parents, "task_file")
        yield from _used(record.parent / "baseline.pt", parents, "baseline")


def _used(path: Path, parents: Mapping[str, Parent], role: str) -> Iterator[Path]:
    if path.is_file() and role in parents and parents[role].sha256 == sha256(path):
        yield path


def _resume_states(results: Path) -> Iterator[Path]:
    """Yield those older than what their training leaves in the end.

    Whatever else is there may be days of a training that goes on when it is asked for again; so are
    states of studies, whose names do not tell what they are of.
    """
    for state in sorted(results.glob(".resume/*")):
        result = _result_of(results, state.name)
        if result and result.is_file() and state.stat().st_mtime < result.stat().st_mtime:
            yield state


def _result_of(results: Path, state: str) -> Path | None:
    """Return what a training leaves, by the name of its state."""
    for pattern, result in _RESULTS.items():
        if found := re.fullmatch(pattern, state):
            return results / found.expand(result)
    return None


def _leftovers(results: Path) -> Iterator[Path]:
    return (path for path in sorted(results.rglob(".*.tmp")) if _LEFTOVER.fullmatch(path.name))


def _logs(root: Path) -> Iterator[Path]:
    logs = sorted((root / "logs").rglob("*.log"))
    yield from (path for path in logs if ended_well(path))
    yield from sorted((root / ".snakemake" / "log").glob("*.log"))


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
