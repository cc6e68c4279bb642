"""The command `doctor`."""

from __future__ import annotations

import typer

from crossback_core.cli import screen
from crossback_core.cli.product import Format, FormatOption

DOCTOR_EXAMPLES = (
    "crossback doctor",
    "crossback doctor --format json",
)


def doctor(format_: FormatOption = Format.table) -> None:
    """Look at what this machine has.

    Python, PyTorch, cores, GPU, Snakemake and its lock, Slurm, memory, disk, encoders of texts,
    what an export needs. Each line is ok, a warning or an error, with what to do. The exit code is
    1 where something that is needed is missing.
    """
    import json
    from dataclasses import asdict

    from crossback_core.runtime.diagnosis import diagnose

    found = list(diagnose())
    if format_ is Format.json:
        screen.data(json.dumps([asdict(each) for each in found], indent=2))
    else:
        rows = [
            {
                "": each.status,
                "what": each.what,
                "found": each.found + (f". Do: {each.advice}" if each.advice else ""),
            }
            for each in found
        ]
        screen.table(rows, styles="")
    if any(each.status == "error" for each in found):
        raise typer.Exit(1)
