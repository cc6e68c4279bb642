"""No spoilt file makes a loader do more than refuse it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_project import ROOT

pytestmark = pytest.mark.survival

FUZZ = Path(__file__).with_name("fuzz.py")
NAMES = ["checkpoint", "task", "archive", "resume", "index", "json", "table", "settings"]
NAMES += ["icons", "unpack", "samples", "splits", "memory"]
INPUTS, SEED = int(os.environ.get("FUZZ_INPUTS", "2000")), 1


@pytest.mark.parametrize("name", NAMES)
def test_a_spoilt_input_is_refused_and_does_nothing_else(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(FUZZ), name, str(INPUTS), str(SEED), str(tmp_path / name)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(f"{name}: {done.stdout}")
    assert found["wrong"] == {}
    assert found["escaped"] == []
    assert found["inputs"] == found["loaded"] + found["refused"] == INPUTS
    assert found["megabytes"] < 512
