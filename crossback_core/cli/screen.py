"""What the commands show: tables, sizes, durations, and mistakes in a line and a hint."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from typing import TextIO, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossback_core.wording import counted, printable

_WIDE = 10_000  # columns of a pipe or a file: lines are never broken there
_LONGEST = 1500  # characters of an error: a configuration may have several problems
_MANY = 200  # things of which a bar shows how many have come
_UNITS = ("kB", "MB", "GB", "TB")

_T = TypeVar("_T")


class Failure(ValueError):
    """A mistake that is told in a line, and a hint in another.

    Args:
        message: What is wrong.
        hint: What to do.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def told(error: Exception) -> None:
    """Tell an error in a line, and what to do in another."""
    name = type(error).__name__
    if isinstance(error, Failure):
        message, hint = str(error), error.hint
    elif (context := getattr(error, "ctx", None)) is not None:
        message = error.format_message()  # type: ignore[attr-defined]  # of how it was called
        hint = f"{context.command_path} --help"
    elif isinstance(error, ValueError | OSError | ImportError):
        message, hint = message_of(error), ""
    else:
        message, hint = f"{name}: {error}", "crossback --debug COMMAND shows where it happened"
    _line(sys.stderr, "Error", "red", message)
    if hint:
        _line(sys.stderr, "Hint", "cyan", hint)


def message_of(error: Exception) -> str:
    """Return the words of an error; one of the system says of which file it is."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}"
    # a configuration may have several problems, each in a line
    return str(error).replace(":\n    ", ": ").replace("\n    ", "; ")


def _line(stream: TextIO, word: str, colour: str, text: str) -> None:
    text = printable(text, _LONGEST)
    _console(stream).print(Text.assemble((f"{word}: ", colour), text), soft_wrap=True)


def note(text: str, *, beside: bool = False) -> None:
    """Show lines; beside the result, where that is for a file or another program."""
    shown = "\n".join(printable(line, _WIDE) for line in text.split("\n"))
    _console(sys.stderr if beside else sys.stdout).print(Text(shown))


def watched(things: Iterable[_T], count: int, *, doing: str) -> Iterator[_T]:
    """Pass things on; of many, a bar on a terminal shows how many have come."""
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn  # few need them

    bar = Progress(
        "{task.description}",
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_console(sys.stderr),
        transient=True,
        disable=count < _MANY or not sys.stderr.isatty(),
    )
    with bar:
        yield from bar.track(things, total=count, description=doing)


def data(text: str) -> None:
    """Write what a file or another program takes: always in UTF-8."""
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # a stream that stands for standard output
        sys.stdout.write(text + "\n")
        return
    binary.write(f"{text}\n".encode(errors="replace"))
    binary.flush()


def show_any_name() -> None:
    """Let a screen show what it has no letters for as Python writes it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def command(text: str) -> None:
    """Show a command that is run; on a terminal it can be copied whole."""
    _console(sys.stderr).print(Text(f"$ {printable(text, _WIDE)}", "dim"), soft_wrap=True)


def warn(text: str) -> None:
    """Show a warning, beside the result."""
    _line(sys.stderr, "Warning", "yellow", text)


def table(
    rows: Sequence[Mapping[str, object]],
    *,
    right: Sequence[str] = (),
    styles: str = "",
    beside: bool = False,
) -> None:
    """Show rows under the names of their columns; long texts are broken at the terminal's width.

    Args:
        rows: By column; all have those of the first.
        right: Columns that are aligned at the right.
        styles: The column of ok, warning and error, which are coloured; empty for none.
        beside: As of `note`.
    """
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        numeric = name in right
        shown.add_column(
            name, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric
        )
    for row in rows:
        shown.add_row(*(_cell(name, row[name], styles) for name in rows[0]))
    stream = sys.stderr if beside else sys.stdout
    console = _console(stream)
    with console.capture() as captured:
        console.print(shown)
    stream.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


_STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


def _cell(name: str, value: object, styles: str) -> Text:
    text = printable(value, _LONGEST)
    return Text(text, _STYLES.get(text, "") if name == styles else "")


def _console(stream: TextIO) -> Console:
    """Return what writes to a stream: coloured and broken into lines on a terminal alone."""
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def size(count: float) -> str:
    """Write a number of bytes as a person says it: 2.1 MB."""
    if count < 999.5:
        return counted(round(count), "byte")
    for unit in _UNITS[:-1]:
        count /= 1000
        if count < 999.5:
            return f"{count:.{0 if count >= 9.95 else 1}f} {unit}"
    return f"{count / 1000:.1f} {_UNITS[-1]}"


def duration(seconds: float) -> str:
    """Write a duration as a person says it: 13 minutes."""
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return counted(max(1, round(seconds)), "second")
