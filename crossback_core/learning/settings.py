"""What the configuration says of training, pruning and targets."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from crossback_core.section import (
    REAL,
    STRICT,
    WHOLE,
    Ascending,
    Count,
    CountFromZero,
    Entries,
    Factor,
    Flag,
    Fraction,
    FractionBelowOne,
    InnerFraction,
    NotNegative,
    Number,
    Positive,
)

Schedule = Literal["constant", "one_cycle", "steps"]
Swap = Literal["auto", "always", "never"]
SwappedStart = Literal["backbone", "baseline"]
JudgedBy = Literal["validation", "folds"]


@dataclass(frozen=True, config=STRICT)
class TrainingSettings:
    """How any network is trained."""

    optimizer: Annotated[
        Literal["adamw", "sgd"], Field(description="AdamW, or SGD with Nesterov momentum")
    ]
    learning_rate: Annotated[Positive, Field(description="the highest rate of the run")]
    weight_decay: Annotated[NotNegative, Field(description="decoupled with adamw, L2 with sgd")]
    momentum: Annotated[FractionBelowOne, Field(description="used by sgd")]
    schedule: Annotated[
        Schedule,
        Field(description="of the rate; steps: times gamma after each milestone"),
    ]
    milestones: Annotated[
        tuple[InnerFraction, ...],
        Entries,
        Ascending,
        Field(description="fractions of the run (steps only)"),
    ]
    gamma: Annotated[Factor, Field(description="factor on the rate after a milestone (steps only)")]
    epochs: Annotated[Count, Field(description="passes over the training samples")]
    min_steps: Annotated[
        CountFromZero,
        Field(description="a small task trains for at least that many steps"),
    ]
    batch_size: Annotated[Count, Field(description="samples of a step")]
    flip: Annotated[Flag, Field(description="mirror half of the training images")]
    shift: Annotated[
        CountFromZero, Field(description="move a training image by up to that many pixels")
    ]
    token_dropout: Annotated[
        FractionBelowOne,
        Field(description="probability of a token of a training text to be hidden"),
    ]
    precision: Annotated[
        Literal["float32", "bfloat16"], Field(description="of the multiplications in training")
    ]


@dataclass(frozen=True, config=STRICT)
class PruningSettings:
    """The ladder of sparsities of a backbone (Zhu and Gupta, arXiv 1710.01878), and its choice."""

    sparsities: Annotated[
        tuple[InnerFraction, ...],
        Field(min_length=1),
        Entries,
        Ascending,
        Field(description="fractions of weights removed"),
    ]
    epochs: Annotated[Count, Field(description="epochs of a level")]
    ramp_epochs: Annotated[
        Count,
        Field(description="the first epochs of a level, in which its weights disappear"),
    ]
    update_every: Annotated[
        Count, Field(description="steps between two changes of the masks on the way")
    ]
    learning_rate: Annotated[Positive, Field(description="its highest")]
    schedule: Annotated[Schedule, Field(description="of a level")]
    allowed_loss: Annotated[
        Fraction,
        Field(description="validation accuracy that the chosen level may be below the baseline"),
    ]

    @property
    def ladder(self) -> LadderSettings:
        """The part that makes the ladder; what is left only chooses among its levels."""
        return LadderSettings(*(getattr(self, field.name) for field in fields(LadderSettings)))


@dataclass(frozen=True, config=STRICT)
class LadderSettings:
    """How a ladder is made: see PruningSettings."""

    sparsities: tuple[float, ...]
    epochs: int
    ramp_epochs: int
    update_every: int
    learning_rate: float
    schedule: Schedule


@dataclass(frozen=True, config=STRICT)
class TargetSettings:
    """How a target is trained on its backbone (CPG: Hung et al., NeurIPS 2019)."""

    learning_rate: Annotated[
        Positive, Field(description="of the free weights and of the task's own parameters")
    ]
    continued_learning_rate: Annotated[
        Positive, Field(description="the same of a target that continues its baseline")
    ]
    pick_initial: Annotated[Number, Field(description="first score of each weight of the backbone")]
    pick_threshold: Annotated[
        Number, Field(description="a weight is picked where its score is above this")
    ]
    pick_learning_rate: Annotated[Positive, Field(description="of the scores, by Adam")]
    pick_milestone: Annotated[
        Fraction,
        Field(description="fraction of the run after which that rate is times pick_gamma"),
    ]
    pick_gamma: Annotated[Factor, Field(description="factor on the rate of the scores")]
    pick_stop: Annotated[
        Fraction, Field(description="fraction of the run after which the picks no longer change")
    ]
    max_width: Annotated[
        float,
        Field(ge=1, le=16, description="growth ends there: inner widths, in the first width"),
        REAL,
    ]
    width_step: Annotated[float, Field(ge=0.01, le=16, description="what one growth adds"), REAL]
    swap: Annotated[Swap, Field(description="auto: key/value swap where modalities differ")]
    swapped_start: Annotated[
        SwappedStart,
        Field(
            description="where swapped: the target continues its own baseline in the room that the"
            " backbone leaves; backbone: only its projection is the baseline's"
        ),
    ]
    judged_by: Annotated[
        JudgedBy,
        Field(
            description="what the verdict is by; validation: that split; folds: the target's"
            " training samples, held out in turn, for data of so few that none is to spare"
        ),
    ]
    repeats: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="trainings that the verdict is over: each draws training samples of its"
            " own where there are more; of folds their number",
        ),
        WHOLE,
    ]
    keep_better: Annotated[
        Flag,
        Field(description="the product is the baseline where the verdict is hurts"),
    ]

    @property
    def training(self) -> TargetSettings:
        """The part that a training depends on: the rest only judges it."""
        return replace(self, judged_by="validation", repeats=1, keep_better=False)

    @property
    def swapping(self) -> SwapSettings:
        """The part that decides how a target is added to its backbone."""
        return SwapSettings(self.swap, self.swapped_start)

    def at_rate_for(self, *, continued: bool) -> TargetSettings:
        """Return the settings with the rate of a target that continues its baseline, or not."""
        return replace(self, learning_rate=self.continued_learning_rate) if continued else self


@dataclass(frozen=True, config=STRICT)
class SwapSettings:
    """How a target is added to its backbone: see `learning.kv_swap.reconstruct`."""

    swap: Swap
    swapped_start: SwappedStart
