"""Where an interrupted training waits to be taken up again."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from crossback_core.storage.archive import entry, load_archive, save_archive

logger = logging.getLogger(__name__)


class ResumeFile:
    """The state of one training in one file, valid only for what determines the training.

    Args:
        path: The file.
        key: Everything that determines the training; a file of another key is ignored.
    """

    def __init__(self, path: str | Path, key: object) -> None:
        self.path = Path(path)
        self.key = hashlib.sha256(repr(key).encode()).hexdigest()

    def load(self) -> dict[str, Any] | None:
        """Return the state saved last; None if there is none, or none that fits."""
        if not self.path.is_file():
            return None
        try:
            payload = load_archive(self.path)
            key = entry(payload, "key", str)
            state = entry(payload, "state", dict)
        except ValueError as error:
            logger.warning("%s cannot be resumed from (%s): starting again", self.path, error)
            return None
        if key != self.key:
            logger.info("%s is of other settings or data: starting again", self.path)
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state atomically."""
        save_archive({"key": self.key, "state": state}, self.path)
