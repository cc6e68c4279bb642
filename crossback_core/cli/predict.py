"""The command `predict`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossback_core.cli import screen
from crossback_core.cli.product import Model, worded
from crossback_core.wording import counted, printable

if TYPE_CHECKING:
    from crossback_core.checkpoint.predicting import Prediction, Predictions


_COUNTS = ("unknown", "new", "read")
_WHOLE = 10**9  # characters: nothing is cut off


class RowFormat(StrEnum):
    """How rows are written."""

    table = "table"
    json = "json"
    csv = "csv"


PREDICT_EXAMPLES = (
    "crossback predict results/icons/target_3.pt photo.jpg more_photos/",
    "crossback predict results/icons/target_19.pt 'a loaf of bread' note.txt",
    "crossback predict published.pt photo.jpg --task 101 --top 1",
    "crossback predict published.pt more_photos/ --format csv > found.csv",
)


def predict(
    model: Model,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, text files, folders of these, or sentences.",
            show_default=False,
        ),
    ],
    task: Annotated[
        str | None, typer.Option(help="The task by its id or name; the newest one if not said.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes that are shown of each input.")] = 5,
    encoder: Annotated[
        Path | None,
        typer.Option(help="Folder of the encoder of the task's texts, if it has moved."),
    ] = None,
    format_: Annotated[
        RowFormat, typer.Option("--format", help="How it is written.")
    ] = RowFormat.table,
) -> None:
    """Name the classes of pictures and texts.

    Each input is read as the samples of the task were. A folder is read with all below it. To a
    task of texts a word that is no file or folder is a sentence. What cannot be read is told, with
    exit code 1, and does not keep the others from being read.
    """
    import crossback_core
    from crossback_core.checkpoint.predicting import Predictions

    product = crossback_core.load(model)
    # A sentence may be longer than a path can be, of which Path.is_dir would complain.
    given: list[Any] = [Path(each) if os.path.isdir(each) else each for each in inputs]
    try:
        found = product.predict(given, task=task, encoder=encoder)
    except (ValueError, OSError) as error:
        raise screen.Failure(worded(error)) from error
    assert isinstance(found, Predictions)  # of a list
    if task is None and len(product.tasks) > 1:
        *others, newest = (spec.called for spec in product.tasks.values())
        screen.note(f"By task {newest}, the newest; --task: {', '.join(others)}", beside=True)
    if format_ is RowFormat.csv:
        screen.data(_csv(found, top))
    elif format_ is RowFormat.json:
        screen.data(json.dumps([_plain(each, top) for each in found], indent=2, ensure_ascii=False))
    else:
        screen.table(_rows(found, top), right=("probability",))
        _tell_unknown(found)
    if bad := [each for each in found if each.problem]:
        raise screen.Failure(
            f"{len(bad)} of {counted(len(found), 'input')} could not be read: each row says why"
        )


def _csv(found: Predictions, top: int) -> str:
    """Return lines of CSV; texts stand in them as a terminal may be given them."""
    frame = found.to_frame(top)
    for name in ("source", "class", "problem"):
        frame[name] = [printable(each, _WHOLE) if each else each for each in frame[name]]
    return frame.to_csv(index=False, lineterminator="\n").rstrip("\n")


def _plain(each: Prediction, top: int) -> dict[str, Any]:
    count = each.tokens
    return {
        "source": each.source,
        "task": each.task,
        "task_name": each.task_name or None,
        "classes": [{"class": name, "probability": value} for name, value in each.likeliest(top)],
        "tokens": None if count is None else vars(count),
        "problem": each.problem or None,
    }


def _rows(found: Sequence[Prediction], top: int) -> list[dict[str, object]]:
    """Return a row for each of the likely classes; the input stands in its first row alone."""
    rows: list[dict[str, object]] = []
    for each in found:
        shown = [(name, f"{value:.1%}") for name, value in each.likeliest(top)]
        shown = shown or [(each.problem, "not read")]
        rows += [
            {"input": each.source if not place else "", "probability": value, "class": name}
            for place, (name, value) in enumerate(shown)
        ]
    return rows


def _tell_unknown(found: Sequence[Prediction]) -> None:
    """Warn of texts of which not all was read: the table has no room for it."""
    counts = [each.tokens for each in found if each.tokens is not None]
    unknown, new, read = (sum(getattr(it, name) for it in counts) for name in _COUNTS)
    if unknown or new:
        screen.warn(
            f"of {counted(read, 'token')}, unknown to the encoder of this task: {unknown:,}; in no"
            f" text that the task was trained on: {new:,}"
        )
    cut = sum(each.cut > 0 for each in counts)
    if cut:
        screen.warn(
            f"cut, as longer than the task reads: {cut:,} of {counted(len(counts), 'text')}"
        )
