"""Trackers are told what the history of a training says."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import tiny

from crossback_core.data.task_file import TaskData
from crossback_core.learning.training import fit, step_count, weight_optimisation
from crossback_core.runtime import trackers
from crossback_core.runtime.run_log import run_log
from crossback_core.runtime.trackers import Tracker, check_tracker


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read the points of each curve with TensorBoard's own reader."""
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    reader = event_accumulator.EventAccumulator(str(folder)).Reload()
    return {
        name: [(point.step, point.value) for point in reader.Scalars(name)]
        for name in reader.Tags()["scalars"]
    }


def test_tensorboard_reads_what_the_history_has(tmp_path: Path, images: TaskData) -> None:
    log = tmp_path / "logs" / "train_baseline" / "1.log"
    network = tiny.network(images)
    steps = step_count(images, tiny.ADAMW)
    for _ in range(2):  # the curve of an earlier run goes
        weights = weight_optimisation(network.trainable_parameters(), tiny.ADAMW, steps)
        with run_log(log, tracker="tensorboard"):
            rows = fit(network, images, tiny.ADAMW, [weights], seed=1, label="baseline of task 1")
    curves = events(log.with_suffix("") / "baseline of task 1")
    assert curves.keys() == rows[0].keys() - {"epoch"}
    for name, points in curves.items():
        assert points == [(row["epoch"], pytest.approx(row[name])) for row in rows]


def test_a_resumed_training_goes_on_in_its_curve(tmp_path: Path) -> None:
    for epoch in (1, 2):  # each in a run of its own
        with run_log(tmp_path / "3.log", tracker="tensorboard"):
            logging.info("", extra={"training": "task 3", "row": {"epoch": epoch, "loss": 0.5}})
    assert events(tmp_path / "3" / "task 3") == {"loss": [(1, 0.5), (2, 0.5)]}


class Broken(Tracker):
    """Raises whatever it is asked."""

    package = "torch"

    def __init__(self, folder: Path) -> None:
        pass

    def show(self, training, row):
        """Fail."""
        raise RuntimeError("no connection")

    def close(self):
        """Fail as well."""
        raise RuntimeError("no connection either")


def test_a_tracker_that_fails_stops_no_training(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(trackers.TRACKERS._added, "broken", Broken)
    log = tmp_path / "3.log"
    with run_log(log, tracker="broken"):
        logging.info("", extra={"training": "task 3", "row": {"epoch": 1}})
        logging.info("the training goes on")
    text = log.read_text()
    assert "no connection\n" in text and "no connection either" in text
    assert "the training goes on" in text and "finished" in text


def test_a_tracker_that_is_not_there_is_refused_by_name(monkeypatch) -> None:
    with pytest.raises(ValueError, match="unknown tracker 'tensorbord' .did you mean"):
        check_tracker("tensorbord")
    monkeypatch.setattr(Broken, "package", "crossback_of_nobody")
    monkeypatch.setitem(trackers.TRACKERS._added, "broken", Broken)
    with pytest.raises(ValueError, match="pip install crossback_of_nobody, or set tracker to none"):
        check_tracker("broken")
    check_tracker("none")
