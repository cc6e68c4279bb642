import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import benchmark_similarity
from benchmark_similarity import demo_preset, measure


@pytest.mark.parametrize("target", ["image", "text"])
def test_both_ways_agree(target, tmp_path, monkeypatch, capsys):
    """On networks of the demo's size, with few probes."""
    preset = demo_preset()
    few = replace(preset.selection, probes=4, mutations=8)
    monkeypatch.setattr(benchmark_similarity, "demo_preset", lambda: replace(preset, selection=few))
    measure(tmp_path, target, 2)
    printed = capsys.readouterr().out
    assert re.search(
        r"shared and batched: +[\d.]+ s a row of 2 candidates, +[\d.]+ s a pair", printed
    )
    assert float(re.search(r"largest difference: (\S+) ", printed).group(1)) <= 1e-5
