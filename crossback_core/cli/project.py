"""The folder of a project, and Snakemake in it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from crossback_core.cli.screen import Failure


def check_project() -> None:
    """Refuse to work where there is no workflow.

    Raises:
        Failure: The present folder holds none.
    """
    if not Path("Snakefile").is_file() or not Path("config.yaml").is_file():
        raise Failure(
            f"{Path.cwd()} is not the folder of the project: it has no Snakefile and config.yaml",
            "cd to the clone of the repository",
        )


def snakemake() -> list[str]:
    """Return the words that start Snakemake in this environment.

    Raises:
        Failure: It is not installed.
    """
    if find_spec("snakemake") is None:
        raise Failure(
            "Snakemake is not installed in this environment, and the workflow needs it",
            "pip install 'crossback-core[workflow]', or activate the environment of `make install`",
        )
    return [sys.executable, "-m", "crossback_core.cli.start"]
