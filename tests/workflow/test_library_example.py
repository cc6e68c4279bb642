"""The example of the library runs as its page says."""

import subprocess
import sys
from pathlib import Path

import pytest

import crossback_core

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.reruns
def test_the_example_builds_a_task_on_a_network(tmp_path: Path) -> None:
    for name in ("config.yaml", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    script = ROOT / "docs" / "examples" / "library.py"
    run = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "the backbone's own task is bit-identical: True" in run.stdout
    assert "19" in crossback_core.load(tmp_path / "example.pt").tasks
