"""A Slurm on this machine for the tests marked slurm."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

LOOPBACK = Path(__file__).resolve().parents[2] / "tools" / "slurm_loopback.sh"


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """Start Slurm and stop it at the end; where that cannot be, skip, but fail in CI."""
    started = subprocess.run([LOOPBACK, "up"], capture_output=True, text=True)
    if started.returncode != 0:
        reason = f"no Slurm on this machine: {started.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    yield
    subprocess.run([LOOPBACK, "down"], check=True)
