"""Trackers: one file each, named like the tracker, with its `TRACKER`.

A tracker shows trainings while they run. The rows that it is given are those of the history, the
CSV file that a training leaves; it changes no result.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from crossback_core.registry import Registry

logger = logging.getLogger(__name__)

NONE = "none"  # the name that stands for no tracker


class Tracker(ABC):
    """What is told each row of the trainings of a job.

    Args:
        folder: The job's own; what an earlier run of it wrote may be there.

    Attributes:
        package: What has to be installed for it.
    """

    package: ClassVar[str]

    @abstractmethod
    def __init__(self, folder: Path) -> None: ...

    @abstractmethod
    def show(self, training: str, row: Mapping[str, float]) -> None:
        """Show the values of an epoch.

        Args:
            training: Its name, such as "baseline of task 3": a job may have several.
            row: By name; `epoch` counts from 1, and goes on where a training was resumed.
        """

    @abstractmethod
    def close(self) -> None:
        """Write what is not yet written."""


TRACKERS: Registry[type[Tracker]] = Registry(
    "tracker", package="crossback_core.runtime.trackers", attribute="TRACKER"
)


def check_tracker(name: str) -> None:
    """Refuse a tracker that is not there.

    Raises:
        ValueError: There is none of that name, or its package is not installed.
    """
    if name == NONE:
        return
    package = TRACKERS.find(name).package
    if find_spec(package) is None:
        raise ValueError(
            f"tracker {name} needs the package {package}, which is not installed:"
            f" pip install {package}, or set tracker to {NONE}"
        )


class Tracking(logging.Handler):
    """Hand the rows of trainings, the `row` of a log record, to a tracker.

    Args:
        tracker: Is told them.
    """

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self._tracker = tracker

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the tracker, if the record has a row; its failures are logged and stop nothing."""
        row = getattr(record, "row", None)
        if row is None:
            return
        try:
            self._tracker.show(getattr(record, "training", ""), row)
        except Exception:  # trackers of other packages raise what they like
            self.handleError(record)

    def close(self) -> None:
        """Close the tracker too."""
        try:
            self._tracker.close()
        except Exception:  # as above
            logger.exception("the tracker could not be closed")
        super().close()
