"""How far a training is, in words."""

import logging

import pytest
import tiny
from interruption import Interrupted, InterruptedResume

from crossback_core.learning.progress import duration, progress
from crossback_core.storage.resume import ResumeFile


@pytest.mark.parametrize(
    ("seconds", "epochs", "later", "words"),
    [
        ([2.0], 21, 0, "x: epoch 1 of 21, about 40 s left"),
        ([2.0, 4.0], 12, 0, "x: epoch 2 of 12, about 30 s left"),
        ([2.0], 2, 20, "x: epoch 1 of 2, about 42 s left"),
        ([3.0, 3.0], 2, 0, "x: epoch 2 of 2, about 0 s left"),
        ([500.0] * 9 + [1.0] * 10, 29, 0, "x: epoch 19 of 29, about 10 s left"),  # moved
    ],
)
def test_the_time_left_is_that_of_the_recent_epochs(seconds, epochs, later, words):
    assert progress("x", seconds, epochs, later=later) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (600, "10 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (90000, "25.0 h"),
    ],
)
def test_a_duration_is_in_a_unit_that_fits(seconds, words):
    assert duration(seconds) == words


def test_each_epoch_tells_its_progress_beside_the_log(images, caplog, tmp_path):
    caplog.set_level(logging.INFO)
    path = tmp_path / "training.pt"
    with pytest.raises(Interrupted):
        tiny.train(tiny.network(images), images, resume=InterruptedResume(path, after=2))
    caplog.clear()
    tiny.train(tiny.network(images), images, resume=ResumeFile(path, "key"))
    (record,) = [it for it in caplog.records if hasattr(it, "progress")]  # one epoch was left
    assert record.progress == "test: epoch 3 of 3, about 0 s left"
    assert record.getMessage().startswith("test: epoch 3 of 3, loss ")
