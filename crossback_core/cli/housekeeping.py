"""The command `clean`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossback_core.cli import screen
from crossback_core.cli.project import check_project, snakemake
from crossback_core.wording import counted

if TYPE_CHECKING:
    from crossback_core.stages.cleaning import Spare

_PLANNED = re.compile(r"^total +(\d+)", re.MULTILINE)
_IDLE = "Nothing to be done"


CLEAN_EXAMPLES = (
    "crossback clean --dry-run",
    "crossback clean --yes",
)


def clean(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only list what would be removed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    unfinished: Annotated[
        bool,
        typer.Option(
            "--unfinished",
            help="Clean also while jobs are planned: what they need may have to be made again.",
        ),
    ] = False,
    config_file: Annotated[
        list[Path] | None,
        typer.Option("--configfile", help="What `snakemake` is given as well.", show_default=False),
    ] = None,
) -> None:
    """Remove what is no longer needed.

    A list with sizes and a question come first. In a finished project these are ladders of which a
    level was chosen, what targets were trained from, samples and networks behind verdicts, states
    of trainings that have ended, logs of jobs that went well. Products, baselines, backbones, data
    and the memory of the splits stay: no job is planned because of it.
    """
    from crossback_core.stages.cleaning import find_spare, remove

    check_project()
    _check_idle()
    if not unfinished:
        _check_finished(config_file or [])
    found = find_spare(".")
    if not found:
        screen.note("There is nothing to remove.")
        return
    _show(found)
    total = screen.size(sum(each.bytes for each in found))
    if dry_run:
        typer.echo("\n".join(str(each.path) for each in found))
        screen.note(f"{total} would be removed.")
        return
    if not (yes or _agreed(f"Remove what is listed, {total}?")):
        screen.note("Nothing was removed.")
        raise typer.Exit(1)
    for each in found:
        remove(each)
    screen.note(f"{total} removed.")


def _agreed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:  # there is nobody to answer
        typer.echo()
        return False


def _show(found: Sequence[Spare]) -> None:
    from crossback_core.stages.cleaning import SORTS

    rows = []
    for sort in dict.fromkeys(each.sort for each in found):
        own = [each for each in found if each.sort == sort]
        what, _, again = SORTS[sort].partition("; ")
        rows.append(
            {
                "what": sort,
                "number": len(own),
                "size": screen.size(sum(each.bytes for each in own)),
                "they are": what,
                "needed again for": again or "nothing",
            }
        )
    screen.table(rows, right=("number", "size"))


def _check_idle() -> None:
    from crossback_core.runtime.diagnosis import is_locked

    if is_locked("."):
        raise screen.Failure(
            "a run of Snakemake works in this folder, or was killed: .snakemake/locks is not empty",
            "wait for it; after a kill: snakemake --unlock",
        )


def _check_finished(config_files: Sequence[Path]) -> None:
    """Refuse while Snakemake plans jobs for results that are there."""
    results = [*Path("results").glob("*/summary.csv"), *Path("results").glob("*/target_*.pt")]
    if not results:
        return
    options = ["--configfile", *map(str, config_files)] if config_files else []
    command = [*snakemake(), "-n", *sorted(map(str, results)), *options]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if _IDLE in done.stdout:
        return
    if done.returncode:
        last = done.stdout.strip().rpartition("\n")[2].strip().removeprefix("Error: ")
        raise screen.Failure(
            f"Snakemake cannot plan: {last}",
            "of another configuration: crossback clean --configfile FILE; else see: snakemake -n",
        )
    count = _PLANNED.search(done.stdout)
    jobs = counted(int(count[1]), "job") if count else "jobs"
    raise screen.Failure(
        f"the project is not finished: Snakemake plans {jobs} for results that are there, and what"
        " they need may be among what is removed",
        "finish it (crossback run), or remove it all the same (crossback clean --unfinished)",
    )
