"""What the configuration says of the choice of a backbone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from crossback_core.section import MOST, STRICT, WHOLE, CountFromZero, Number, Positive, one_of
from crossback_core.selection.scores import SCORES

Candidates = Literal["all", "same_modal", "cross_modal"]


def _known(name: object) -> str:
    if name == "probe":  # in version 0.1
        raise ValueError("it is called linear_classifier now: rename it")
    if not isinstance(name, str) or name not in SCORES:
        raise ValueError(one_of(name, SCORES))
    return name


ScoreName = Annotated[str, BeforeValidator(_known), Field(json_schema_extra={"enum": [*SCORES]})]


@dataclass(frozen=True, config=STRICT)
class SelectionSettings:
    """How the backbone is chosen; probes and mutations are ModelDiff's (Li et al., ISSTA 2021)."""

    score: Annotated[ScoreName, Field(description="the score that chooses; all are measured")]
    minimum: Annotated[
        Number | None,
        Field(
            description="the score, which has a zero, has to be above it, else no candidate is"
            " the backbone and the product is the target's baseline; null: take the best"
        ),
    ]
    candidates: Annotated[Candidates, Field(description="of which modality, seen from the target")]
    probes: Annotated[
        int,
        Field(ge=2, le=MOST, description="inputs of each task that decisions are compared on"),
        WHOLE,
    ]
    mutations: Annotated[
        CountFromZero, Field(description="rounds that make the probes more telling")
    ]
    mutation_step: Annotated[
        Positive, Field(description="change of one coordinate of one probe in a round")
    ]

    @property
    def probing(self) -> ProbeSettings:
        """The part that similarities depend on; the rest only picks among them."""
        return ProbeSettings(self.probes, self.mutations, self.mutation_step)


@dataclass(frozen=True, config=STRICT)
class ProbeSettings:
    """How similarities are measured: see SelectionSettings."""

    probes: int
    mutations: int
    mutation_step: float
