"""How Snakemake was called."""

import sys
from argparse import Namespace
from functools import cache
from pathlib import Path

from snakemake.cli import get_argument_parser


@cache
def command_line() -> Namespace | None:
    """Return the command line, read by Snakemake's own parser.

    Snakemake reads the workflow before it tells it its targets. None where it is called from
    Python, or runs a job of a run whose command line was checked.
    """
    program = Path(sys.argv[0])
    if "snakemake" not in (program.name, program.parent.name) or "--target-jobs" in sys.argv:
        return None
    return get_argument_parser().parse_known_args(sys.argv[1:])[0]


def asked_for() -> list[str]:
    """Return the targets of the command line."""
    given = command_line()
    return sorted(given.targets) if given else []
