"""Data: samples and their splits, and the tensors of each task."""

from crossback_core.data.index import load_index, save_index
from crossback_core.data.prepare import READERS, make_index, make_task
from crossback_core.data.task_file import TASK_FORMAT, Split, TaskData, load_task, save_task

__all__ = [
    "READERS",
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
