"""Tasks that most tests of the core work on; `tiny` makes the rest."""

import math

import pytest
import tiny

from crossback_core.data.task_file import TaskData
from crossback_core.learning import training


@pytest.fixture(autouse=True)
def _keep_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a training's state after each epoch, however long that takes."""
    monkeypatch.setattr(training, "SAVING", math.inf)


@pytest.fixture(scope="session")
def images() -> TaskData:
    """Return task 1: three classes of images."""
    return tiny.task_data("1", "image", classes=3)


@pytest.fixture(scope="session")
def texts() -> TaskData:
    """Return task 2: two classes of texts."""
    return tiny.task_data("2", "text")
