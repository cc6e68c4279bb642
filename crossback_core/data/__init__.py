"""Data: samples and their splits, and the tensors of each task.

What is named here is imported when it is first used: planning reads only the settings and kinds in
this package, and needs none of the libraries that read data.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossback_core.data.index import load_index, save_index
    from crossback_core.data.listing import make_index
    from crossback_core.data.prepare import make_task
    from crossback_core.data.task_file import Split, TaskData, load_task, save_task

TASK_FORMAT = 4  # raised whenever a task file of before cannot be read any more

__all__ = [
    "TASK_FORMAT",
    "Split",
    "TaskData",
    "load_index",
    "load_task",
    "make_index",
    "make_task",
    "save_index",
    "save_task",
]

_HOMES = {
    "index": ("load_index", "save_index"),
    "listing": ("make_index",),
    "prepare": ("make_task",),
    "task_file": ("Split", "TaskData", "load_task", "save_task"),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
