"""The one-machine Slurm never touches the configuration of another one."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "slurm_loopback.sh"


@pytest.mark.parametrize("action", ["up", "down"])
@pytest.mark.parametrize("name", ["slurm.conf", "gres.conf"])
def test_a_foreign_configuration_is_refused(tmp_path: Path, action: str, name: str) -> None:
    foreign = tmp_path / name
    foreign.write_text("ClusterName=precious\n")
    folders = {"SLURM_LOOPBACK_ETC": str(tmp_path), "SLURM_LOOPBACK_DIR": str(tmp_path / "run")}
    done = subprocess.run(
        [SCRIPT, action], env=os.environ | folders, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"{foreign} belongs to another Slurm and stays as it is" in done.stderr
    assert foreign.read_text() == "ClusterName=precious\n"
    assert list(tmp_path.iterdir()) == [foreign]
