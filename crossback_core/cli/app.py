"""The app: its commands, how its mistakes are told, and its exit codes.

Exit codes: 0 it went well; 1 it failed; 2 it was called wrongly; 130 it was interrupted, as a shell
says it (`cli/start.py`); `run` ends with Snakemake's own.
Each command imports what it needs when it runs: --help and completion are quick.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from crossback_core.cli import check, export, housekeeping, new, predict, product, run
from crossback_core.cli.screen import show_any_name, told, warn
from crossback_core.version import __version__

DEBUG = "CROSSBACK_DEBUG"  # environment variable: errors come with their traceback


class _Group(TyperGroup):
    """Commands whose mistakes are told in one line and a hint."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and end the process with its exit code.

        Raises:
            SystemExit: Always.
        """
        try:
            code = super().main(*args, **options | {"standalone_mode": False})
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            told(error)
            raise SystemExit(getattr(error, "exit_code", 1)) from None
        raise SystemExit(code or 0)


app = typer.Typer(
    name="crossback",
    cls=_Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crossback {__version__}")
        raise typer.Exit


def _debug(wanted: bool) -> None:
    if wanted:
        os.environ[DEBUG] = "1"


@app.callback(invoke_without_command=True)
def crossback(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help=f"Show where an error happened (or set {DEBUG}=1).",
            callback=_debug,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Reuse the network that fits a new task best, across modalities, without forgetting.

    Exit codes: 0 it went well, 1 it failed, 2 it was called wrongly, 130 it was interrupted;
    `crossback run` ends with Snakemake's. NO_COLOR=1 turns colours off; there are none outside a
    terminal.
    """
    show_any_name()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _add(command: Callable[..., None], examples: Sequence[str]) -> None:
    lines = "\n".join(f"  {each}" for each in examples)
    app.command(epilog=f"\b\nExamples:\n{lines}")(command)  # \b: lines stay as they are


_add(new.new, new.NEW_EXAMPLES)
_add(run.run, run.RUN_EXAMPLES)
_add(predict.predict, predict.PREDICT_EXAMPLES)
_add(product.evaluate, product.EVALUATE_EXAMPLES)
_add(product.inspect, product.INSPECT_EXAMPLES)
_add(export.export, export.EXPORT_EXAMPLES)
_add(housekeeping.clean, housekeeping.CLEAN_EXAMPLES)
_add(check.doctor, check.DOCTOR_EXAMPLES)


class _Told(logging.Handler):
    """Tells what is logged as the commands tell a warning."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        warn(record.getMessage())


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Told()], force=True)
    warnings.showwarning = lambda message, *_, **__: warn(str(message))
    app(prog_name="crossback")  # ends the process
