"""An object that does harm when it is unpickled."""

from __future__ import annotations

from pathlib import Path


class Malicious:
    """Writes a file as soon as it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        """Have the unpickler call a function."""
        return (Path.write_text, (self.mark, "was here"))
