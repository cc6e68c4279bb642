"""The command `new`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from crossback_core.cli import screen
from crossback_core.wording import counted

if TYPE_CHECKING:
    from crossback_core.config import Experiment
    from crossback_core.data.survey import Survey

CONFIG = Path("config.yaml")
_SHOWN = 6  # classes of a task
_REASONS = 8  # why files are not read


NEW_EXAMPLES = (
    "crossback new data/mine",
    "crossback new data/mine --name birds --add",
    "crossback new data/mine > block.yaml",
)


def new(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Your data: images/TASK/CLASS/*, texts/TASK/CLASS/*, or a table samples.csv.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="What the data set is called; the folder's name if not said."),
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Write the block into config.yaml, and set `run`.")
    ] = False,
) -> None:
    """Look at own data; write their configuration.

    Opens every picture. Shows tasks, classes, samples, and what is not read and why; then a block
    with comments, and how long it takes and how much disk. The block goes to standard output, all
    else to standard error.
    """
    from crossback_core.config.block import add_block, name_for, propose
    from crossback_core.config.loading import check_name
    from crossback_core.data.survey import survey
    from crossback_core.runtime.device import has_gpu

    if add and not CONFIG.is_file():
        raise screen.Failure(
            f"there is no config.yaml in {Path.cwd()}", "cd to the clone of the repository"
        )
    name = name_for(folder) if name is None else name
    check_name("datasets", name)
    found = survey(_from_here(folder), watch=partial(screen.watched, doing="Opening pictures"))
    _show(folder, found)
    block = propose(str(_from_here(folder)), found, gpu=has_gpu())
    if add:
        settings = add_block(CONFIG, name, block)
        _tell_cost(settings.datasets[name], found)
        screen.note(f"config.yaml has the data set {name} now, and `run: [{name}]`.", beside=True)
        screen.note("Look at it, then: crossback run", beside=True)
        return
    _show_block(name, block, found)


def _show_block(name: str, block: str, found: Survey) -> None:
    from crossback_core.config.block import read_config, settings_with, whole_block

    if CONFIG.is_file():
        try:
            _, settings = settings_with(read_config(CONFIG), name, block)
        except ValueError as error:  # people are told to add the block by hand: it has to be shown
            screen.warn(str(error))
            screen.note("Put this under `datasets` of config.yaml:\n", beside=True)
        else:
            _tell_cost(settings.datasets[name], found)
            screen.note(
                "Put this under `datasets` of config.yaml, or let --add do it:\n", beside=True
            )
    else:
        screen.note(
            "This is for `datasets` of config.yaml. How long it takes is told in the", beside=True
        )
        screen.note("folder of the project, whose config.yaml has the presets.\n", beside=True)
    screen.data(indent(whole_block(name, block), "  "))


def _from_here(folder: Path) -> Path:
    """Return a path as the configuration has it: relative where it leads into this folder.

    A link stays a link, as a person made it.
    """
    here = Path.cwd()
    whole = folder.resolve() if ".." in folder.parts else folder.absolute()
    inside = next((each for each in (whole, whole.resolve()) if each.is_relative_to(here)), None)
    return whole if inside is None else inside.relative_to(here)


def _show(folder: Path, found: Survey) -> None:
    from crossback_core.data.survey import concerns

    rows = [
        {
            "task": task.task,
            "samples": task.samples,
            "classes": f"{len(task.classes)}: "
            + ", ".join(f"{label} {count}" for label, count in list(task.classes.items())[:_SHOWN])
            + (", ..." if len(task.classes) > _SHOWN else ""),
        }
        for task in found.tasks
    ]
    screen.table(rows, right=("samples",), beside=True)
    screen.note("", beside=True)
    for reason, (count, first) in list(found.skipped.items())[:_REASONS]:
        screen.note(f"Not read: {counted(count, 'file')}, such as {first}: {reason}", beside=True)
    for concern in concerns(found):
        screen.warn(concern)


def _tell_cost(experiment: Experiment, found: Survey) -> None:
    from crossback_core.config.estimate import Size, estimate
    from crossback_core.runtime.device import has_gpu

    sizes = {
        task.task: Size(task.modality, len(task.classes), task.samples) for task in found.tasks
    }
    cost = estimate(experiment, sizes)
    cores = os.cpu_count() or 1
    screen.note(
        f"All of it: {counted(cost.jobs, 'job')} at most, about {screen.duration(cost.seconds)} of"
        f" one core (this machine has {cores}), about {screen.size(cost.bytes)} of disk. This is"
        " estimated from counts, by what was measured on an AMD EPYC; take it for half to twice as"
        " much." + (" With this GPU it is less; how much was not measured." if has_gpu() else ""),
        beside=True,
    )
