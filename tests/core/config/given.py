"""The shipped configuration, and what tests add to it."""

from pathlib import Path
from typing import Any

CONFIG = Path(__file__).resolve().parents[3] / "config.yaml"

Config = dict[str, Any]

SIZE: Config = {"candidates": [1, 101], "controls": {"shuffled": [101]}}
STUDY: Config = {"seeds": [11], "sizes": {5: SIZE}}
