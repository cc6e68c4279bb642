"""A training that is cut off between two epochs."""

from pathlib import Path
from typing import Any

from crossback_core.storage.resume import ResumeFile


class Interrupted(Exception):
    """The machine went down."""


class InterruptedResume(ResumeFile):
    """Keep the state of a training, and cut it off after a number of saved epochs."""

    def __init__(self, path: str | Path, *, after: int) -> None:
        super().__init__(path, "key")
        self.left = after

    def save(self, state: dict[str, Any]) -> None:
        """Save, then go down if it is time."""
        super().save(state)
        self.left -= 1
        if self.left == 0:
            raise Interrupted
