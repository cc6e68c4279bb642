"""The shipped configuration, and a small one made of it, for tests to change."""

from copy import deepcopy

import pytest
import yaml
from given import CONFIG, Config


@pytest.fixture(scope="session")
def _as_shipped() -> Config:
    loaded: Config = yaml.safe_load(CONFIG.read_text())
    return loaded


@pytest.fixture
def shipped(_as_shipped: Config) -> Config:
    """Return the configuration that ships with the project."""
    return deepcopy(_as_shipped)


@pytest.fixture
def config(shipped: Config) -> Config:
    """Return the shipped presets with an experiment that stays as it is."""
    icons = {
        "kind": "icons",
        "raw": "data/icons",
        "preset": "demo",
        "tasks": [1, 3, 17, 19],
        "joint": {
            101: {"name": "both", "tasks": [29, 30]},
            102: {"name": "two", "tasks": [39, 40]},
        },
        "targets": [3, 19],
        "candidates": [1, 17, 101, 102],
        "train_per_class": 10,
    }
    return shipped | {"datasets": {"icons": icons}}
