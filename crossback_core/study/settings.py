"""What the configuration says of a study of the selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

from crossback_core.section import STRICT, Distinct, Entries, Seed

# What a target of a study starts from, the controls after the backbone; see study/starts.py.
Start = Literal["backbone", "shuffled", "fresh", "unpicked"]
STARTS: tuple[Start, ...] = get_args(Start)
CONTROLS = STARTS[1:]


def as_candidate(start: Start, candidate: str) -> str:
    """Return what tables of scores call a candidate, or one with its weights shuffled.

    Ids have no blanks, so no candidate has another's name.
    """
    return candidate if start == "backbone" else f"{candidate} {start}"


@dataclass(frozen=True, config=STRICT)
class StudySize:
    """What targets of a number of training samples are trained from in a study.

    Attributes:
        candidates: Those whose backbones targets are trained from; scored are all.
        controls: For each control (see study/starts.py) the candidates that it is trained from.
        shuffled_candidates: Those that are candidates once more with their weights shuffled:
            scored, trained and judged so.
    """

    candidates: tuple[str, ...]
    controls: Mapping[Start, tuple[str, ...]]
    shuffled_candidates: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[Start, str], ...]:
        """Return what targets are trained from: starts with their candidates, each once."""
        starts: list[tuple[Start, tuple[str, ...]]] = [
            ("backbone", self.candidates),
            *self.controls.items(),
            ("shuffled", self.shuffled_candidates),
        ]
        pairs = ((start, each) for start, candidates in starts for each in candidates)
        return tuple(dict.fromkeys(pairs))


@dataclass(frozen=True, config=STRICT)
class StudySettings:
    """Which trainings the study of the selection compares.

    Attributes:
        seeds: Each draws the targets' training samples and trains baseline and target from them.
        sizes: By training samples per class of the targets, as a text; "all" takes all.
    """

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), Entries, Distinct]
    sizes: Mapping[str, StudySize]
