"""Settings of reading a data set: each kind has those that it uses."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field
from pydantic.dataclasses import dataclass

from crossback_core.section import (
    STRICT,
    WHOLE,
    Count,
    CountFromZero,
    Fraction,
    InnerFraction,
    Text,
)

SPLITS = ("train", "validation", "test")


@plain_dataclass(frozen=True)
class Of:
    """Marks a setting that only the samples of one modality depend on."""

    modality: str


ImageSize = Annotated[
    int,
    Field(ge=1, le=1024, description="height and width in pixels that pictures are brought to"),
    WHOLE,
    Of("image"),
]
Encoder = Annotated[
    Text,
    Field(description="Hugging Face model, by name or folder, that represents texts"),
    Of("text"),
]
Representation = Annotated[
    Literal["tokens", "contextual"],
    Field(description="tokens: its embeddings of tokens; contextual: its last hidden states"),
    Of("text"),
]
TextLength = Annotated[
    Count,
    Field(description="tokens of a text, longer ones are cut; at most the preset's max_tokens"),
    Of("text"),
]
ClassesPerGroup = Annotated[
    CountFromZero, Field(description="classes of a task; 0: the data decides")
]
SamplesPerClass = Annotated[
    CountFromZero, Field(description="pictures of a class; 0: the data decides")
]
MaxSkipped = Annotated[Fraction, Field(description="fraction of samples that may be unreadable")]
TestFraction = Annotated[InnerFraction, Field(description="part of each class that is tested on")]
ValidationFraction = Annotated[
    InnerFraction, Field(description="part of each class that decides; training has the rest")
]


def groups_up_to(most: int) -> Any:
    """Return the bounds and the meaning of the setting `groups`."""
    return Field(ge=0, le=most, description="groups of classes; 0: all there are")


@dataclass(frozen=True, config=STRICT)
class DatasetSettings:
    """What it takes to read any data set."""

    kind: Annotated[Text, Field(description="what the raw data is, and so what reads it")]
    raw: Annotated[
        Text, Field(description="folder of the raw data; published data are downloaded without it")
    ]
    max_skipped: MaxSkipped = 0.01
    test_fraction: TestFraction = 0.2
    validation_fraction: ValidationFraction = 0.15

    def determining(self, *modalities: str) -> dict[str, Any]:
        """Return the settings that the index depends on, and samples of the given modalities.

        The place of the raw data is none of them: what lies there decides.
        """
        hints = get_type_hints(type(self), include_extras=True)
        return {
            key: value
            for key, value in sorted(asdict(self).items())
            if key != "raw" and all(mark.modality in modalities for mark in _marks(hints[key]))
        }


@dataclass(frozen=True, config=STRICT)
class PairedSettings(DatasetSettings):
    """What it takes to read pictures with captions."""

    image_size: ImageSize = 64
    encoder: Encoder = "bert-base-uncased"
    representation: Representation = "tokens"
    text_length: TextLength = 128


def _marks(hint: Any) -> list[Of]:
    return [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Of)]
