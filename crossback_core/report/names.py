"""How the report calls a task: its number, its name where it has one, and its classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossback_core.data.names import by_number, with_modality
from crossback_core.report.inputs import ReportInputs
from crossback_core.wording import with_name

_SHOWN = 4  # classes in a line
_LONGEST = 40  # characters of one there


@dataclass(frozen=True)
class Named:
    """A task or a joint network.

    Attributes:
        id: Its number, or the name that the data give it.
        modality: What it reads.
        classes: Their names.
        name: What people call it; nothing where its id tells.
    """

    id: str
    modality: str
    classes: Sequence[str]
    name: str = ""

    @property
    def title(self) -> str:
        """Such as "image 3", or "image-animals"."""
        return with_modality(self.id, self.modality)

    @property
    def about(self) -> str:
        """Its name, or its first classes."""
        return self.name or self.some_classes

    @property
    def some_classes(self) -> str:
        """Its first classes, and how many more there are."""
        more = len(self.classes) - _SHOWN
        if more <= 1:
            return ", ".join(map(shortened, self.classes))
        return f"{', '.join(map(shortened, self.classes[:_SHOWN]))} and {more} more"

    @property
    def label(self) -> str:
        """Number, and name or classes."""
        return f"{self.title}: {self.about}" if self.about else self.title

    @property
    def brief(self) -> str:
        """As a part of a sentence: number, and name or classes."""
        return with_name(self.title, self.about)

    @property
    def told(self) -> str:
        """In one line: number, name and classes."""
        return f"{self.label} ({self.some_classes})" if self.name and self.classes else self.label


def shortened(name: str) -> str:
    """Return the name of a class, which may be a sentence, cut where it is long."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"


def names_of(inputs: ReportInputs) -> Mapping[str, Named]:
    """Return how every task of the report is called, by id, in the order of ids."""
    known = {each.task: (each.modality, each.classes) for each in inputs.networks}
    for record in inputs.records:  # also where no baseline's record is given
        known.setdefault(record.target, (record.modality, record.classes[record.target]))
        if record.backbone:
            modality = record.backbone_modality or record.modality
            known.setdefault(record.backbone, (modality, record.classes[record.backbone]))
    for choice in inputs.selections:  # a network that is a candidate no longer has no record
        for each in choice.ranking:
            known.setdefault(each.candidate, (each.modality, ()))
    return {
        id_: Named(id_, *known[id_], inputs.called.get(id_, ""))
        for id_ in sorted(known, key=by_number)
    }
