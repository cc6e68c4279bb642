"""The command `run`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from crossback_core.cli import screen
from crossback_core.cli.project import check_project, snakemake

_QUIET = ("-q", "--quiet")
_SHORT = ["-q", "reason", "host"]  # leaves out why each job runs
_SHORTEST = ["-n", "-q", "rules", "host"]  # how many jobs of each rule


RUN_EXAMPLES = (
    "crossback run                  # everything that config.yaml asks for",
    "crossback run icons 3          # one target of a data set",
    "crossback run icons/3 icons/8  # two of them",
    "crossback run icons            # a data set: table, page, all targets",
    "crossback run results/icons/similarity.csv -n",
    "crossback run icons 3 -- --profile slurm",
)


def run(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A data set and targets of it (icons 3 8), icons/3, a path, or a rule; nothing for"
            " all that `run` of config.yaml names. What follows -- goes to Snakemake.",
            show_default=False,
        ),
    ] = None,
    cores: Annotated[str, typer.Option(help="Cores to use, or all.")] = "all",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only show how many jobs of each rule.")
    ] = False,
) -> None:
    """Make results with Snakemake.

    Finds the right command, shows it, and runs it with short output; the exit code is Snakemake's.
    Interrupt it whenever you like and start it again.
    """
    from crossback_core.config.requests import dataset_names, results_of

    check_project()
    start = snakemake()
    words = targets or []
    asked = list(takewhile(lambda word: not word.startswith("-"), words))
    more = words[len(asked) :]
    names = dataset_names(["config.yaml", *_config_files(more)])
    command = [*results_of(asked, names), "--cores", cores, *more]
    if dry_run:
        command += _SHORTEST
    elif not any(word.startswith(_QUIET) for word in more):
        command += _SHORT
    screen.command(f"snakemake {shlex.join(command)}")
    # In the place of this process: signals and the exit code are Snakemake's own.
    os.execv(start[0], [*start, *command])


def _parts(option: str) -> list[str]:
    """Return a long option and the value that is written into it."""
    name, _, value = option.partition("=")
    return [name, value] if value and name in ("--configfile", "--configfiles") else [option]


def _config_files(options: Sequence[str]) -> list[Path]:
    """Return the configuration files that Snakemake is given; it tells itself of missing ones."""
    words = iter([part for each in options for part in _parts(each)])
    for word in words:
        if word in ("--configfile", "--configfiles"):
            named = takewhile(lambda each: not each.startswith("-"), words)
            return [path for path in map(Path, named) if path.is_file()]
    return []
