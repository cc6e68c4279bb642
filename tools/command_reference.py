"""docs/command-line.md, from the commands that the code declares."""

from __future__ import annotations

import re

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from crossback_core.cli.app import app

_INTRODUCTION = """# The command `crossback`

This page is made from the code by `make reference`. The command comes with the package: `make \
install` puts it into `.venv/bin`, and `pip install .` into any other environment. `new --add`, \
`run` and `clean` work in the folder of the project, all else anywhere.

Where something is wrong the command says so in one line, and what to do in another; `--debug`, \
before the command, shows where it happened. Results go to standard output, all else to standard \
error, so that `>` and `|` take the results alone. There are colours on a terminal only, and none \
with `NO_COLOR=1`.

| Exit code | Meaning |
|---|---|
| 0 | it went well |
| 1 | it failed; of `doctor`: something that is needed is missing |
| 2 | it was called wrongly |
| 130 | it was interrupted (Ctrl-C) |
| that of Snakemake | of `run` |

`crossback --install-completion` lets your shell complete commands and options.
"""
_EXAMPLES = re.compile(r"\x08\nExamples:\n((?:  .*\n)+)")


def page() -> str:
    """Return docs/command-line.md."""
    command = get_command(app)
    context = typer.Context(command)
    whole = get_docs_for_click(obj=command, ctx=context, name="crossback")
    own = whole[whole.index("## `crossback ") :]  # what comes before is in the introduction
    fenced = _EXAMPLES.sub(lambda found: f"```sh\n{_unindented(found[1])}```\n", own)
    return f"{_INTRODUCTION}\n{fenced.rstrip()}\n"


def _unindented(lines: str) -> str:
    return "".join(line[2:] for line in lines.splitlines(keepends=True))
