"""What the configuration says of a network."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from crossback_core.section import (
    STRICT,
    Count,
    Entries,
    FractionBelowOne,
    Number,
    Positive,
)

_Channels = Field(min_length=3, max_length=3)


@dataclass(frozen=True, config=STRICT)
class ModelSettings:
    """Shape of the Perceiver IO network at width 1.

    Source: Jaegle et al., "Perceiver IO" (arXiv 2107.14795).
    """

    latents: Annotated[Count, Field(description="number of latent vectors")]
    latent_dim: Annotated[Count, Field(description="their width, the residual width")]
    blocks: Annotated[Count, Field(description="self-attention blocks")]
    attention_heads: Annotated[Count, Field(description="heads of the self-attention")]
    head_dim: Annotated[Count, Field(description="channels of a head of the self-attention")]
    cross_attention_heads: Annotated[
        Count, Field(description="heads of the cross-attention that reads the input")
    ]
    cross_head_dim: Annotated[Count, Field(description="channels of a head of the cross-attention")]
    feedforward_factor: Annotated[
        Count, Field(description="inner width of a feed-forward layer, in latent_dim")
    ]
    dropout: Annotated[
        FractionBelowOne, Field(description="dropout in attention and feed-forward layers")
    ]
    frequency_bands: Annotated[
        Count, Field(description="bands of the Fourier positions of a pixel")
    ]
    max_frequency: Annotated[Positive, Field(description="the highest of their frequencies")]
    max_tokens: Annotated[
        Count, Field(description="learned positions of a text; a longer text is an error")
    ]
    image_mean: Annotated[
        tuple[Number, ...],
        _Channels,
        Entries,
        Field(description="red, green and blue, subtracted from pixels in [0, 1]"),
    ]
    image_std: Annotated[
        tuple[Positive, ...], _Channels, Entries, Field(description="what they are divided by")
    ]
