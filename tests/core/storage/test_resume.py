"""The state of an interrupted training is taken up only where it fits."""

import logging
from dataclasses import replace

import pytest
import tiny
import torch

from crossback_core.storage.resume import ResumeFile

STATE = {"rows": [{"epoch": 1, "loss": 0.5}], "network": {"weight": torch.arange(3.0)}}
KEY = ("hash of the data", tiny.ADAMW, 1.5)


@pytest.fixture
def saved(tmp_path) -> ResumeFile:
    resume = ResumeFile(tmp_path / "folder" / "training.pt", KEY)
    resume.save(STATE)
    return resume


def test_nothing_saved_nothing_loaded(tmp_path):
    assert ResumeFile(tmp_path / "training.pt", KEY).load() is None
    assert list(tmp_path.iterdir()) == []


def test_the_state_saved_last_comes_back_for_an_equal_key(saved):
    saved.save({**STATE, "rows": [*STATE["rows"], {"epoch": 2, "loss": 0.25}]})
    state = ResumeFile(saved.path, (KEY[0], replace(tiny.ADAMW), 1.5)).load()
    assert [row["epoch"] for row in state["rows"]] == [1, 2]
    assert torch.equal(state["network"]["weight"], torch.arange(3.0))


@pytest.mark.parametrize(
    "key",
    [("other data", *KEY[1:]), (KEY[0], replace(tiny.ADAMW, learning_rate=0.011), 1.5), KEY[:2]],
    ids=["text", "settings", "length"],
)
def test_a_state_of_another_training_is_ignored(saved, key, caplog):
    with caplog.at_level(logging.INFO):
        assert ResumeFile(saved.path, key).load() is None
    assert "is of other settings or data: starting again" in caplog.text
    assert saved.load() is not None


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[::-1]])
def test_a_damaged_state_is_ignored_with_a_warning(saved, damage, caplog):
    """A lost state costs time, never a result."""
    saved.path.write_bytes(damage(saved.path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert saved.load() is None
    assert f"{saved.path} cannot be resumed from" in caplog.text
    saved.save(STATE)
    assert saved.load() is not None
