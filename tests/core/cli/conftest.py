"""A product of two tasks, and what calls the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from click.testing import Result
from typer.testing import CliRunner

from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.cli.app import app
from crossback_core.data.task_file import TaskData


@pytest.fixture(scope="session")
def call() -> Callable[..., Result]:
    """Return what runs `crossback` with some words."""
    return lambda *words: CliRunner().invoke(app, list(map(str, words)), prog_name="crossback")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, images: TaskData, texts: TaskData) -> Path:
    """Return the file of a product: task 2 of texts, then task 1 of pictures."""
    network = tiny.network(texts, images)
    tiny.disturb(network)
    network.seen = [texts.seen, images.seen]
    path = tmp_path_factory.mktemp("product") / "target_1.pt"
    parents = {"baseline": {"path": "results/x/baseline/task_1.pt", "sha256": "ab" * 32}}
    record = {"target": "1", "verdict": "helps", "versions": {"numerics": 3}, "parents": parents}
    save_checkpoint(network, path, record)
    return path
