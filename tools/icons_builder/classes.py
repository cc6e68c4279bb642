"""The class list (tools/classes.yaml) as frozen dataclasses."""

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import yaml

Modality = Literal["image", "text"]


@dataclass(frozen=True)
class ClassEntry:
    """One class: where its samples come from, and which of them are left out."""

    name: str
    names: tuple[str, ...]
    synset: str
    dropped: tuple[str, ...]
    found: int

    @property
    def slug(self) -> str:
        """The class name as it appears in file names and sample ids."""
        return self.name.replace(" ", "-")

    def drops(self, source: str) -> bool:
        """Whether an icon ("set:name") is left out; "*" in the class list stands for any text."""
        return any(fnmatchcase(source, pattern) for pattern in self.dropped)


@dataclass(frozen=True)
class Task:
    """One task of a few classes, all of one modality."""

    task: int
    name: str
    modality: str
    classes: tuple[ClassEntry, ...]
    wide: bool


@dataclass(frozen=True)
class ClassList:
    """All tasks, and how samples are chosen."""

    seed: int
    limit: int
    families: dict[str, str]
    tasks: tuple[Task, ...]

    def family(self, prefix: str) -> str:
        """Return the family of an icon set: the sets that draw the same designs, often one."""
        return self.families.get(prefix, prefix)

    def of(self, modality: str) -> list[Task]:
        """Tasks of one modality, in the order of their ids."""
        return [task for task in self.tasks if task.modality == modality]

    def entries(self, modality: str) -> list[ClassEntry]:
        """Classes of all tasks of one modality."""
        return [entry for task in self.of(modality) for entry in task.classes]


def _entry(name: str, record: dict[str, Any]) -> ClassEntry:
    dropped = [item for items in record.get("drop", {}).values() for item in items]
    names = tuple(record.get("names", ()))
    return ClassEntry(name, names, record.get("synset", ""), tuple(dropped), record["found"])


def _tasks(records: list[dict[str, Any]], modality: str, wide: bool) -> list[Task]:
    return [
        Task(
            task=record["task"],
            name=record["name"],
            modality=modality,
            classes=tuple(_entry(*item) for item in record["classes"].items()),
            wide=wide,
        )
        for record in records
    ]


def read_classes(path: Path) -> ClassList:
    """Read the class list.

    Args:
        path: tools/classes.yaml.

    Returns:
        The class list, tasks sorted by id.

    Raises:
        ValueError: Two classes of one modality have the same name.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    tasks = (
        _tasks(content["images"], "image", wide=False)
        + _tasks(content["texts"], "text", wide=False)
        + _tasks(content["wide_images"], "image", wide=True)
        + _tasks(content["wide_texts"], "text", wide=True)
    )
    families = {prefix: sets[0] for sets in content["families"] for prefix in sets}
    ordered = tuple(sorted(tasks, key=lambda task: task.task))
    classes = ClassList(content["seed"], content["limit"], families, ordered)
    _check_unique(classes)
    return classes


def _check_unique(classes: ClassList) -> None:
    for modality in ("image", "text"):
        names = [entry.slug for entry in classes.entries(modality)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{modality} classes listed twice: {', '.join(twice)}; rename one of each"
            )


def shuffle_key(seed: int, *parts: str) -> str:
    """Return a sort key that shuffles alike on any machine, whatever the order of the input."""
    return hashlib.sha256(" ".join((str(seed), *parts)).encode()).hexdigest()
