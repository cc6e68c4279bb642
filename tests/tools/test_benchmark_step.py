import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import benchmark_step


def test_every_way_can_be_timed(monkeypatch, capsys):
    """What is timed is what runs: no time is looked at."""
    monkeypatch.setattr(sys, "argv", ["benchmark_step", "--rounds", "1"])
    benchmark_step.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and lines[0].endswith("1.00")
