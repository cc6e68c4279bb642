"""The command `export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crossback_core.cli import screen
from crossback_core.cli.product import Model, worded


class Files(StrEnum):
    """What is written beside the model card."""

    onnx = "onnx"
    safetensors = "safetensors"
    both = "both"


EXPORT_EXAMPLES = (
    "crossback export results/icons/target_19.pt",
    "crossback export published.pt --task 101 --to models --format onnx",
    "crossback export published.pt --task 101 --data task_101.pt",
)


def export(
    model: Model,
    task: Annotated[
        str | None, typer.Option(help="The task by its id or name; the newest one if not said.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder of the files; it is made.")] = Path("export"),
    format_: Annotated[Files, typer.Option("--format", help="What is written.")] = Files.both,
    encoder: Annotated[
        Path | None,
        typer.Option(help="Folder of the encoder of the task's texts, if it has moved."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A task file on which the card's accuracy is measured."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
) -> None:
    """Write one task so that it runs without this project.

    As ONNX (pixels or token ids in, logits out, batches of any size), compared by onnxruntime with
    the task itself; its values as safetensors; and a model card, which has the lines that run it.
    ONNX needs the packages onnx, onnxscript and onnxruntime.
    """
    from crossback_core.export.folder import KINDS, export_task

    kinds = tuple(kind for kind in KINDS if format_.value in (kind, Files.both.value))
    try:
        done = export_task(
            model, to, task=task, kinds=kinds, encoder=encoder, data=data, force=force
        )
    except (ValueError, OSError) as error:
        raise screen.Failure(worded(error)) from error
    rows = [{"file": file, "size": screen.size(file.stat().st_size)} for file in done.files]
    screen.table(rows, right=("size",))
    if done.check is not None:
        screen.note(
            f"Task {done.task}: on {done.check.inputs} random inputs the logits of onnxruntime"
            f" differ by {done.check.difference:.1e} at most; up to {done.check.allowed:.1e} is"
            " taken for rounding."
        )
