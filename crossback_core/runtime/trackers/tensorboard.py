"""TensorBoard: curves of all trainings side by side (`tensorboard --logdir logs`)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from crossback_core.runtime.trackers import Tracker

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard(Tracker):
    """Write a folder of events for each training; that of an earlier run goes when it starts."""

    package = "tensorboard"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, SummaryWriter] = {}

    def show(self, training: str, row: Mapping[str, float]) -> None:
        """Write a point for each value."""
        writer = self._writer(training, first=row["epoch"] == 1)
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, int(row["epoch"]))
        writer.flush()  # people watch

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, training: str, *, first: bool) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter  # takes seconds

        if training not in self._writers:
            folder = self._folder / training
            if first:
                shutil.rmtree(folder, ignore_errors=True)
            self._writers[training] = SummaryWriter(str(folder))
        return self._writers[training]


TRACKER = TensorBoard
