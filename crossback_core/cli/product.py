"""Commands about one product: what it is, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from crossback_core.cli import screen
from crossback_core.wording import counted, with_name

_SHOWN = 5  # classes of a task in a table
_HASH = 12  # digits of a hash in a table

_MODEL = "A checkpoint, such as results/icons/target_3.pt."
Model = Annotated[Path, typer.Argument(metavar="MODEL", help=_MODEL, show_default=False)]


class Format(StrEnum):
    """How a result is written."""

    table = "table"
    json = "json"


class SplitName(StrEnum):
    """A part of a task's samples."""

    train = "train"
    validation = "validation"
    test = "test"


FormatOption = Annotated[Format, typer.Option("--format", help="How it is written.")]


INSPECT_EXAMPLES = (
    "crossback inspect results/icons/target_3.pt",
    "crossback inspect published.pt --format json",
)


def inspect(model: Model, format_: FormatOption = Format.table) -> None:
    """Show what a product is and was made from.

    Its tasks and their classes, who owns its weights, the files that it was made from. Owned are
    the weights that a task trained, picked those of earlier tasks that it uses as well, free those
    left for tasks to come: fractions of the weights that a mask covers.
    """
    from crossback_core.checkpoint.description import describe_product

    found = describe_product(model)
    if format_ is Format.json:
        screen.data(json.dumps(found, indent=2, ensure_ascii=False))
        return
    _show(found)


def _show(found: Mapping[str, Any]) -> None:
    tasks = counted(len(found["tasks"]), "task")
    screen.note(f"{found['path']}: {tasks}, {screen.size(found['bytes'])}")
    screen.note(f"sha256 {found['sha256']}\n")
    screen.table([_task_row(each) for each in found["tasks"]], right=_NUMBERS)
    screen.note(
        f"\n{found['values']:,} numbers are stored; of {found['weights']:,} masked weights"
        f" {found['free']:.1%} are free."
    )
    if found["verdict"]:
        screen.note(f"Verdict of target {found['target']}: {found['verdict']}.")
    if found["versions"]:
        screen.note("Made by " + ", ".join(f"{k} {v}" for k, v in found["versions"].items()) + ".")
    if found["parents"]:
        screen.note("")
        rows = [
            {"made from": role, "file": parent["path"], "sha256": parent["sha256"][:_HASH]}
            for role, parent in found["parents"].items()
        ]
        screen.table(rows)


_NUMBERS = ("number", "width", "owned", "picked")


def _task_row(task: Mapping[str, Any]) -> dict[str, object]:
    classes = task["classes"]
    dots = ", ..." if len(classes) > _SHOWN else ""
    return {
        "number": task["number"],
        "task": with_name(task["task"], task["task_name"]),
        "modality": task["modality"],
        "width": f"{task['width']:.2f}",
        "owned": f"{task['owned']:.1%}",
        "picked": f"{task['picked']:.1%}",
        "classes": f"{len(classes)}: {', '.join(classes[:_SHOWN])}{dots}",
    }


EVALUATE_EXAMPLES = (
    "crossback evaluate results/icons/target_3.pt results/icons/data/task_3.pt",
    "crossback evaluate published.pt new_task.pt --split validation",
)


def evaluate(
    model: Model,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A task file, such as results/icons/data/task_3.pt.",
            show_default=False,
        ),
    ],
    split: Annotated[SplitName, typer.Option(help="The part that is measured.")] = SplitName.test,
    allow_seen: Annotated[
        bool,
        typer.Option(
            "--allow-seen", help="Measure test samples that the network was trained on as well."
        ),
    ] = False,
    format_: FormatOption = Format.table,
) -> None:
    """Measure a product on one of its tasks.

    Test samples that the network has seen say nothing about new ones and are refused.
    """
    import crossback_core
    from crossback_core.data import load_task

    task = load_task(data)
    product = crossback_core.load(model)
    try:
        found = product.evaluate(task, split=split.value, allow_seen=allow_seen)
    except ValueError as error:
        raise screen.Failure(worded(error)) from error
    if format_ is Format.json:
        task_name = task.name or None
        values = {"task": task.task, "task_name": task_name, "split": split.value, **found}
        screen.data(json.dumps(values, indent=2, ensure_ascii=False))
        return
    shown = {"accuracy": f"{found['accuracy']:.1%}", "loss": f"{found['loss']:.3f}"}
    row = {"task": task.called, "split": split.value, **found, **shown}
    unknown = {name: "unknown" for name, value in row.items() if value is None}
    screen.table([row | unknown], right=("accuracy", "loss", "samples", "seen", "trained_on"))


_OPTIONS = {
    "allow_seen=True": "--allow-seen",
    "force=True": "--force",
    "task=": "--task ",
    "as encoder=": "as --encoder",
}


def worded(error: Exception) -> str:
    """Call what an error of the library names as it is called here."""
    text = screen.message_of(error)
    for name, option in _OPTIONS.items():
        text = text.replace(name, option)
    return text
